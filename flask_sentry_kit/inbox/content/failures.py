"""Reads the exceptions of an event: a chain, or the tree that an exception group is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from .event_parts import FRAMES, dict_of, either, exceptions_of, message_of
from .shown import Budget, short
from .stack import Frame, read_frames
from .titles import title_of

_FAILURES: Final = 30

CAUSED_BY: Final = "caused by"
HANDLING: Final = "during handling of"
IN_GROUP: Final = "in the group"
BEHIND: Final = "behind it"
"""What one exception is to the one above it. A client that sends a plain chain, as raven does, says
not whether it was ``raise … from …``."""

_SOURCES: Final = {"__cause__": CAUSED_BY, "cause": CAUSED_BY, "__context__": HANDLING}
_MEMBER = re.compile(r"(?:exceptions|errors)\[\d+\]")


@dataclass(frozen=True, slots=True)
class Failure:
    """One exception."""

    type: str
    value: str
    frames: tuple[Frame, ...]
    """The innermost first."""
    place: Frame | None
    """The frame to look at: the innermost of the app's own code, else the innermost."""
    depth: int
    """How far below the exception that ended the request it is in the tree, which has 0."""
    relation: str
    """What it is to the one above it; empty for the one that ended the request."""
    read_first: bool
    """Whether it is the one to start with: it came before those above it."""

    @property
    def title(self) -> tuple[str, str]:
        """The type and the value to show."""
        return title_of(self.type, self.value, self.place.where if self.place else "")


@dataclass(slots=True)
class _Link:
    """Where an exception is in the tree."""

    parent: int = 0
    depth: int = 0
    relation: str = ""


def read_failures(body: Mapping[str, Any], budget: Budget) -> tuple[Failure, ...]:
    """The exception that ended the request first, and below each what led to it or is in it."""
    values = [item for item in exceptions_of(body) if isinstance(item, dict)]
    if len(values) > _FAILURES:
        budget.full = True
    # On the wire the exception that ended the request is the last of the list.
    items = values[: -_FAILURES - 1 : -1]
    links = _links(items)
    start = _start(links)
    failures: list[Failure] = []
    left = FRAMES
    for index in _in_order(links):
        item, link = items[index], links[index]
        frames, place, cut = read_frames(item.get("stacktrace"), left, budget)
        left -= len(frames)
        budget.full = budget.full or cut
        failures.append(
            Failure(
                type=short(item.get("type")) or "Exception",
                value=budget.show(item.get("value")),
                frames=frames,
                place=place,
                depth=link.depth,
                relation=link.relation,
                read_first=len(items) > 1 and index == start,
            )
        )
    if not failures:
        stack = either(body, "stacktrace", "sentry.interfaces.Stacktrace")
        frames, place, cut = read_frames(stack, FRAMES, budget)
        budget.full = budget.full or cut
        if frames:
            kind = short(body.get("logger")) or "Message"
            failures.append(Failure(kind, message_of(body), frames, place, 0, "", False))
    return tuple(failures)


def _links(items: list[dict[str, Any]]) -> list[_Link]:
    """Where each exception is, by its mechanism's ``exception_id`` and ``parent_id``:
    https://develop.sentry.dev/sdk/data-model/event-payloads/exception/

    Without them the list is a chain. A parent is always an earlier one, so there is no circle.
    """
    known: dict[int, int] = {}
    links: list[_Link] = []
    for index, item in enumerate(items):
        mechanism = dict_of(item.get("mechanism"))
        own, above = mechanism.get("exception_id"), mechanism.get("parent_id")
        link = _Link()
        if index:
            source = mechanism.get("source")
            source = source if isinstance(source, str) else ""
            # sentry-sdk names the outermost as the parent of every cause; it sends each right
            # before what it caused.
            link.parent = index - 1
            if isinstance(above, int) and not source.startswith("__"):
                link.parent = known.get(above, link.parent)
            link.depth = links[link.parent].depth + 1
            member = _MEMBER.fullmatch(source)
            link.relation = IN_GROUP if member else _SOURCES.get(source, BEHIND)
        if isinstance(own, int):
            known.setdefault(own, index)
        links.append(link)
    return links


def _start(links: list[_Link]) -> int:
    """The exception to read first: what came before the others, in a group its first member."""
    at = 0
    while below := [i for i, link in enumerate(links) if i and link.parent == at]:
        # The members of a group say what went wrong, and its cause only what came before it.
        members = [index for index in below if links[index].relation == IN_GROUP]
        at = (members or below)[0]
    return at


def _in_order(links: list[_Link], at: int = 0) -> list[int]:
    """The tree from top to bottom, each exception before those below it."""
    if not links:
        return []
    found = [at]
    for index, link in enumerate(links):
        if index and link.parent == at:
            found += _in_order(links, index)
    return found
