"""The list of attacks: what each one does, against what, and what must hold meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Who = Literal["kit", "raven"]
Server = Literal["waitress", "gunicorn", "gunicorn gthread", "werkzeug", "inbox"]
Play = Callable[..., "list[Visit]"]

WAIT = 0.1
"""Seconds that a healthy request may wait longer than it does when nothing happens."""

DEADLINE = 0.5
"""Seconds that the kit itself may wait for a body: a worker that answers one request at a time
is held so long, and everybody behind it."""

ANSWER = 1.0
"""Seconds that one request may take: four that take longer hold all of a server's threads."""

MEMORY = 100
"""Megabytes that the server may grow by while an attack runs."""


class Missed(AssertionError):
    """A rule of the attack did not hold. Its text is what was seen."""


def expect(holds: object, seen: object) -> None:
    """The rule's condition; ``seen`` says what was there instead."""
    if not holds:
        raise Missed(str(seen))


@dataclass(frozen=True, slots=True)
class Visit:
    """What one request of the attacker got. Status 0: no answer, or none in time."""

    status: int
    text: str = ""
    seconds: float = 0.0
    location: str = ""


@dataclass(frozen=True, slots=True)
class Attack:
    """One row of the table."""

    title: str
    play: Play
    """``play(site, *args)`` attacks, and returns what was answered."""
    args: tuple[Any, ...]
    server: Server
    sentry: str
    """How Sentry behaves meanwhile: a mode of ``sentry.py``."""
    answers: tuple[int, ...]
    """Every answer must have one of these statuses."""
    kit_only: bool
    """Raven's recipe has nothing there that could be attacked."""
    wait: float
    """Seconds that a healthy request may wait."""
    answer: float
    """Seconds that each request of the attacker's may take."""
    memory: int
    """Megabytes that the server may grow by."""
    options: tuple[str, ...]
    """How the app is made: a name of ``shop.OPTIONS``."""

    @property
    def whose(self) -> tuple[Who, ...]:
        return ("kit",) if self.kit_only else ("kit", "raven")


ATTACKS: list[Attack] = []


def attack(
    title: str,
    *args: Any,
    server: Server = "waitress",
    sentry: str = "takes",
    answers: tuple[int, ...] = (500,),
    kit_only: bool = False,
    wait: float = WAIT,
    answer: float = ANSWER,
    memory: int = MEMORY,
    options: tuple[str, ...] = (),
) -> Callable[[Play], Play]:
    """Enter an attack. ``args`` come after the site."""

    def enter(play: Play) -> Play:
        assert title not in {one.title for one in ATTACKS}, f"two attacks are named {title!r}"
        ATTACKS.append(
            Attack(
                title, play, args, server, sentry, answers, kit_only, wait, answer, memory, options
            )
        )
        return play

    return enter
