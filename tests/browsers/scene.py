"""What is played on: an app that crashes, and an inbox on another host name."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlencode
from urllib.request import urlopen

from flask import Flask

from flask_sentry_kit import SentryKit
from tests.matrix.shop import Quiet, add_header, make_shop
from tests.matrix.stage import Sentry
from tests.matrix.visitor import Words
from tests.support.serving import serving

from .book import until


class Scene:
    """One play's world."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._stack = stack
        self.sentry = Sentry(folder, stack)
        self.sentry.insists = False
        stack.callback(self.sentry.stop)

    def serve(self, app: Any) -> str:
        """Serve a WSGI app; returns its address without a slash."""
        served = serving(app, request_handler=Quiet)
        return f"http://127.0.0.1:{self._stack.enter_context(served)}"

    def crash(self, mark: str, **how: Any) -> str:
        """The address of a page that crashes, with Sentry there; keywords are ``shop``'s."""
        self.sentry.start()
        return self.shop(self.sentry.dsn, mark, **how)

    def shop(
        self,
        dsn: str,
        mark: str,
        *,
        form_alone: bool = False,
        headers: Mapping[str, str] = MappingProxyType({}),
        language: str = "en",
    ) -> str:
        """The address of a page that crashes, with whichever Sentry is at a DSN.

        :param mark: the exception's text.
        :param form_alone: without the dialog.
        :param headers: what the app adds to each answer.
        :param language: which the visitor's browser asks for.
        """
        app = make_shop("kit, form alone" if form_alone else "kit", dsn)
        self._stack.callback(app.extensions["sentry_kit"].outbox.close)
        for name, value in headers.items():
            add_header(app, name, value)

        def asked_in(environ: Any, start_response: Any) -> Any:
            return app({**environ, "HTTP_ACCEPT_LANGUAGE": language}, start_response)

        return f"{self.serve(asked_in)}/crash/{quote(mark)}"

    def cause(self, error: Exception) -> str:
        """Have an app raise an error, which arrives in the inbox; returns the event's id."""
        app = Flask("causes")
        app.config["SENTRY_DSN"] = self.sentry.dsn
        app.register_blueprint(SentryKit())
        self._stack.callback(app.extensions["sentry_kit"].outbox.close)

        @app.get("/")
        def fail() -> str:
            raise error

        app.test_client().get("/")
        event_id: str = self.event(str(error))["event"]["event_id"]
        return event_id

    def say(self, event_id: str, words: str) -> None:
        """Have a visitor's words arrive in the inbox."""
        query = urlencode({"eventId": event_id, "dsn": self.sentry.dsn.replace(":hidden", "")})
        body = urlencode({"name": "Ann", "email": "ann@shop.example", "comments": words})
        address = f"{self.sentry.origin}/api/embed/error-page/?{query}"
        urlopen(address, body.encode(), timeout=10).close()

    def event(self, mark: str) -> dict[str, Any]:
        """The crash's event, as soon as it has arrived."""

        def find() -> dict[str, Any] | None:
            return next((one for one in self.sentry.events() if mark in str(one["event"])), None)

        found: dict[str, Any] = until(find, f"no event of {mark!r} arrived")
        return found

    def arrive(self, words: Words, mark: str) -> None:
        """Wait until the words are in the inbox, tied to the crash's event."""
        until(lambda: words.are(self.event(mark)["latest_words"]), "the words did not arrive")


@contextmanager
def scene() -> Iterator[Scene]:
    """A scene, and the end of everything on it."""
    folder = Path(tempfile.mkdtemp(prefix="browsers-"))
    try:
        with ExitStack() as stack:
            yield Scene(folder, stack)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
