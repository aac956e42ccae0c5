"""Third-party files from the inside: decompressed and unpacked in a sandbox without a network, under limits."""
