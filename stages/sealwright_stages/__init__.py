"""The engine of Sealwright: what a release goes through, with no face of its own."""
