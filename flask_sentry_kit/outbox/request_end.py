"""Delivery before a request ends, for a server whose threads run only while a request does.

uWSGI before 2.0.27 keeps Python's lock while it waits for the next request, unless
``--enable-threads`` is given or an option switches it on (``--threads``, ``--gevent``). Debian 12
ships 2.0.21. With every other server this module does nothing.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import Final

from .delivery import REQUEST_WAIT, running

logger = logging.getLogger("flask_sentry_kit.outbox")

ATTEMPT_TIMEOUT: Final = 60.0
"""Seconds for one attempt, which goes on in several requests. nginx closes a connection on which
nothing comes after as many (``client_header_timeout``)."""

_LINE: Final = (
    "This uWSGI (%s) runs Python's threads only while a request does. What is queued is sent before"
    " the request ends that queued it, for at most %s seconds; the rest waits for later requests."
    " To have it sent at once, set enable-threads = true in uWSGI's configuration, or use uWSGI"
    " 2.0.27 or later."
)

_logged: Final[set[str]] = set()
_requests: Final[list[None]] = []
# One entry for each request that is running: there are several with uWSGI's --async.


def threads_stop() -> bool:
    """Whether this process's threads stop between requests.

    ``has_threads`` of uWSGI's own module says so: seen as 0 in 2.0.21 and 2.0.26 without
    ``--enable-threads``, and as 1 with it, with ``--threads``, with ``--gevent`` and in 2.0.30.
    """
    return getattr(sys.modules.get("uwsgi"), "has_threads", 1) == 0


def prepare() -> None:
    """Where threads stop, log it once for each process and load what delivers, so that no request
    waits for that. To be called when an app is registered that sends its events."""
    if not threads_stop() or _logged:
        return
    version = getattr(sys.modules["uwsgi"], "version", b"")
    _logged.add("threads stop")
    logger.warning(_LINE, version.decode(errors="replace"), REQUEST_WAIT)
    from . import http_client  # noqa: F401  # urllib3 and ssl


def begin() -> None:
    """A request begins, at whose end ``finish`` is called."""
    _requests.append(None)


def expected() -> bool:
    """Whether a request is running at whose end ``finish`` is called."""
    return bool(_requests)


def finish() -> None:
    """The request ends: deliver what can be delivered now, for at most ``REQUEST_WAIT`` seconds."""
    if _requests:
        _requests.pop()
    if not running:
        return
    deadline = time.monotonic() + REQUEST_WAIT
    pid = os.getpid()
    for worker in list(running):
        if worker.pid == pid:
            worker.deliver_now(deadline)
