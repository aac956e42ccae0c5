"""What earlier releases accepted, and what must not go back behind it."""
