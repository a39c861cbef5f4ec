"""Reads the stack of an exception: its calls with their source and local variables.

What a recursion repeats is left out and counted, so that the calls that led to it are shown too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from .event_parts import FRAMES, frames_of, is_ours, list_of, path_of
from .shown import Budget, Pairs, short

# Calls of a stack that are compared, the innermost ones. sentry-sdk sends up to 2,000.
_COMPARED: Final = 5_000
# Functions that may call each other in a circle, and circles from which on it is a recursion.
_CIRCLE: Final = 6
_RECURSION: Final = 3
_SOURCE: Final = 10
_PATH: Final = 1_000

_PACKAGE = re.compile(r"[/\\](?:node_modules|(?:site|dist)-packages)[/\\]((?:@[^/\\]+/)?[^/\\]+)")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of source."""

    number: int | None
    text: str
    current: bool
    """Whether this is the line that was running."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One call of a stack."""

    file: str
    path: str
    """The file on the machine where it ran, as the client names it; empty if it does not."""
    module: str
    function: str
    line: int | None
    column: int | None
    ours: bool
    """Whether it is the app's own code, and not a library's."""
    source: tuple[Line, ...]
    variables: Pairs
    more: int
    """How many calls follow that are like this one, or like it and those before it in a circle.
    They are left out."""

    @property
    def where(self) -> str:
        """Module and function, such as ``shop.cart.total``, without the line, which changes."""
        return ".".join(part for part in (self.module or self.file, self.function) if part)

    @property
    def library(self) -> str:
        """The library: the first part of the module's name, else its folder or file."""
        if self.module:
            return self.module.partition(".")[0]
        found = _PACKAGE.search(self.path or self.file)
        name = found[1] if found else re.split(r"[/\\]", self.file.partition("?")[0])[-1]
        return name or self.file


def by_owner(frames: Iterable[Frame]) -> list[tuple[bool, list[Frame]]]:
    """The frames in runs that are the app's own, or not, so that the page can fold the others."""
    return [(ours, list(run)) for ours, run in groupby(frames, key=lambda frame: frame.ours)]


def calls_in(frames: Iterable[Frame]) -> int:
    """How many calls these are, with those that are left out."""
    return sum(1 + frame.more for frame in frames)


def read_frames(
    stack: Any, most: int, budget: Budget
) -> tuple[tuple[Frame, ...], Frame | None, bool]:
    """Read a stack of an event.

    :param most: how many frames at most.
    :returns: the frames, the innermost first; the one to look at, which is the innermost of the
        app's own code, else the innermost; and whether frames are missing that are no repetition.
    """
    found, marked = frames_of(stack)
    innermost = found[: -_COMPARED - 1 : -1]
    shown = _without_repetition(innermost)
    frames: list[Frame] = []
    place: Frame | None = None
    for depth, more in shown[: max(most, 0)]:
        frame = _frame(innermost[depth], marked, more, budget)
        frames.append(frame)
        # Crashes are grouped by what the innermost frames say, so the page looks no further either.
        if place is None and frame.ours and depth < FRAMES:
            place = frame
    cut = len(shown) > len(frames) or len(found) > len(innermost)
    return tuple(frames), place or next(iter(frames), None), cut


def _without_repetition(frames: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """The index of each frame that is shown, and how many like it follow.

    The cost grows with the number of frames, whatever they are: a circle that is compared in vain
    is no longer than what is skipped.
    """
    calls = [(path_of(frame), short(frame.get("function")), _line(frame)) for frame in frames]
    shown: list[tuple[int, int]] = []
    at = 0
    while at < len(calls):
        size, rounds = max(
            ((size, _rounds(calls, at, size)) for size in range(1, _CIRCLE + 1)),
            key=lambda found: (found[0] * found[1], -found[0]) if found[1] > 1 else (1, 0),
        )
        if rounds < _RECURSION:
            shown.append((at, 0))
            at += 1
            continue
        shown += [(index, 0) for index in range(at, at + size - 1)]
        shown.append((at + size - 1, size * (rounds - 1)))
        at += size * rounds
    return shown


def _rounds(calls: list[tuple[str, str, int | None]], at: int, size: int) -> int:
    first, rounds = calls[at : at + size], 1
    while calls[at + rounds * size : at + (rounds + 1) * size] == first:
        rounds += 1
    return rounds


def _frame(frame: Mapping[str, Any], marked: bool, more: int, budget: Budget) -> Frame:
    path, line = path_of(frame), _line(frame)
    absolute = frame.get("abs_path")
    return Frame(
        file=short(frame.get("filename")) or path,
        path=absolute if isinstance(absolute, str) and len(absolute) <= _PATH else "",
        module=short(frame.get("module")),
        function=short(frame.get("function")),
        line=line,
        column=_number(frame.get("colno")),
        ours=is_ours(frame, marked),
        source=_source(frame, line, budget),
        variables=budget.pairs(frame.get("vars")),
        more=more,
    )


def _line(frame: Mapping[str, Any]) -> int | None:
    return _number(frame.get("lineno"))


def _number(value: Any) -> int | None:
    return value if type(value) is int and 0 < value < 10**9 else None


def _source(frame: Mapping[str, Any], number: int | None, budget: Budget) -> tuple[Line, ...]:
    current = frame.get("context_line")
    if not isinstance(current, str):
        return ()
    before = list_of(frame.get("pre_context"))[-_SOURCE:]
    after = list_of(frame.get("post_context"))[:_SOURCE]
    first = number - len(before) if number else None
    return tuple(
        Line(first + index if first is not None else None, budget.text(line), index == len(before))
        for index, line in enumerate([*before, current, *after])
    )
