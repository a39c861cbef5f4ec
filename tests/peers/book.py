"""What a server is to the drill, what a reader of it sees, and how a setting ended.

Two things are compared that know nothing of each other: what the page said to the visitor, and what
the server shows to a reader.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from tests.matrix.visitor import Words

if TYPE_CHECKING:
    from .stage import Stage


@dataclass(frozen=True)
class Look:
    """What a reader of one server sees, as text."""

    crash: str = ""
    """The page of the crash's event; empty where there is none."""
    beside: tuple[str, ...] = ()
    """What that server shows beside the crash as a visitor's words, one text a report."""
    others: tuple[str, ...] = ()
    """The pages of all other events."""


class Peer(Protocol):
    """One server that events and words are sent to."""

    name: str
    """As in ``python -m tests.peers NAME``."""
    title: str
    """The column's head: the server, with the version that runs."""
    server: str
    """The value of ``SENTRY_KIT_SERVER`` that names it, for the last row; empty where there is
    none, or where all rows have it."""
    uses: str
    """The value of ``SENTRY_KIT_SERVER`` in the other rows."""
    keeps: End
    """The best that ``auto`` can do here: ``READ`` or ``KEPT``."""
    may_have_words_twice: bool
    """Whether the kit may send it the words in two forms, of which it shows one in one version."""
    dialog_keeps: bool
    """Whether it shows what is written in its own dialog."""
    origins: tuple[str, ...]
    """Every origin that a browser asks for the dialog."""
    dsn: str

    def fresh(self) -> None:
        """Forget all there is, or go on with an empty project. The server is up."""

    def start(self) -> None: ...

    def stop(self) -> None:
        """Go down: connections are refused until ``start``, and nothing is forgotten."""

    def look(self, crash_id: str) -> Look:
        """What a reader sees now.

        :param crash_id: the id of the crash's event, 32 hexadecimal digits.
        """


class Notice(Enum):
    """What the page said about the words, by the beginning of its sentence."""

    SENT = "Sent."
    PASSED = "Passed on."
    SAVED = "Saved."
    NOT_SENT = "Not sent"
    NOTHING = ""

    @classmethod
    def read(cls, sentence: str) -> Notice:
        """The meaning of a sentence of the page, of its form or of the hosted dialog."""
        if sentence.startswith("This could not be sent"):
            return cls.NOT_SENT
        return next(notice for notice in cls if sentence.startswith(notice.value))


class End(Enum):
    """How one setting ended on one server: a cell of the table."""

    READ = "read"
    KEPT = "kept as an event"
    PASSED = "passed on, not kept"
    REFUSED = "not sent (said so)"
    ITS_DIALOG = "lost by its own dialog"
    LIE = "**said sent, lost**"
    LOST = "**lost**"


MEANINGS = {
    End.READ: "a reader of that server finds the words beside the crash",
    End.KEPT: "a reader finds the words as an event of their own, which names the crash",
    End.PASSED: "the server took the words and shows them to nobody; the page said no more than"
    " “Passed on”",
    End.REFUSED: "no reader has the words, and the page said that they were not sent",
    End.ITS_DIALOG: "the server's own dialog says that they are sent, and the server shows them to"
    " nobody. The kit knows that server from the answer to the first event of a process, and leaves"
    " its dialog out from then on; set `SENTRY_KIT_SERVER`, and it never shows",
    End.LIE: "the page said “Sent”, and no reader has the words",
    End.LOST: "no reader has the words, and the page said that they are saved, or nothing",
}
"""The sentences below the table."""


@dataclass(frozen=True)
class Verdict:
    """How one setting ended on one server."""

    setting: str
    peer: str
    end: End
    notice: Notice
    faults: tuple[str, ...] = ()
    """What was not expected, in words. Empty: nothing."""
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether the words can be read, and all was as expected."""
        return self.end in (End.READ, End.KEPT) and not self.faults

    @property
    def expected(self) -> bool:
        """Whether it is good, or a fault of the server's own dialog, which is known."""
        return (self.good or self.end is End.ITS_DIALOG) and not self.faults


def judge(
    words: Words, notice: Notice, look: Look, crash_id: str, mark: str, twice: bool = False
) -> tuple[End, list[str]]:
    """What became of the words, and what is wrong apart from that.

    :param mark: the text of the exception, by which the crash's page is known.
    :param twice: the words may stand beside the crash and be an event as well, where the kit cannot
        know which of the two the server shows.
    """
    beside = [text for text in look.beside if words.comments in text]
    own = [text for text in look.others if words.comments in text]
    named = [text for text in own if crash_id in text]
    faults = []
    if mark not in look.crash:
        faults.append("no reader has the crash")
    if len(beside) + len(own) > (2 if twice and beside and own else 1):
        faults.append("the words are there more than once")
    if own and not named:
        faults.append("an event has the words and does not name its crash")
    if beside or named:
        for text in (words.name, words.email):
            if not any(text in found for found in (*beside, *named)):
                faults.append(f"{text} is not shown with the words")
        if not words.email and any(".invalid" in text for text in named):
            faults.append("an anonymous visitor's event has an address that nobody gave")
        if notice in (Notice.NOT_SENT, Notice.NOTHING):
            faults.append(f"the words arrived, and the page said {notice.value or 'nothing'!r}")
        return (End.READ if beside else End.KEPT), faults
    ends = {Notice.SENT: End.LIE, Notice.PASSED: End.PASSED, Notice.NOT_SENT: End.REFUSED}
    return ends.get(notice, End.LOST), faults


@dataclass(frozen=True)
class Setting:
    """One row of the table."""

    title: str
    play: Callable[[Stage], None]
    """Does what the visitor does."""
    notices: tuple[Notice, ...]
    """What the page may say where the words are kept."""
    by_dialog: bool = False
    """Whether the visitor writes in the server's own dialog, where it has one."""


SETTINGS: list[Setting] = []


def setting(
    title: str, *notices: Notice, by_dialog: bool = False
) -> Callable[..., Callable[..., None]]:
    """Put a function into the list, below those that are there."""

    def add(play: Callable[[Stage], None]) -> Callable[[Stage], None]:
        SETTINGS.append(Setting(title, play, notices or (Notice.SENT, Notice.PASSED), by_dialog))
        return play

    return add
