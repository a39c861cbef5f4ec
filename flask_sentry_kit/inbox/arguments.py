"""Reads the arguments of an address within bounds."""

from __future__ import annotations

import re
from typing import Final

from flask import request

LARGEST: Final = 2**63 - 1
"""That SQLite counts to."""


def number_of(name: str, default: int, most: int) -> int:
    """The whole number that an argument of the address gives: at least 1, and at most `most`."""
    text = request.args.get(name, "")
    return min(max(1, int(text)), most) if re.fullmatch(r"[0-9]{1,9}", text) else default
