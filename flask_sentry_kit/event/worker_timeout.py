"""The event of a worker that gunicorn's arbiter ends, because a request took too long.

The arbiter sends it SIGABRT, for which gunicorn's handler raises ``SystemExit: 1`` in the middle of
the app's code. That says nothing to a reader, so the event says what it was.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

from ..compat import GUNICORN_ABORTS, gunicorn_aborted

TYPE: Final = "WorkerTimeout"
_VALUE: Final = "worker time-out: gunicorn ended this worker, which had not answered"


def is_worker_timeout(error: BaseException) -> bool:
    """Whether an exception is how gunicorn's arbiter ends a worker that takes too long."""
    return gunicorn_aborted(error) is not None


def describe(value: MutableMapping[str, Any], error: BaseException) -> None:
    """Change the exception in an event so that it says what happened. Its stack ends where the
    worker was, without gunicorn's handler."""
    seconds = (gunicorn_aborted(error) or (None,))[0]
    known = isinstance(seconds, int | float)
    value["type"] = TYPE
    value["module"] = "gunicorn"
    value["value"] = f"{_VALUE} for {seconds:g} s" if known else f"{_VALUE} for too long"
    frames = value.get("stacktrace", {}).get("frames", [])
    names = [(frame.get("module"), frame.get("function")) for frame in frames]
    if GUNICORN_ABORTS in names:
        del frames[names.index(GUNICORN_ABORTS) :]


def group(event: MutableMapping[str, Any]) -> None:
    """Group these events by route, unless the app groups them: where exactly a slow view was is
    different each time."""
    if "transaction" in event:
        event.setdefault("fingerprint", ["worker time-out", event["transaction"]])
