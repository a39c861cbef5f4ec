"""Sends an event on to a real Sentry, when a developer presses the button for it.

The address is a DSN given when the inbox is started (``--forward-to``). No page, API or event
chooses one, and no redirect is followed: so nobody can use the inbox to reach a machine of their
choice (SSRF). The secret half of the DSN goes into the header of that one request only.
"""

from __future__ import annotations

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
        self, kept: KeptEvent, reports: Sequence[Report], attachments: Sequence[Any]
    ) -> Outcome:
        """Send an event as it was received, with its attachments and what visitors wrote.

        :param reports: the oldest first.
        :param attachments: each with a ``name``, a ``content_type`` and ``data`` in bytes.
        """
        # One at a time: an address that does not answer may hold up one thread and no more.
        if not self._busy.acquire(blocking=False):
            return Outcome(
                False, "not sent: another event is being forwarded. Try again.", time.time()
            )
        try:
            accepted, text = self._send(self._envelope(kept, reports, attachments))
        finally:
            self._busy.release()
        outcome = Outcome(accepted, text, time.time())
        with self._lock:
            self._outcomes[kept.event_id] = outcome
            self._outcomes.move_to_end(kept.event_id)
            while len(self._outcomes) > _REMEMBERED:
                self._outcomes.popitem(last=False)
        return outcome

    def _envelope(
        self, kept: KeptEvent, reports: Sequence[Report], attachments: Sequence[Any]
    ) -> bytes:
        """https://develop.sentry.dev/sdk/data-model/envelopes/"""
        parts = [json.dumps(self._dsn.envelope_header(kept.event_id)).encode()]

        def add(header: dict[str, Any], payload: bytes) -> None:
            parts.append(json.dumps({**header, "length": len(payload)}).encode())
            parts.append(payload)

        add({"type": "event", "content_type": "application/json"}, kept.json)
        for file in attachments:
            facts = {"filename": file.name, "content_type": file.content_type}
            add(
                {"type": "attachment", **{key: value for key, value in facts.items() if value}},
                file.data,
            )
        for report in reports:
            if report.feedback_id:
                add({"type": "feedback"}, json.dumps(_feedback(kept, report)).encode())
            else:
                add({"type": "user_report"}, json.dumps(_user_report(kept, report)).encode())
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
            return False, f"not sent: {_reason(error)}"
        try:
            body = answer.read(_ANSWER, decode_content=True)
        except urllib3.exceptions.HTTPError:
            body = b""
        finally:
            # Not given back: it may hold more than was read.
            answer.close()
        said = _json(body)
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
        return False, f"refused: {answer.status}{f' {why}' if why else ''}"

    def _without_secret(self, text: str) -> str:
        secret = self._dsn.secret_key
        return text.replace(secret, "…") if secret else text


def _user_report(kept: KeptEvent, report: Report) -> dict[str, str]:
    return {
        "event_id": kept.event_id,
        "name": report.name,
        "email": report.email,
        "comments": report.comments,
    }


def _feedback(kept: KeptEvent, report: Report) -> dict[str, Any]:
    said = {
        "message": report.comments,
        "associated_event_id": kept.event_id,
        "name": report.name,
        "contact_email": report.reply_to,
        "url": report.url,
    }
    return {
        "event_id": report.feedback_id,
        "timestamp": report.at,
        "platform": "other",
        "contexts": {"feedback": {name: value for name, value in said.items() if value}},
    }


def _reason(error: urllib3.exceptions.HTTPError) -> str:
    """Why there is no answer, in words, from the kind of the error alone."""
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return "the server's name is not known"
    if isinstance(error, urllib3.exceptions.ConnectTimeoutError):
        return f"the server took no connection within {_CONNECT:.0f} s"
    if isinstance(error, urllib3.exceptions.ReadTimeoutError):
        return f"the server did not answer within {_READ:.0f} s"
    if isinstance(error, urllib3.exceptions.SSLError):
        return "the server's certificate or TLS was not accepted"
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        return "the server takes no connections"
    return "the connection broke before there was an answer"


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
