"""The second stage: judge what lies in the quarantine, and let out only what is green."""
