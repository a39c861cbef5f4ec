"""The crash page as a visitor without JavaScript sees and uses it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any, Final, NamedTuple
from urllib.parse import urljoin, urlsplit

from flask import Flask
from werkzeug.test import Client, TestResponse

_FORM: Final = "sentry-kit-feedback"
_OF_THE_KIT: Final = re.compile(r"sentry-kit-|showReportDialog|/crash\.css\b")
_DIALOG: Final = "showReportDialog("
_HTML: Final = "text/html"
_UNSEEN: Final = frozenset(("script", "style", "title"))


class Origin(NamedTuple):
    """Where a page came from."""

    app: Flask
    root_path: str
    """The path that the app is mounted at."""


class FormRefused(AssertionError):
    """The form was sent and not taken."""

    def __init__(self, message: str, answer: TestResponse) -> None:
        super().__init__(message)
        self.answer = answer
        """What the visitor sees."""


class SeenPage:
    """The kit's page in one answer.

    :param answer: the answer to the request that crashed.
    :param origins: the app that answered each event.
    :raises AssertionError: the answer is not the kit's page.
    """

    def __init__(self, answer: Any, origins: Mapping[str, Origin]) -> None:
        __tracebackhide__ = True
        status, kind = int(answer.status_code), str(answer.headers.get("Content-Type", ""))
        kind = kind.partition(";")[0].strip()
        expected = "The crash page was expected, which is a 500 of text/html; the answer is"
        if status != 500 or kind != _HTML:
            hint = ""
            if status == 500 and kind:
                hint = ". Ask as a browser does: headers={'Accept': 'text/html'}"
            elif "Location" in answer.headers:
                hint = f", and leads to {answer.headers['Location']}"
            raise AssertionError(f"{expected} {status} {kind or 'without a type'}{hint}")
        html = str(answer.text)
        self.event_id: str | None = answer.headers.get("X-Sentry-ID")
        """The reference: the id of the event, 32 hexadecimal digits; None without an event."""
        if not _OF_THE_KIT.search(html) and (self.event_id or "no id") not in html:
            raise AssertionError(
                f"{expected} a page without anything of the kit. Has the app the kit? A page of its"
                " own shows reference, form and dialog with {{ sentry_crash() }}"
            )
        read = _Reader()
        read.feed(html)
        read.close()
        self.text = " ".join("".join(read.text).split())
        """What is to be read on it."""
        self.fields: dict[str, str] | None = read.fields
        """The fields of its form with what stands in them, or None if there is no form."""
        self.dialog = _options_of_dialog(html)
        """The options of Sentry's dialog, ``eventId``, ``dsn`` and so on; None if it is not
        opened."""
        self._action = read.action
        self._request = getattr(answer, "request", None)
        self._address = str(getattr(answer, "url", None) or getattr(self._request, "url", ""))
        self._origin = None if self.event_id is None else origins.get(self.event_id)

    def __repr__(self) -> str:
        return f"<SeenPage {self.event_id}: {self.text[:60]}>"

    def write(
        self, comments: str, *, name: str | None = None, email: str | None = None
    ) -> TestResponse:
        """Fill in the form and send it, as a browser without JavaScript does.

        :param name: None leaves what stands in the field; so does ``email``.
        :return: the page that thanks.
        :raises FormRefused: the form was not taken; the text has what the visitor reads.
        :raises AssertionError: there is no form.
        """
        __tracebackhide__ = True
        if self.fields is None:
            raise AssertionError(
                "The page has no form. It has one if the app has a SECRET_KEY, SENTRY_KIT_FEEDBACK"
                " is not False, and a page of the app's own prints {{ sentry_crash() }} or"
                " {{ sentry_crash_form() }}"
            )
        given = {"comments": comments, "name": name, "email": email}
        typed = {key: value for key, value in given.items() if value is not None}
        answer = self._send(self._action, {**self.fields, **typed})
        if answer.status_code != 303:
            read = _Reader()
            read.feed(answer.text)
            said = " ".join("".join(read.alert).split()) or f"{answer.text[:200]}"
            raise FormRefused(f"The form was answered with {answer.status_code}: {said}", answer)
        return self._send(answer.headers["Location"])

    def _send(self, address: str, data: dict[str, str] | None = None) -> TestResponse:
        if self._origin is None:
            raise AssertionError("The page was not made in this process: send its form over HTTP")
        app, root = self._origin
        url = urlsplit(urljoin(self._address, address))
        origin = f"{url.scheme}://{url.netloc}"
        headers = {
            "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
            "Referer": self._address,
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Site": "same-origin",
        }
        if data is not None:
            headers["Origin"] = origin
        environ = getattr(self._request, "environ", {})
        kept = ("HTTP_COOKIE", "HTTP_ACCEPT_LANGUAGE", "HTTP_USER_AGENT", "REMOTE_ADDR")
        return Client(app, app.response_class, use_cookies=False).open(
            url.path.removeprefix(root),
            base_url=f"{origin}{root}/",
            method="GET" if data is None else "POST",
            data=data,
            headers=headers,
            environ_overrides={name: environ[name] for name in kept if name in environ},
        )


class _Reader(HTMLParser):
    """Reads the visible text and the kit's form."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.alert: list[str] = []
        self.fields: dict[str, str] | None = None
        self.action = ""
        self._open: list[tuple[str, bool, bool]] = []
        self._in_form = False
        self._area: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and given.get("id") == _FORM:
            self._in_form, self.action, self.fields = True, given.get("action", ""), {}
        elif tag == "input" and self._in_form and self.fields is not None and given.get("name"):
            self.fields[given["name"]] = given.get("value", "")
        elif tag == "textarea" and self._in_form and self.fields is not None:
            self._area = given.get("name", "")
            self.fields[self._area] = ""
        if tag in _CLOSED:
            self._open.append((tag, "hidden" in given, given.get("role") == "alert"))

    def handle_data(self, data: str) -> None:
        if self._area is not None and self.fields is not None:
            # A line end behind the tag is not part of it.
            self.fields[self._area] += data.removeprefix("\n")
            return
        if not any(tag in _UNSEEN or is_hidden for tag, is_hidden, _ in self._open):
            self.text.append(f"{data} ")
        if any(is_alert for _, _, is_alert in self._open):
            self.alert.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._in_form = False
        elif tag == "textarea":
            self._area = None
        if tag in _CLOSED:
            while self._open and self._open.pop()[0] != tag:
                pass


_CLOSED: Final = _UNSEEN | {"p", "div", "span"}
"""Elements whose end matters here."""


def _options_of_dialog(html: str) -> dict[str, Any] | None:
    at = html.find(_DIALOG + "{")
    if at < 0:
        return None
    options: dict[str, Any] = json.JSONDecoder().raw_decode(html, at + len(_DIALOG))[0]
    return options
