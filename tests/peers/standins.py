"""Sentrys that cannot be run here, with the answers that they were seen to give, or that their code
gives. Each keeps what that server keeps, and shows to a reader what that server shows.

Nothing in here comes from the kit: where both sides had the same error, no test would see it.
"""

from __future__ import annotations

import json
import re
import ssl
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from tests.support.certificates import Certificates
from tests.support.sentry import JSON, PUBLIC_KEY, Answer, Received, RecordingSentry

from .book import End, Look
from .names import INGEST, WEB
from .port import Port

DIALOG = Path(__file__).with_name("dialog.js")
FORM_PATH = "/api/embed/error-page/"
PROJECT = "1"
REQUIRED = "This field is required."
_MISSING = "Missing or invalid parameter."
DIALOG_WORDS = {
    "labelSubmit": "Submit",
    "labelClose": "Close",
    "successMessage": "Sent. The server thanks you.",
    "errorFormEntry": "Some fields are wrong.",
    "errorGeneric": "This could not be sent.",
}
"""What a hosted dialog says where the page does not say what."""
_OLD = 30 * 60
"""Seconds: Sentry drops a ``user_report`` about an event that is older."""


def json_answer(status: int, content: object, **headers: str) -> Answer:
    return status, {**JSON, **headers}, json.dumps(content).encode()


@dataclass
class Kept:
    """What one stand-in has kept."""

    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    beside: list[tuple[str, str]] = field(default_factory=list)
    """Event id and text of each report that the server shows beside that event."""

    def add(self, event_id: str, words: object) -> None:
        self.beside.append((event_id, json.dumps(words, ensure_ascii=False)))

    def look(self, crash_id: str) -> Look:
        def page(event_id: str) -> str:
            return json.dumps(self.events.get(event_id, ""), ensure_ascii=False)

        return Look(
            crash=page(crash_id),
            beside=tuple(text for event_id, text in self.beside if event_id == crash_id),
            others=tuple(page(one) for one in self.events if one != crash_id),
        )


def items_of(body: bytes) -> list[tuple[dict[str, Any], bytes]]:
    """The items of an envelope: https://develop.sentry.dev/sdk/data-model/envelopes/"""
    _, _, rest = body.partition(b"\n")
    found = []
    while rest.strip():
        line, _, rest = rest.partition(b"\n")
        header = json.loads(line)
        length = header.get("length", rest.find(b"\n") if b"\n" in rest else len(rest))
        found.append((header, rest[:length]))
        rest = rest[length:].removeprefix(b"\n")
    return found


def key_of(request: Received) -> str:
    """The public key that a request to a project's address names."""
    header = re.search(r"sentry_key=([^,\s]+)", request.headers.get("X-Sentry-Auth", ""))
    return header[1] if header else request.query.get("sentry_key", "")


def key_and_project(dsn: str) -> tuple[str, str]:
    parts = urlsplit(dsn)
    return parts.username or "", parts.path.rpartition("/")[2]


class SelfHosted:
    """Self-hosted Sentry from 24.4.2 on: ``/api/<project>/…`` is Relay's, the rest is the web
    server's."""

    name = "self-hosted"
    title = "self-hosted Sentry, 24.4.2 and later"
    server: str = "sentry"
    keeps = End.READ
    dialog_keeps = True
    may_have_words_twice = False
    uses = "auto"
    scheme = "http"
    host = "localhost"
    """The name in the DSN."""
    tls: ssl.SSLContext | None = None
    items: tuple[str, ...] = ("event", "user_report", "feedback")
    """What is kept of an envelope; other items are dropped, after a 200."""

    def __init__(self) -> None:
        self._port = Port(self.host)
        self.kept = Kept()
        self.running: RecordingSentry | None = None
        self.dsn = f"{self.scheme}://{PUBLIC_KEY}:hidden@{self._port.netloc}/{PROJECT}"
        self.web = f"{self.scheme}://{self._port.netloc}"
        self.origins: tuple[str, ...] = (self.web,)

    def start(self) -> None:
        self.running = RecordingSentry(self.tls, answer=self.answer, port=self._port.number)

    def stop(self) -> None:
        if self.running:
            self.running.close()
            self.running = None

    def close(self) -> None:
        self.stop()
        self._port.close()

    def fresh(self) -> None:
        self.kept = Kept()

    def look(self, crash_id: str) -> Look:
        return self.kept.look(crash_id)

    # What is behind the address

    def answer(self, request: Received) -> Answer:
        if request.path == FORM_PATH:
            return self.error_page(request)
        found = re.fullmatch(r"/api/(\w+)/(store|envelope)/", request.path)
        if not found or request.method != "POST":
            return 404, {}, b"Not Found"
        if found[2] == "store":
            return self.store(request, found[1])
        return self.envelope(request, found[1])

    def store(self, request: Received, project: str) -> Answer:
        if key_of(request) != PUBLIC_KEY:
            return json_answer(401, {"error": "Invalid api key"})
        event = request.event
        if project != PROJECT or not event:
            return json_answer(400, {"error": "Invalid project or event"})
        return json_answer(200, {"id": self.keep_event(event)})

    def keep_event(self, event: dict[str, Any]) -> str:
        event_id = str(event["event_id"]).replace("-", "")
        self.kept.events[event_id] = event
        return event_id

    def envelope(self, request: Received, project: str) -> Answer:
        if key_of(request) != PUBLIC_KEY:
            return json_answer(403, {"detail": "bad sentry DSN public key"})
        if project != PROJECT:
            return json_answer(400, {"detail": "invalid project"})
        for header, payload in items_of(request.body):
            if header["type"] in self.items:
                self.keep_item(header["type"], json.loads(payload))
        return taken_envelope(request)

    def keep_item(self, kind: str, item: dict[str, Any]) -> None:
        if kind == "event":
            self.keep_event(item)
        elif kind == "feedback":
            words = item["contexts"]["feedback"]
            if words.get("message"):
                self.kept.add(words.get("associated_event_id", ""), words)
        elif self._is_young(item["event_id"]):
            self.kept.add(item["event_id"], item)

    def _is_young(self, event_id: str) -> bool:
        """Whether a ``user_report`` about this event is kept."""
        event = self.kept.events.get(event_id)
        if event is None:
            return False
        return time.time() - _seconds(event.get("timestamp", time.time())) < _OLD

    # The dialog and its form

    def error_page(self, request: Received) -> Answer:
        query = request.query
        if not re.fullmatch(r"[0-9a-fA-F]{32}", query.get("eventId", "")):
            return json_answer(400, {"eventId": _MISSING})
        if key_and_project(query.get("dsn", "")) != (PUBLIC_KEY, PROJECT):
            return json_answer(404, {"dsn": _MISSING})
        if request.method == "POST":
            return self.take_form(query["eventId"].lower(), form_of(request))
        return self.dialog(request) if request.method == "GET" else json_answer(200, {})

    def take_form(self, event_id: str, form: dict[str, str]) -> Answer:
        missing = {name: [REQUIRED] for name in ("name", "email", "comments") if not form[name]}
        if missing:
            return json_answer(400, {"errors": missing})
        if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", form["email"]) or len(form["email"]) > 75:
            return json_answer(400, {"errors": {"email": ["Enter a valid email address."]}})
        # Words again about the same event replace the first ones.
        self.kept.beside = [one for one in self.kept.beside if one[0] != event_id]
        self.kept.add(event_id, form)
        return json_answer(200, {})

    def dialog(self, request: Received) -> Answer:
        query = request.query
        endpoint = f"{self.web}{FORM_PATH}?eventId={query['eventId']}&dsn={quote(query['dsn'])}"
        options = json.dumps({**DIALOG_WORDS, **query, "endpoint": endpoint})
        script = f"{DIALOG.read_text('utf-8').rstrip()}({options});"
        return 200, {"Content-Type": "text/javascript"}, script.encode()


class Old(SelfHosted):
    """Self-hosted Sentry before 24.4.2, or with the errors-only profile: a ``feedback`` item is an
    unknown one."""

    name = "old"
    title = "self-hosted Sentry, errors-only or before 24.4.2"
    server = ""
    items: tuple[str, ...] = ("event", "user_report")


class Redirecting(SelfHosted):
    """An ingest host as sentry.io's: it takes events and envelopes, and redirects all else to the
    web server, which is another host."""

    name = "redirecting"
    title = "a redirecting ingest host"
    web_host = "127.0.0.1"

    def __init__(self) -> None:
        super().__init__()
        self._web_port = Port(self.web_host)
        self.web = f"{self.scheme}://{self._web_port.netloc}"
        self.origins = (*self.origins, self.web)
        self._web_running: RecordingSentry | None = None

    def start(self) -> None:
        super().start()
        port = self._web_port.number
        self._web_running = RecordingSentry(self.tls, answer=super().answer, port=port)

    def stop(self) -> None:
        super().stop()
        if self._web_running:
            self._web_running.close()
            self._web_running = None

    def close(self) -> None:
        super().close()
        self._web_port.close()

    def answer(self, request: Received) -> Answer:
        if re.match(r"/api/\d+/", request.path):
            return super().answer(request)
        return 302, {"Location": self.web + request.target}, b""


class SentryIo(Redirecting):
    """The same at the names of sentry.io, by which ``auto`` knows it (``names.py``), and over TLS,
    since browsers ask these names nothing without it.

    :param folder: for the certificates.
    """

    name = "sentry.io"
    title = "sentry.io"
    scheme, host, web_host = "https", INGEST, WEB

    def __init__(self, folder: Path) -> None:
        super().__init__()
        certificates = Certificates(folder)
        self.tls = certificates.context(INGEST, WEB)
        self.dsn += f"?ca_certs={certificates.ca}"


def taken_envelope(request: Received) -> Answer:
    head = json.loads(request.body.partition(b"\n")[0])
    return json_answer(200, {"id": head["event_id"]} if "event_id" in head else {})


def form_of(request: Received) -> dict[str, str]:
    return {name: request.fields.get(name, "").strip() for name in ("name", "email", "comments")}


def _seconds(timestamp: object) -> float:
    """An event's timestamp, which is a number or an ISO date, in seconds since 1970."""
    if isinstance(timestamp, (int, float)):
        return float(timestamp)
    moment = datetime.fromisoformat(str(timestamp).replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
