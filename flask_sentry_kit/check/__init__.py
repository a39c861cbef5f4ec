"""``flask sentry-kit check``: says in plain lines what would happen at a crash. Each file here
looks at one part of it; :mod:`.run` puts them in order. It changes nothing in an app afterwards."""

from __future__ import annotations

from .finding import Finding, as_json, as_text, is_broken
from .run import check_app, not_loaded

__all__ = ["Finding", "as_json", "as_text", "check_app", "is_broken", "not_loaded"]
