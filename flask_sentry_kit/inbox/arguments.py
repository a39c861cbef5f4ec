"""Reads the arguments of an address within bounds."""

from __future__ import annotations

import re
from typing import Final

from flask import request
from werkzeug.exceptions import BadRequest

LARGEST: Final = 2**63 - 1
"""That SQLite counts to."""


def number_of(name: str, default: int, most: int) -> int:
    """The whole number that an argument of a page's address gives: at least 1, and at most
    `most`."""
    text = request.args.get(name, "")
    return min(max(1, int(text)), most) if re.fullmatch(r"[0-9]{1,9}", text) else default


def only_arguments(*accepted: str) -> None:
    """Refuse an address with other arguments, one of which may be a misspelt ``q``.

    :raises BadRequest: names the argument and what is accepted.
    """
    for name in request.args:
        if name not in accepted:
            known = ", ".join(accepted) if accepted else "none"
            raise BadRequest(f"There is no argument {name[:40]!r} here. Accepted: {known}.")


def strict_number(name: str, default: int, least: int, most: int) -> int:
    """The whole number that an argument of the API gives.

    :raises BadRequest: it is none, or out of bounds.
    """
    text = request.args.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,19}", text) or not least <= int(text) <= most:
        raise BadRequest(f"{name} is a whole number from {least:,} to {most:,}.")
    return int(text)
