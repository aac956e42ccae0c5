"""The signer: a separate program that signs a few known documents, and nothing that it can't parse."""
