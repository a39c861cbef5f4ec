"""Sends an event on to a real Sentry, when a developer presses the button for it.

The address is a DSN given when the inbox is started (``--forward-to``). No page, API or event
chooses one, and no redirect is followed: so nobody can use the inbox to reach a machine of their
choice (SSRF). The secret half of the DSN goes into the header of that one request only.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

import urllib3

from ...dsn import AUTH_HEADER, Dsn, DsnError
from ..errors import InboxError
from ..storage.attachment_table import Attachment
from ..storage.records import KeptEvent, Report

_CLIENT: Final = "flask-sentry-kit-inbox"

# Seconds for the connection, for each wait of the answer, and for the answer's body.
_CONNECT: Final = 5.0
_READ: Final = 15.0
_ANSWER: Final = 64 * 1024
_REASON: Final = 300
_REMEMBERED: Final = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of forwarding an event."""

    accepted: bool
    text: str
    """In one line; never holds the DSN's secret."""
    at: float


class Forwarder:
    """Sends events to one DSN.

    :param dsn: with the secret half, if the server is so old that it asks for it.
    :raises InboxError: it is no DSN; says what is accepted, and shows no secret.
    """

    def __init__(self, dsn: str) -> None:
        try:
            self._dsn = Dsn.parse(dsn, "--forward-to")
        except DsnError as error:
            raise InboxError(f"{error}.") from None
        self.host = self._dsn.host
        self._http = urllib3.PoolManager(
            cert_reqs="CERT_REQUIRED",
            retries=False,
            timeout=urllib3.Timeout(connect=_CONNECT, read=_READ),
        )
        self._outcomes: OrderedDict[str, Outcome] = OrderedDict()
        self._lock = Lock()
        self._busy = Lock()

    def outcome_of(self, event_id: str) -> Outcome | None:
        """What came of the last time that this event was forwarded since the start."""
        with self._lock:
            return self._outcomes.get(event_id)

    def forward(
        self, kept: KeptEvent, reports: Sequence[Report], attachments: Sequence[Attachment]
    ) -> Outcome:
        """Send an event as it was received, with its attachments and what visitors wrote.

        :param reports: the oldest first.
        """
        # One at a time: an address that does not answer may hold up one thread and no more.
        if not self._busy.acquire(blocking=False):
            return Outcome(False, "another event is being forwarded. Try again.", time.time())
        try:
            accepted, text = self._send_all(kept, reports, attachments)
        finally:
            self._busy.release()
        outcome = Outcome(accepted, text, time.time())
        with self._lock:
            self._outcomes[kept.event_id] = outcome
            self._outcomes.move_to_end(kept.event_id)
            while len(self._outcomes) > _REMEMBERED:
                self._outcomes.popitem(last=False)
        return outcome

    def _send_all(
        self, kept: KeptEvent, reports: Sequence[Report], attachments: Sequence[Attachment]
    ) -> tuple[bool, str]:
        items: list[tuple[dict[str, Any], bytes]] = [
            ({"type": "event", "content_type": "application/json"}, kept.json)
        ]
        for file in attachments:
            facts = {"filename": file.name or "attachment", "content_type": file.content_type}
            items.append(({"type": "attachment", **facts}, file.data))
        accepted, text = self._send(self._envelope(kept.event_id, items))
        for report in reports if accepted else ():
            # One envelope for each: it may hold one event, and a feedback item counts as one.
            own_id, item = _feedback(kept, report)
            passed, said = self._send(self._envelope(own_id, [({"type": "feedback"}, item)]))
            if not passed:
                return True, f"{text}, but not what visitors wrote: {said}"
        return accepted, text

    def _envelope(self, event_id: str, items: Sequence[tuple[dict[str, Any], bytes]]) -> bytes:
        """https://develop.sentry.dev/sdk/data-model/envelopes/"""
        parts = [_json_of(self._dsn.envelope_header(event_id))]
        for header, payload in items:
            parts += [_json_of({**header, "length": len(payload)}), payload]
        return b"\n".join([*parts, b""])

    def _send(self, envelope: bytes) -> tuple[bool, str]:
        headers = {
            "Content-Type": "application/x-sentry-envelope",
            "User-Agent": _CLIENT,
            AUTH_HEADER: self._dsn.auth_header(_CLIENT, with_secret=True),
        }
        try:
            answer = self._http.request(
                "POST",
                self._dsn.envelope_url,
                body=envelope,
                headers=headers,
                redirect=False,
                preload_content=False,
            )
        except urllib3.exceptions.HTTPError as error:
            return False, _reason(error)
        try:
            body = answer.read(_ANSWER, decode_content=True)
        except urllib3.exceptions.HTTPError:
            body = b""
        finally:
            # Not given back: it may hold more than was read.
            answer.close()
        said = _read_json(body)
        if answer.status == 200:
            found = said.get("id")
            event_id = (
                found if isinstance(found, str) and re.fullmatch(r"[\w-]{1,64}", found) else ""
            )
            return True, f"accepted as {event_id}" if event_id else "accepted"
        if 300 <= answer.status < 400:
            return False, f"refused: {answer.status}, a redirect, which is not followed"
        why = answer.headers.get("X-Sentry-Error") or said.get("detail") or said.get("error") or ""
        why = self._without_secret(" ".join(str(why).split()))[:_REASON]
        wait = answer.headers.get("Retry-After", "")
        if answer.status == 429 and wait.isascii() and wait.isdigit():
            why = f"{why}, try again in {int(wait):,} s".lstrip(", ")
        why = why or http.client.responses.get(answer.status, "")
        return False, f"refused: {answer.status} {why}".rstrip()

    def _without_secret(self, text: str) -> str:
        secret = self._dsn.secret_key
        return text.replace(secret, "…") if secret else text


def _feedback(kept: KeptEvent, report: Report) -> tuple[str, bytes]:
    """The id and the JSON of a ``feedback`` item, version 1.3.0 of its specification. The id is the
    same each time, so that a server keeps the words once."""
    whole = f"{kept.event_id}\0{report.id}\0{report.comments}"
    own_id = report.feedback_id or hashlib.sha256(whole.encode()).hexdigest()[:32]
    said = {
        "message": report.comments,
        "associated_event_id": kept.event_id,
        "name": report.name,
        "contact_email": report.reply_to,
        "url": report.url,
    }
    item = {
        "event_id": own_id,
        "timestamp": report.at,
        "platform": "other",
        "level": "info",
        "contexts": {"feedback": {name: value for name, value in said.items() if value}},
    }
    return own_id, _json_of(item)


def _reason(error: urllib3.exceptions.HTTPError) -> str:
    """Why there is no answer, in words, from the kind of the error alone."""
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return "the server's name is not known"
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        return "the server takes no connections"
    if isinstance(error, urllib3.exceptions.ConnectTimeoutError):
        return f"the server took no connection within {_CONNECT:.0f} s"
    if isinstance(error, urllib3.exceptions.ReadTimeoutError):
        return f"the server did not answer within {_READ:.0f} s"
    if isinstance(error, urllib3.exceptions.SSLError):
        return "the server's certificate or TLS was not accepted"
    return "the connection broke before there was an answer"


def _json_of(value: object) -> bytes:
    return json.dumps(value).encode()


def _read_json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
