"""Serves the inbox over HTTP. Knows nothing of what it answers."""
