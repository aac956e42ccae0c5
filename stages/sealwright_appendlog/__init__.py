"""The log authority: an append-only log in a trust domain of its own (log format 1).

`tree`, `note`, `cosignature`, `record`, `frames`, `proof` and `audit` read and check, and may be imported by the
rest of the project; `store`, `authority`, `witness` and `cli` are the separate program, which is only ever spoken to.
"""
