"""The word of a machine's TPM about a sealed release: taken with tpm2-tools, judged without."""
