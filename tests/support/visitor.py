"""What a browser without JavaScript does with a page and its form."""

from __future__ import annotations

import html
import http.client
import json as stdlib_json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from .sentry import RecordingSentry

WORDS = "I pressed “Pay” twice.\nThen this."


@dataclass
class Answer:
    """One answer of the app."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def typed(self) -> dict[str, str]:
        """What stands in the form of the page."""
        words = re.search(r"<textarea[^>]*>\n?(.*?)</textarea>", self.text, re.S)
        found = {"comments": html.unescape(words[1])} if words else {}
        for name in ("name", "email", "token"):
            field = re.search(rf'<input[^>]*\bname="{name}"[^>]*>', self.text)
            value = re.search(r'value="([^"]*)"', field[0]) if field else None
            found[name] = html.unescape(value[1]) if value else ""
        return found


@dataclass
class Visitor:
    """A visitor of one app, with no JavaScript and no cookies."""

    base: str

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        where = urlsplit(self.base)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
        try:
            headers = {"Accept": "text/html", **(headers or {})}
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read().decode())
        finally:
            connection.close()

    def crash(self, path: str = "/boom") -> Answer:
        return self.request("GET", path)

    def form_of(self, page: Answer) -> tuple[str, dict[str, str]]:
        """Where the page's form goes, and the fields it has."""
        action = re.search(r'<form id="sentry-kit-feedback"[^>]* action="([^"]+)"', page.text)
        assert action, "the page has no form"
        return html.unescape(action[1]), page.typed

    def send(
        self,
        page: Answer,
        json: bool = False,
        headers: dict[str, str] | None = None,
        **fields: str,
    ) -> Answer:
        """Fill in the page's form and press Send."""
        action, typed = self.form_of(page)
        headers = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        if json:
            headers["Accept"] = "application/json"
        body = urlencode({**typed, "website": "", **fields}).encode()
        return self.request("POST", action, body, headers)

    def follow(self, answer: Answer) -> Answer:
        assert answer.status == 303, answer
        return self.request("GET", urlsplit(answer.headers["Location"]).path)


def crash_and_send(visitor: Visitor, sentry: RecordingSentry) -> tuple[str, list[str]]:
    """The outcome on the page after a crash and ``WORDS``, and the addresses they went to."""
    known = len(sentry.received)
    page = visitor.crash()
    # The crash's own event comes first.
    sentry.wait(lambda: len(sentry.received) > known)
    before = len(sentry.received)
    outcome = stdlib_json.loads(visitor.send(page, json=True, comments=WORDS).text)["outcome"]
    return outcome, [request.path.split("/")[-2] for request in sentry.received[before:]]
