"""An app whose crashes are answered by the page package only: no reporter, no blueprint."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, request
from werkzeug.test import TestResponse

from flask_sentry_kit import settings as kit_settings
from flask_sentry_kit.crash import Crash, FeedbackForm
from flask_sentry_kit.dsn import Dsn
from flask_sentry_kit.page import Page

EVENT = "9d2c6f5b1e0a4c7f8b3d6a5e4f1c2b0d"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
STATIC = Path(kit_settings.__file__).parent / "static"


@dataclass
class Stand:
    """An app, its page, and the errors reported while the page was made."""

    app: Flask
    page: Page
    reported: list[BaseException]
    crash: dict[str, Any]
    form: FeedbackForm | None = None
    event_id: str = EVENT

    def get(self, path: str = "/crash", method: str = "GET", **headers: str) -> TestResponse:
        headers.setdefault("Accept", BROWSER)
        named = {name.replace("_", "-"): value for name, value in headers.items() if value}
        return self.app.test_client().open(path, method=method, headers=named)

    def html(self, **headers: str) -> str:
        return self.get(**headers).text


@pytest.fixture
def stand(tmp_path: Path) -> Callable[..., Stand]:
    """Make an app: its templates by name, its settings as keywords, its crash's facts."""

    def make(
        templates: Mapping[str, str] | None = None,
        *,
        form: bool = False,
        crash: Mapping[str, Any] | None = None,
        app_config: Mapping[str, Any] | None = None,
        **config: Any,
    ) -> Stand:
        app = Flask("shop", root_path=str(tmp_path), static_folder=None)
        for name, source in (templates or {}).items():
            path = tmp_path / "templates" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source, encoding="utf-8")
        app.secret_key = "a key"
        app.config.update(app_config or {})
        settings = kit_settings.read_settings(config)
        reported: list[BaseException] = []
        page = Page(app, settings, asset_url=lambda name: f"/kit/{name}", report=reported.append)
        facts = {
            "event_id": EVENT,
            "dsn": Dsn.parse("http://public:secret@sentry.example/1"),
            **(crash or {}),
        }
        state = Stand(
            app, page, reported, facts, FeedbackForm("/kit/feedback", "token") if form else None
        )

        # The bundled templates are within the app's reach, as the blueprint puts them there.
        folder = os.path.join(os.path.dirname(kit_settings.__file__), "templates")
        app.register_blueprint(Blueprint("kit", "kit", root_path="/", template_folder=folder))

        def respond(error: BaseException) -> Response:
            made = {"method": request.method, "url": request.full_path.rstrip("?")}
            return state.page.respond(Crash(**{**made, **state.crash}), state.form)

        app.register_error_handler(500, respond)

        @app.route("/crash", methods=["GET", "POST"])
        def crash_view() -> str:
            raise RuntimeError("the secret of the shop")

        @app.route("/kit/<name>")
        def asset(name: str) -> Response:
            if name == "crash.css":
                return Response(page.stylesheet, mimetype="text/css")
            return Response((STATIC / name).read_bytes(), mimetype="text/javascript")

        return state

    return make


@dataclass
class Element:
    """One element as a browser's parser finds it: its attributes, and its text."""

    tag: str
    attributes: dict[str, str | None]
    text: str = ""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self.open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self.elements.append(element)
        if tag not in {"meta", "link", "input", "img", "br"}:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop().tag != tag:
            pass

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data


@dataclass
class Document:
    """A parsed page."""

    elements: list[Element] = field(default_factory=list)

    def all(self, tag: str) -> list[Element]:
        return [element for element in self.elements if element.tag == tag]

    def one(self, tag: str) -> Element:
        (element,) = self.all(tag)
        return element

    def by_id(self, name: str) -> Element:
        (element,) = (one for one in self.elements if one.attributes.get("id") == name)
        return element

    def links(self) -> dict[str, str]:
        return {a.text: a.attributes["href"] or "" for a in self.all("a")}

    @property
    def shape(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(one.tag, tuple(one.attributes)) for one in self.elements]


@pytest.fixture
def parse() -> Callable[[str], Document]:
    """Read HTML into elements."""

    def read(html: str) -> Document:
        reader = _Reader()
        reader.feed(html)
        reader.close()
        return Document(reader.elements)

    return read
