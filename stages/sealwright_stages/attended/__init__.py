"""An attended run's engine in a process of its own, and how consoles come to it and go."""
