"""The pictures of the docs, taken of real programs on a real release: `make screenshots`."""
