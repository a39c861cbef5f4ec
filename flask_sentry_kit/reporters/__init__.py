"""What sends an app's events."""
