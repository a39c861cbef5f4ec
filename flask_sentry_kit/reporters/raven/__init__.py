"""The raven reporter: ``Sentry``, a drop-in for raven's own, and its client."""
