"""Sentry's protocol: what clients send, and what they are answered."""
