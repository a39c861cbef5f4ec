"""The visitor's page. Knows nothing of reporters or of what becomes of the visitor's words."""

from __future__ import annotations

from .respond import PARTS, Page, Part

__all__ = ["PARTS", "Page", "Part"]
