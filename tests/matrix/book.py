"""The list of settings, and how one ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from .shop import ON_SDK, Who

if TYPE_CHECKING:
    from .stage import Stage

Road = Literal["dialog", "form"]


WORDS_ALONE = "the words without their event"


class Lost(Exception):
    """The visitor's words did not arrive with their event. Its text says where they stayed."""


@dataclass(frozen=True)
class Setting:
    """One row of the matrix."""

    title: str
    play: Callable[[Stage], None]
    """Does what the visitor does; raises ``Lost``."""
    road: Road
    """By which the kit's words travel: the hosted dialog where it can open, else its own form."""
    asked: bool
    """Named by the project's plan; the others are our own questions."""
    away: bool = False
    """The server is away when the crash's event is sent: sentry-sdk tries once, and drops it."""

    @property
    def whose(self) -> list[Who]:
        """Who plays it: the form alone only where it is not what is there anyway."""
        return [
            who
            for who in get_args(Who)
            if self.road == "dialog" or not str(who).endswith("form alone")
        ]

    def expected(self, who: Who) -> str:
        """How it ends for the kit: the road, or what became of event and words without one."""
        if self.away and who in ON_SDK:
            return WORDS_ALONE
        return "form" if who.endswith("form alone") else self.road


@dataclass(frozen=True)
class Verdict:
    """How one setting ended for one of the columns."""

    title: str
    who: str
    road: str
    """By which the words arrived; empty when they did not."""
    text: str = ""
    seconds: float = 0.0


Case = tuple[Setting, Who]

Verdicts = dict[tuple[str, str], Verdict]
"""How each ended, by its title and by whose column it was."""

SETTINGS: list[Setting] = []


def setting(
    title: str, road: Road, *, asked: bool = True, away: bool = False
) -> Callable[..., Callable[..., None]]:
    """Put a function into the list, below those that are there."""

    def add(play: Callable[[Stage], None]) -> Callable[[Stage], None]:
        SETTINGS.append(Setting(title, play, road, asked, away))
        return play

    return add
