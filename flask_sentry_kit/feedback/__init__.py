"""The visitor's words: the page's own form, from its token to Sentry's door."""

from __future__ import annotations

from .desk import FeedbackDesk, limit_feedback

__all__ = ["FeedbackDesk", "limit_feedback"]
