"""Whom we trust, and who signs. Imports nothing else of Sealwright."""
