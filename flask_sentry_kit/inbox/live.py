"""The stream of changes, as server-sent events (HTML, "Server-sent events").

docs/inbox-api.md describes it. Its answers, and those that wait for something, have threads of
their own (``server/lanes.py``), so that both are bounded here.
"""

from __future__ import annotations

import json
import re
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from flask import Blueprint, Response, current_app, request
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import BadRequest, ServiceUnavailable

from .api_facts import Facts, crash_facts
from .arguments import only_arguments
from .errors import InboxError
from .project import current_project
from .storage.changes import Change, LiveChanges
from .storage.store import Store

bp = Blueprint("live", __name__, url_prefix="/api/v1")

MOST_STREAMS: Final = 64
MOST_WAITS: Final = 15
"""Streams, and answers that wait, at a time: together one less than there are threads for them, so
that a further one is refused at once."""

LOOK: Final = 1.0
"""Seconds between two looks whether a client that is kept waiting is still there."""

# The specification's own advice, so that nothing in between takes the connection for dead.
_COMMENT: Final = 15.0

# Seconds in which changes are gathered. A page that reads itself again does so once.
_GATHER: Final = 0.1

_FRAMES: Final = 1_000
_RETRY: Final = 5


class Places:
    """A bounded number of clients that are kept waiting."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self.taken = 0

    def take(self, what: str) -> None:
        """
        :raises ServiceUnavailable: all are taken.
        """
        with self._lock:
            if self.taken == self._most:
                raise ServiceUnavailable(
                    f"There are {self._most} {what} already, which is the most.",
                    retry_after=_RETRY,
                )
            self.taken += 1

    def give(self) -> None:
        with self._lock:
            self.taken -= 1

    @contextmanager
    def one(self, what: str) -> Iterator[None]:
        """Take a place for a while.

        :raises ServiceUnavailable: all are taken.
        """
        self.take(what)
        try:
            yield
        finally:
            self.give()


class Frames:
    """The changes as the stream sends them, made once for all streams."""

    def __init__(self) -> None:
        self._made: OrderedDict[int, bytes] = OrderedDict()
        self._making = threading.Lock()

    def of(self, changes: list[Change], store: Store) -> bytes:
        rows: dict[str, Facts | None] = {}
        with self._making:
            return b"".join(self._frame(change, store, rows) for change in changes)

    def _frame(self, change: Change, store: Store, rows: dict[str, Facts | None]) -> bytes:
        if (made := self._made.get(change.number)) is not None:
            return made
        if change.crash not in rows:
            rows[change.crash] = _row(store, change.crash)
        made = frame(change.kind, change.number, {**asdict(change), "row": rows[change.crash]})
        self._made[change.number] = made
        if len(self._made) > _FRAMES:
            self._made.popitem(last=False)
        return made


@dataclass(frozen=True, slots=True)
class Waiting:
    """Who is kept waiting by one inbox."""

    streams: Places = field(default_factory=lambda: Places(MOST_STREAMS))
    waits: Places = field(default_factory=lambda: Places(MOST_WAITS))
    frames: Frames = field(default_factory=Frames)


def _prepare(state: BlueprintSetupState) -> None:
    state.app.extensions["sentry_kit_inbox_waiting"] = Waiting()


bp.record(_prepare)


def current_places() -> Waiting:
    found: Waiting = current_app.extensions["sentry_kit_inbox_waiting"]
    return found


@bp.get("/stream")
def stream() -> Response:
    """All changes from now on, or after the one that Last-Event-ID or ``?after=`` names."""
    only_arguments("after")
    store = current_project().store
    after = _known(store.live)
    if request.method == "HEAD":
        return Response(mimetype="text/event-stream")
    waiting = current_places()
    waiting.streams.take("streams")
    # A proxy such as nginx would hold back what it is sent.
    response = Response(
        _send(store, waiting.frames, after, request.environ),
        mimetype="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )
    response.call_on_close(waiting.streams.give)
    return response


def frame(kind: str, number: int, facts: Facts) -> bytes:
    """One event of the stream. JSON has no line breaks, which would end its line."""
    return f"event: {kind}\nid: {number}\ndata: {json.dumps(facts)}\n\n".encode()


def is_gone(environ: Mapping[str, Any]) -> bool:
    """Whether the client has closed the connection, as far as the server says."""
    ask = environ.get("waitress.client_disconnected")
    return bool(ask and ask())


def _known(live: LiveChanges) -> int:
    """The number of the last change that the client knows.

    A browser that resumes still has the ``after`` of its first request in the address.
    """
    resumed = request.headers.get("Last-Event-ID", "")
    text = resumed if resumed else request.args.get("after")
    if text is None:
        return live.last
    if not re.fullmatch(r"[0-9]{1,18}", text):
        if resumed:
            return -1
        raise BadRequest("after is the number of a change, such as 42.")
    return int(text)


def _send(store: Store, frames: Frames, after: int, environ: Mapping[str, Any]) -> Iterator[bytes]:
    live = store.live
    # Its id is where a client resumes that was interrupted before the first change.
    yield f"retry: 1000\nid: {after}\n\n".encode() if after >= 0 else b"retry: 1000\n\n"
    said = time.monotonic()
    while not live.closed and not is_gone(environ):
        last = live.last
        changes = live.wait(after, LOOK)
        if changes is None:
            after = last
            yield frame("reset", after, {"number": after})
        elif changes:
            after = changes[-1].number
            yield frames.of(changes, store)
        elif time.monotonic() - said < _COMMENT:
            continue
        else:
            yield b":\n\n"
        said = time.monotonic()
        if changes != []:
            time.sleep(_GATHER)


def _row(store: Store, key: str) -> Facts | None:
    """The crash in short; None if it is not here, or the file cannot be read now."""
    try:
        found = store.crash(key) if key else None
    except (sqlite3.Error, InboxError):
        return None
    return crash_facts(found) if found else None
