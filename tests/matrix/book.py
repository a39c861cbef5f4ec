"""The list of settings, and how one ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .shop import Who

if TYPE_CHECKING:
    from .stage import Stage

Road = Literal["dialog", "form"]


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
    alone: bool
    """Whether the kit's form is asked alone, too, where the dialog opens."""

    @property
    def whose(self) -> list[Who]:
        """Who plays it."""
        alone: list[Who] = ["kit, form alone"] if self.road == "dialog" and self.alone else []
        return ["raven", "kit", *alone, "kit, own page"]


@dataclass(frozen=True)
class Verdict:
    """How one setting ended for one of the columns."""

    title: str
    who: str
    road: str
    """By which the words arrived; empty when they did not."""
    text: str = ""
    seconds: float = 0.0


Verdicts = dict[tuple[str, str], Verdict]
"""How each ended, by its title and by whose column it was."""

SETTINGS: list[Setting] = []


def setting(
    title: str, road: Road, *, asked: bool = True, alone: bool = True
) -> Callable[..., Callable[..., None]]:
    """Put a function into the list, below those that are there."""

    def add(play: Callable[[Stage], None]) -> Callable[[Stage], None]:
        SETTINGS.append(Setting(title, play, road, asked, alone))
        return play

    return add
