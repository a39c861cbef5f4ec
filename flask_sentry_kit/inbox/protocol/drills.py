"""Failure drills: the inbox answers as a Sentry that is down, slow or refuses, so that an app's
developer sees what becomes of its events and of the visitor's words.

A drill concerns the addresses that clients send to, never the inbox's own pages.
"""

from __future__ import annotations

import logging
import random
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Final

from flask import Response

from ..errors import InboxError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

KINDS: Final = {
    "429": "is answered 429, with Retry-After",
    "403": "is answered 403",
    "500": "is answered 500",
    "503": "is answered 503",
    "hang": "gets no answer until the client gives up",
    "drip": "gets its answer, a 503, at a byte a second",
    "refuse": "has its connection reset, without an answer",
    "redirect": "is answered 302, to an address of the inbox that works",
}
"""The kinds, each with what a request gets."""

RETRY_AFTER: Final = 5
"""Seconds after which a client that is answered 429 may try again: short, so that a developer sees
the repetition too."""

REDIRECTED: Final = "/redirected"
"""In front of the addresses that a redirection leads to, where there are no drills."""

_PROBABILITY: Final = re.compile(r"[01]|[01]?\.[0-9]{1,9}")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Drill:
    kind: str
    probability: float = 1.0


class Drills:
    """What fails, and how often. May be changed while the inbox runs, from any thread.

    :param drills: each ``KIND`` or ``KIND:PROBABILITY``. They are tried in this order for each
        request, so that ``["429:0.3", "hang"]`` answers three in ten with 429 and leaves the others
        without an answer.
    :param seed: for the same requests to fail at each start; by default others do.
    :raises InboxError: for a malformed one; says what is accepted.
    """

    def __init__(self, drills: Iterable[str] = (), seed: int | None = None) -> None:
        self._random = random.Random(seed)
        self._lock = Lock()
        self._logged: set[str] = set()
        self.counts: Counter[str] = Counter()
        """How many requests each kind has hit since the inbox was started."""
        self.set(drills)

    def set(self, drills: Iterable[str]) -> None:
        """Replace all drills; an empty list ends them.

        :raises InboxError: as the constructor does; the drills are as before then.
        """
        found = tuple(map(read_drill, drills))
        with self._lock:
            self._drills = found
            self._logged.clear()

    def choose(self) -> str | None:
        """The kind that the next request gets, or None for an ordinary answer."""
        if not self._drills:
            return None
        with self._lock:
            for drill in self._drills:
                if self._random.random() < drill.probability:
                    self.counts[drill.kind] += 1
                    self._log_once(drill.kind)
                    return drill.kind
        return None

    def _log_once(self, kind: str) -> None:
        if kind not in self._logged:
            self._logged.add(kind)
            _log.warning(
                "Drill %s: a request to Sentry's addresses %s. What it brings is not kept. Further"
                " ones of this drill are counted and not logged.",
                kind,
                KINDS[kind],
            )


def read_drill(text: str) -> Drill:
    """Read ``KIND`` or ``KIND:PROBABILITY``.

    :raises InboxError: it is malformed.
    """
    kind, colon, probability = text.partition(":")
    if kind not in KINDS:
        raise InboxError(f"There is no drill {text!r}. The drills are: {', '.join(KINDS)}.")
    if not colon:
        return Drill(kind)
    if not _PROBABILITY.fullmatch(probability) or not 0 < float(probability) <= 1:
        raise InboxError(
            f"The drill {text!r} has no probability behind its colon: a number above 0 and up to 1,"
            f" such as {kind}:0.3"
        )
    return Drill(kind, float(probability))


class NoAnswer(Exception):  # noqa: N818 - it is no error
    """The server answers this request by none of an app's means: see ``connections.py``.

    :param kind: hang, drip or refuse.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(f"The drill {kind} needs the inbox's own server.")


class WithheldResponse(Response):
    """In place of an answer that the server withholds.

    :param kind: hang, drip or refuse.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(status=503)
        self.kind = kind

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise NoAnswer(self.kind)
