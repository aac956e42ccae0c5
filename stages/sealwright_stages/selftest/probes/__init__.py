"""What runs inside and tries to get out: sent as text, so it imports nothing of ours but its own neighbours."""
