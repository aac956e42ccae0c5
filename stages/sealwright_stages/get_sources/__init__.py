"""The first stage: bring bytes into the quarantine, through the fetch sandbox, and nothing more."""
