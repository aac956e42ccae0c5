"""From a downloaded file to the truth: hash it, find whose keys count, and walk the links of the evidence.

- `hashing` takes the bytes of the file, `trust` and `pins` say whose keys count, `way` walks the links.
"""
