"""The visitor's page. Knows nothing about reporters, or about how feedback is delivered."""

from __future__ import annotations

from .respond import PARTS, Page, Part

__all__ = ["PARTS", "Page", "Part"]
