"""Somebody else's release, built again from its evidence: what is taken of it, what is not, and what came out."""
