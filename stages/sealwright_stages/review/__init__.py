"""Looking into a past release: the state at any record of its log, and what each record means."""
