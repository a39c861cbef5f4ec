"""Decides what a literal or a function's name tells about the values beside it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_SQL: Final = re.compile(r"\s{0,20}(?:insert|update|replace|select|delete|merge|with)\s", re.I)
_WORD: Final = re.compile(r"\w{1,60}")
_COMPARES: Final = re.compile(r"(?i)equal|compare|verify|check|assert|\beq\b|match")
# set_password("sunshine") takes the secret, token_of("alice") the owner.
_TAKES_SECRET: Final = re.compile(
    r"[A-Z]|_*(?:set|check|verify|change|update|with|validate|compare|is|has|hash|encrypt)(?:_|[A-Z])"
)
# "password=%s" and "token={}", which get their value with % or format().
_PLACE: Final = r"[=:]\s{0,5}[\"']?(?:%[^\s%]|\{|\Z)"
_HAS_PLACE: Final = re.compile(_PLACE)  # rules out most literals faster than the whole pattern
# "(?=(…))\1" takes the whole name or none: a part of it is never before the sign.
_TEMPLATE: Final = re.compile(rf"(?=([\w.-]{{1,80}}))\1[\"']?\s{{0,5}}{_PLACE}")


def names_columns(literal: str, hides: Callable[[str], bool]) -> bool:
    """Whether a literal is SQL that contains a secret's name. Its parameters follow."""
    return _SQL.match(literal) is not None and any(map(hides, _WORD.findall(literal)))


def awaits_value(literal: str, hides: Callable[[str], bool]) -> bool:
    """Whether a literal has a secret's name and a placeholder, as in ``"password=%s"``."""
    text = literal[:400]
    if _HAS_PLACE.search(text) is None:
        return False
    return any(hides(one[1]) for one in _TEMPLATE.finditer(text))


def compares(function: str) -> bool:
    """Whether a function compares its arguments."""
    return _COMPARES.search(function) is not None


def takes_secret(function: str) -> bool:
    """Whether a function with a secret's name in its own name takes the secret."""
    return _TAKES_SECRET.match(function) is not None
