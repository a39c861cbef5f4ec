"""The visitor's words: the page's own form, from its token to Sentry's door."""

from __future__ import annotations

from .routes import add_routes, feedback_form, limit_feedback, tell_missing_secret

__all__ = ["add_routes", "feedback_form", "limit_feedback", "tell_missing_secret"]
