"""Planted secrets, and where they come out: the kit beside raven beside sentry-sdk."""
