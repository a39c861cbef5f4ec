"""By which of a server's two addresses events go: ``/store/``, or as envelopes where it is missing.

Old servers have ``/store/`` alone, Spotlight has ``/envelope/`` alone. An event is queued as the
request for ``/store/`` and made an envelope when it is sent, so that nothing is queued twice.
https://develop.sentry.dev/sdk/foundations/transport/envelopes/
"""

from __future__ import annotations

import json
import zlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from typing import Final

from ..dsn import envelope_url_of
from .delivery_log import logger
from .item import NO_CONTENT, Answer, Request, origin_of

ADDRESSES_MAX: Final = 100
"""Addresses that are remembered. An outbox sends to one, a spool that apps share to a few."""

UNPACKED_MAX: Final = 32 * 2**20
"""Bytes. No server takes an event of more than 1 MB."""

Post = Callable[[Request], Answer]


class Roads:
    """What one process knows about the servers' addresses. ``post`` is for one thread.

    :param envelopes: whether events go as envelopes until a server has no address for those.
    """

    def __init__(self, envelopes: bool = False) -> None:
        self._envelopes = envelopes
        self._known: OrderedDict[str, bool] = OrderedDict()
        self._glitchtips: OrderedDict[str, None] = OrderedDict()

    def is_glitchtip(self, url: str) -> bool:
        """Whether the server at this address has answered an event, or a form of a visitor's words,
        as GlitchTip answers."""
        return origin_of(url) in self._glitchtips

    def post(self, request: Request, post: Post) -> Answer:
        """Send an event to the address that its server has: two attempts where that is not known.

        :param request: for ``/store/``; any other one is sent as it is.
        :param post: makes one attempt.
        """
        url = request.url
        if envelope_url_of(url) is None:
            answer = post(request.packed())
            if request.name == "form" and answer.status == NO_CONTENT:
                self._note_glitchtip(url)
            return answer
        first: Answer | None = None
        if self._known.get(url, self._envelopes):
            envelope = as_envelope(request)
            if envelope is not None:
                first = post(envelope.packed())
                if first.status != 404:
                    return first
                self._note(url, False)
        answer = post(request.packed())
        if _is_from_glitchtip(answer):
            self._note_glitchtip(url)
        if answer.status != 404 or first is not None:
            return answer
        envelope = as_envelope(request)
        if envelope is None:
            return answer
        second = post(envelope.packed())
        if 200 <= second.status < 300:
            self._note(url, True)
        return answer if second.status == 404 else second

    def _note_glitchtip(self, url: str) -> None:
        origin = origin_of(url)
        if origin in self._glitchtips:
            return
        self._glitchtips[origin] = None
        if len(self._glitchtips) > ADDRESSES_MAX:
            self._glitchtips.popitem(last=False)
        logger.warning(
            "The server at %s answers as GlitchTip does, which shows nobody what is written in its"
            " own crash dialog (version 6): from now on crash pages of this process are without it,"
            " and have the page's form. Set SENTRY_KIT_SERVER = 'glitchtip', so that the first page"
            " is as well",
            origin,
        )

    def _note(self, url: str, envelopes: bool) -> None:
        self._known[url] = envelopes
        if len(self._known) > ADDRESSES_MAX:
            self._known.popitem(last=False)


def _is_from_glitchtip(answer: Answer) -> bool:
    """GlitchTip 5 and 6 answer ``/store/`` with ``{"event_id": …}``, all others with ``{"id": …}``.
    Seen on 5.2."""
    if not (200 <= answer.status < 300 and answer.body.startswith(b'{"event_id"')):
        return False
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and "id" not in said


def as_envelope(request: Request) -> Request | None:
    """The event of a request for ``/store/`` as an envelope of its own.

    :returns: None if the body cannot be read: an app's own client may have encoded it.
    """
    url, event = envelope_url_of(request.url), _unpacked(request)
    if url is None or event is None:
        return None
    try:
        event_id = json.loads(event).get("event_id")
    except (ValueError, AttributeError, RecursionError):
        return None
    header = {"sent_at": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")}
    if isinstance(event_id, str):
        # A server gives an event without one in its header a new id.
        header["event_id"] = event_id
    item = {"type": "event", "length": len(event), "content_type": "application/json"}
    body = b"\n".join((json.dumps(header).encode(), json.dumps(item).encode(), event, b""))
    headers = {
        name: value
        for name, value in request.headers.items()
        if name.lower() not in ("content-type", "content-encoding")
    }
    headers["Content-Type"] = "application/x-sentry-envelope"
    return replace(request, url=url, headers=headers, body=body)


def _unpacked(request: Request) -> bytes | None:
    encodings = [
        value.strip().lower()
        for name, value in request.headers.items()
        if name.lower() == "content-encoding"
    ]
    if not encodings:
        return request.body
    if encodings not in (["gzip"], ["deflate"]):
        return None
    # With 32 zlib itself sees from the first bytes whether it is gzip or zlib.
    unpack = zlib.decompressobj(wbits=32 + zlib.MAX_WBITS)
    try:
        body = unpack.decompress(request.body, UNPACKED_MAX)
    except zlib.error:
        return None
    return body if unpack.eof else None
