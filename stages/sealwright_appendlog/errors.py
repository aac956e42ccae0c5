"""The error of a log that can't be kept; a module of its own, since who only speaks to a log loads none of the rest."""

from __future__ import annotations


class StoreError(Exception):
    """The log can't be opened or written; the sentence says why."""
