"""The visitor's words: the page's own form, its token, its limits, and what Sentry is sent."""

from __future__ import annotations

from .desk import FeedbackDesk, limit_feedback

__all__ = ["FeedbackDesk", "limit_feedback"]
