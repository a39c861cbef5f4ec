"""GlitchTip, which cannot be run here: two stand-ins, made as those of Sentry are."""

from __future__ import annotations

import json
import re
import time
from typing import Any
from urllib.parse import parse_qs

from tests.support.sentry import PUBLIC_KEY, Answer, Received

from .book import End
from .standins import (
    PROJECT,
    REQUIRED,
    SelfHosted,
    form_of,
    items_of,
    json_answer,
    key_and_project,
    key_of,
    taken_envelope,
)


class GlitchTip5(SelfHosted):
    """GlitchTip 5.2, as it was run: the form's words are shown with issue and event."""

    name = "glitchtip5"
    title = "GlitchTip 5"
    server = "glitchtip"
    may_have_words_twice = True
    items: tuple[str, ...] = ("event",)
    ends_at: tuple[str, ...] = ("feedback", "user_report")
    """Of an envelope, what is behind such an item is dropped as well."""
    links_forms = True

    def __init__(self) -> None:
        super().__init__()
        self.throttled = False
        self._first: set[str] = set()
        self._blocked_until = 0.0

    def fresh(self) -> None:
        super().fresh()
        self._first = set()

    def _refuses(self, request: Received) -> bool:
        """Whether the key is wrong, or was within the last 30 seconds: then no key is good."""
        now = time.monotonic()
        if key_of(request) != PUBLIC_KEY:
            self._blocked_until = now + 30
        return now < self._blocked_until

    def _throttle(self) -> Answer | None:
        return (429, {"Retry-After": "600"}, b"Too Many Requests") if self.throttled else None

    def store(self, request: Received, project: str) -> Answer:
        if self._refuses(request):
            return json_answer(401, {"detail": "Unauthorized"})
        if answer := self._throttle():
            return answer
        event = request.event
        if not event:
            return json_answer(422, {"detail": [{"msg": "Field required"}]})
        return json_answer(200, {"event_id": self.keep_event(event)})

    def envelope(self, request: Received, project: str) -> Answer:
        if self._refuses(request):
            return json_answer(403, {"detail": "Denied"})
        if answer := self._throttle():
            return answer
        for header, payload in items_of(request.body):
            if header["type"] in self.ends_at:
                break
            if header["type"] in self.items:
                self.keep_item(header["type"], json.loads(payload))
        return taken_envelope(request)

    def error_page(self, request: Received) -> Answer:
        key, project = key_and_project(request.query.get("dsn", ""))
        if not re.fullmatch(r"\w+", key) or not project.isdigit():
            return json_answer(401, {"detail": "Unauthorized"})
        if (key, project) != (PUBLIC_KEY, PROJECT):
            return 500, {"Content-Type": "text/html"}, b"Server Error (500)"
        if "eventId" not in request.query:
            return json_answer(422, {"detail": [{"msg": "Field required"}]})
        if request.method == "POST":
            sent = parse_qs(request.body.decode(), keep_blank_values=True)
            if not {"name", "email", "comments"} <= sent.keys():
                return json_answer(422, {"detail": [{"msg": "Field required"}]})
            return self.take_form(request.query["eventId"], form_of(request))
        return self.dialog(request)

    def take_form(self, event_id: str, form: dict[str, str]) -> Answer:
        missing = {name: [REQUIRED] for name in form if not form[name]}
        if missing:
            return json_answer(400, {"errors": missing})
        self.keep_words(event_id, form, linked=self.links_forms and event_id in self.kept.events)
        return 200, {"Content-Type": "text/html"}, b""

    def keep_words(self, event_id: str, words: dict[str, Any], *, linked: bool) -> None:
        """One report an event: the first one stays. One that is linked to no issue is shown to
        nobody."""
        if event_id not in self._first:
            self._first.add(event_id)
            if linked:
                self.kept.add(event_id, words)


class GlitchTip6(GlitchTip5):
    """GlitchTip 6, as its public code is read; it was not run. A ``feedback`` item is linked to its
    issue by the id that the client gave. The form looks for that id among ids that the server
    gives, so that its words, those of its own dialog too, are linked to nothing."""

    name = "glitchtip6"
    title = "GlitchTip 6"
    dialog_keeps = False
    keeps = End.KEPT
    items = ("event", "user_report", "feedback")
    ends_at = ()
    links_forms = False

    def keep_item(self, kind: str, item: dict[str, Any]) -> None:
        if kind == "event":
            self.keep_event(item)
            return
        words = item["contexts"]["feedback"] if kind == "feedback" else item
        about = words.get("associated_event_id" if kind == "feedback" else "event_id") or ""
        self.keep_words(about, words, linked=about in self.kept.events)


class GlitchTip6Named(GlitchTip6):
    """The same with its own value of ``SENTRY_KIT_SERVER`` in every row."""

    name = "glitchtip6-named"
    title = 'GlitchTip 6, `"glitchtip"`'
    server = ""
    uses = "glitchtip"
    dialog_keeps = True  # it is never shown there
    keeps = End.READ
