"""Half surrogates, which UTF-8 cannot encode, cause no error from the request to the wire."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask, flash, session
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder, run_wsgi_app

from flask_sentry_kit import SentryKit

HALF = st.sampled_from(["\ud800", "\udfff", "\udc80", "a\ud83d", "\ude00b", "\ud800\ud800"])
TEXT = st.lists(HALF | st.text("ab<&%\x00é😀\u202e", max_size=4), min_size=1, max_size=4).map(
    "".join
)
HEADERS = (
    "HTTP_ACCEPT HTTP_ACCEPT_LANGUAGE HTTP_REFERER HTTP_COOKIE HTTP_SEC_FETCH_DEST HTTP_HX_REQUEST"
    " HTTP_X_REQUESTED_WITH HTTP_USER_AGENT HTTP_IF_NONE_MATCH HTTP_X_FORWARDED_FOR HTTP_ORIGIN"
    " CONTENT_TYPE HTTP_X_ODD"
).split()


@pytest.fixture
def shop(wire: Any) -> Iterator[Any]:
    """An app whose user, exception and brand come from ``now``."""
    now: dict[str, str] = {}

    @contextmanager
    def serve(brand: str) -> Iterator[Flask]:
        app = Flask("shop")
        app.config.update(
            SENTRY_DSN=wire.dsn,
            SECRET_KEY="k",
            SENTRY_KIT_USER=lambda: {"id": now["text"], "name": now["text"], "email": now["text"]},
        )
        app.register_blueprint(SentryKit(brand={"name": brand, "support_email": f"a{brand}@b"}))

        @app.route("/boom", methods=["GET", "POST"])
        @app.route("/boom/<path:more>", methods=["GET", "POST"])
        def boom(more: str = "") -> str:
            text, session["text"] = now["text"], "plain"
            flash(text)
            raise ValueError(text, {text: [text]})

        yield app
        app.extensions["sentry_kit"].outbox.close(5)

    yield serve, now


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=TEXT, body=TEXT, header=TEXT, named=st.sets(st.sampled_from(HEADERS)))
def test_the_page_shows_and_the_event_leaves(
    shop: Any, wire: Any, text: str, body: str, header: str, named: set[str]
) -> None:
    """In user, exception, headers, cookies, query, path and fields: the page is a 500 in UTF-8
    with an id, and the event reaches the wire under it."""
    serve, now = shop
    now["text"] = text
    wire.received.clear()
    # The parts that Werkzeug does not read as Latin-1; the rest arrives as bytes.
    raw = body.encode("utf-8", "surrogatepass")
    encoded = "".join(f"%{byte:02X}" for byte in raw)
    builder = EnvironBuilder(
        path="/boom",
        query_string=f"q={encoded}",
        method="POST",
        input_stream=io.BytesIO(f"name={encoded}&{encoded}=1".encode()),
        content_type="application/x-www-form-urlencoded",
    )
    with serve(text.replace("<", "").replace("&", "").replace("\x00", "")) as app:
        environ = builder.get_environ()
        environ["PATH_INFO"] = "/boom/x" + raw.decode("latin-1")
        environ["HTTP_COOKIE"] = "c=" + raw.decode("latin-1")
        environ.update({name: header for name in named})
        chunks, status, headers = run_wsgi_app(app, environ, buffered=True)
        page = b"".join(chunks).decode("utf-8")
        assert status.startswith("500")
        event_id = headers["X-Sentry-ID"]
        assert event_id in page
        assert not re.search("[\ud800-\udfff]", page)
    [event] = wire.events
    assert event["event_id"] == event_id
