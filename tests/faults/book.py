"""The list of scenarios: which row each one shows, and what is seen where the rule is broken."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Play = Callable[..., None]


@dataclass(frozen=True)
class Scenario:
    """One thing that a row of the list of faults says."""

    row: str
    """``E1a``: the first thing in row E1."""
    fault: str
    """In a few words, as the table prints it."""
    seen: str
    """A pattern that what raven shows must match: another failure is not this fault."""
    play: Play
    """``play(sentry_class, rig)``; its docstring is the rule."""
    raven_too: bool = True
    """False where raven cannot show the fault on this Python: ours must still be right."""
    alone: bool = False
    """Measures time: runs while nothing else does."""
    args: tuple[Any, ...] = ()

    @property
    def rule(self) -> str:
        return (self.play.__doc__ or "").strip().splitlines()[0]

    @property
    def place(self) -> tuple[int, int, str]:
        """Sorts as the list of faults does: P, E, V, D, A."""
        found = re.fullmatch(r"([PEVDA])(\d+)([a-z]*)", self.row)
        if found is None:
            raise ValueError(f"{self.row} is no row")
        return "PEVDA".index(found[1]), int(found[2]), found[3]


SCENARIOS: list[Scenario] = []


def row(
    name: str,
    fault: str,
    *args: Any,
    seen: str,
    raven_too: bool = True,
    alone: bool = False,
) -> Callable[[Play], Play]:
    """Enter a scenario. ``args`` come after ``sentry_class`` and ``rig``."""

    def enter(play: Play) -> Play:
        SCENARIOS.append(Scenario(name, fault, seen, play, raven_too, alone, args))
        return play

    return enter
