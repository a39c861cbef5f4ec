"""Draws when a crash happened: a few bars, whose heights say how often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_BARS: Final = 32
HEIGHT: Final = 24


@dataclass(frozen=True, slots=True)
class Bar:
    """One part of the time, in the units of the drawing: 1 wide each, `HEIGHT` high."""

    at: float
    """When it begins, in seconds since 1970."""
    count: int
    x: int
    height: int


def bars_of(times: Sequence[float]) -> list[Bar]:
    """Bars from the first time to the last; none if all are at the same time, or there is one."""
    if len(times) < 2:
        return []
    first, last = min(times), max(times)
    if last <= first:
        return []
    counts = [0] * _BARS
    for at in times:
        counts[min(_BARS - 1, int((at - first) / (last - first) * _BARS))] += 1
    most = max(counts)
    return [
        Bar(
            at=first + (last - first) / _BARS * index,
            count=count,
            x=index,
            # What happened once is seen beside what happened a thousand times.
            height=max(2, round(count / most * HEIGHT)) if count else 0,
        )
        for index, count in enumerate(counts)
    ]
