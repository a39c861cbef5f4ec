"""An app's own page: ``sentry_crash()`` prints all of the kit's page in the app's markup."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, abort, render_template_string
from playwright.sync_api import Page, expect
from werkzeug.exceptions import HTTPException

from flask_sentry_kit import SentryKit
from tests.support.sentry import RecordingSentry

AXE = Path(__file__).parents[1] / "js" / "node_modules" / "axe-core" / "axe.min.js"

# Rules as an app has them: they win over the attribute that hides an element.
OWN = """<!doctype html>
<html lang="en"><meta name="viewport" content="width=device-width"><title>Oh no</title>
<style>form { display: flex; flex-direction: column } form p, label { display: block }</style>
<main><h1>Oh no</h1>
{{ sentry_crash() }}
</main></html>"""

Shop = Callable[..., Flask]


@pytest.fixture
def shop(wire: RecordingSentry) -> Iterator[Shop]:
    """Make an app that answers crashes with a template of its own; keywords are its config."""
    made: list[Flask] = []

    def make(template: str = OWN, kind: Any = 500, first: bool = True, **config: Any) -> Flask:
        app = Flask("shop")
        app.config.update({"SENTRY_DSN": wire.dsn, "SECRET_KEY": "k", **config})

        def own(error: Exception) -> Any:
            code = error.code if isinstance(error, HTTPException) else 500
            return render_template_string(template), code or 500

        @app.get("/x")
        def x() -> str:
            raise ValueError("in the view")

        @app.get("/page")
        def page() -> str:
            return render_template_string(template)

        @app.get("/aborts")
        def aborts() -> str:
            abort(500)

        if first:
            app.register_error_handler(kind, own)
        app.register_blueprint(SentryKit())
        if not first:
            app.register_error_handler(kind, own)
        made.append(app)
        return app

    yield make
    for app in made:
        app.extensions["sentry_kit"].outbox.close(1)


@pytest.mark.parametrize("path", ["/x", "/aborts"])
@pytest.mark.parametrize("first", [True, False], ids=["handler first", "kit first"])
@pytest.mark.parametrize("kind", [500, HTTPException, Exception])
def test_all_of_it_is_in_the_apps_page(
    shop: Shop, wire: RecordingSentry, kind: Any, first: bool, path: str
) -> None:
    """Form, dialog, reference and script, of the one event; nothing of our stylesheet."""
    app = shop(kind=kind, first=first)
    html = app.test_client().get(path, headers={"Accept": "text/html"}).text
    event = wire.one_event(app)
    assert html.startswith("<!doctype html>") and "<h1>Oh no</h1>" in html
    assert f"<code>{event['event_id']}</code>" in html
    assert '<form id="sentry-kit-feedback" method="post" action="/_sentry_kit/feedback"' in html
    assert f'"eventId": "{event["event_id"]}"' in html
    assert html.count("dialog.js") == 1
    assert "crash.css" not in html


@pytest.mark.parametrize("name", ["sentry_crash", "sentry_crash_form", "sentry_crash_dialog"])
def test_where_nothing_crashed_nothing_is_printed(
    shop: Shop, wire: RecordingSentry, name: str
) -> None:
    """On an ordinary page, on a 404 that the same handler answers, and without a DSN."""
    template = f"<p>Own.</p>{{{{ {name}() }}}}"
    app = shop(template, Exception)
    assert app.test_client().get("/page").text == "<p>Own.</p>"
    assert app.test_client().get("/nowhere").text == "<p>Own.</p>"
    assert wire.events == []
    off = shop(template, SENTRY_DSN="")
    assert off.test_client().get("/x").text == "<p>Own.</p>"


def test_the_form_alone(shop: Shop, wire: RecordingSentry) -> None:
    """It posts without any script."""
    app = shop("{{ sentry_crash_form() }}")
    client = app.test_client()
    html = client.get("/x").text
    assert "<script" not in html and "Reference" not in html
    token = re.search(r'name="token" value="([^"]+)"', html)
    assert token
    sent = client.post(
        "/_sentry_kit/feedback", data={"token": token[1], "comments": "I pressed Pay."}
    )
    assert sent.status_code == 303
    assert wire.wait_for_report().fields["comments"] == "I pressed Pay."


def test_the_parts_speak_the_visitors_language(shop: Shop) -> None:
    """They state their language and direction, because the page around may have others."""
    html = shop().test_client().get("/x", headers={"Accept-Language": "ar"}).text
    assert '<section class="sentry-kit-crash" lang="ar" dir="rtl">' in html
    assert "What were you doing?" not in html


def test_an_override_of_500_html_has_them_too(
    shop: Shop, wire: RecordingSentry, tmp_path: Path
) -> None:
    """Under the same names as on other pages."""
    (tmp_path / "500.html").write_text("<p>Own.</p>{{ sentry_crash() }}")
    app = Flask("shop", template_folder=str(tmp_path))
    app.config.update(SENTRY_DSN=wire.dsn, SECRET_KEY="k")
    app.register_blueprint(SentryKit())

    @app.get("/x")
    def x() -> str:
        raise ValueError

    html = app.test_client().get("/x", headers={"Accept": "text/html"}).text
    assert html.startswith("<p>Own.</p>") and "sentry-kit-feedback" in html
    assert wire.one_event(app)["event_id"] in html
    app.extensions["sentry_kit"].outbox.close(1)


def test_one_writes_and_sends_in_the_apps_page(
    shop: Shop, wire: RecordingSentry, serve: Callable[..., str], page: Page
) -> None:
    """Among the app's own rules: nothing for robots shows, axe finds nothing, and once the words
    are sent the form is gone."""
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto(serve(shop(SENTRY_KIT_DIALOG=False)) + "/x")
    expect(page.get_by_label("Leave this empty.")).to_be_hidden()
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("async () => (await axe.run()).violations.map((one) => one.id)")
    assert found == []
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 320
    page.get_by_label("What were you doing?").fill("I pressed Pay.")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("status")).to_have_text("Sent. Thank you.")
    expect(page.get_by_label("What were you doing?")).to_be_hidden()
    assert wire.wait_for_report().fields["comments"] == "I pressed Pay."
