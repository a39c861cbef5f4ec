"""Sorts a request's headers: those that say why it broke first, those of every browser last."""

from __future__ import annotations

from typing import Final

from .shown import Pairs

# What another request would need to be the same, in the order in which a person asks for it.
_FIRST: Final = (
    "host content-type authorization cookie x-csrftoken x-csrf-token x-xsrf-token x-requested-with"
    " origin referer user-agent"
).split()
_LAST: Final = frozenset(
    "accept accept-charset accept-encoding accept-language cache-control connection content-length"
    " dnt keep-alive pragma priority save-data te upgrade-insecure-requests".split()
)


def by_need(headers: Pairs) -> tuple[Pairs, Pairs]:
    """The headers that a person looks for, and the others: ``Accept``, ``Sec-*`` and the like."""
    ranked = sorted(headers, key=lambda pair: _rank(pair[0]))
    needed = sum(1 for name, _ in ranked if _rank(name) <= len(_FIRST))
    return tuple(ranked[:needed]), tuple(ranked[needed:])


def _rank(name: str) -> int:
    name = name.lower()
    if name in _FIRST:
        return _FIRST.index(name)
    return len(_FIRST) + (name in _LAST or name.startswith("sec-"))
