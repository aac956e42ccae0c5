"""The engine of Sealwright: what a release goes through, with no face of its own."""

# Said here and nowhere else: to ask the installed metadata takes each start of the program 10 ms.
VERSION = "0.1.0"
