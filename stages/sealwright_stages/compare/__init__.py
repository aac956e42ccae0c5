"""What changed between two releases, or between two builders of one."""
