"""Joining: evidence of several builders of one release, held beside each other, counted, and written as one folder."""
