"""What a page of the app's own prints: only of a crash that it answers, and all of that crash."""

from __future__ import annotations

import json
import logging
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask, render_template, render_template_string
from werkzeug.exceptions import HTTPException

from flask_sentry_kit import SentryKit, sentry
from flask_sentry_kit.crash import Crash, FeedbackForm
from flask_sentry_kit.phrases import OUTCOMES
from tests.support.sentry import RecordingSentry

PRINTS = ("sentry_crash", "sentry_crash_form", "sentry_crash_dialog")
OWN = "<h1>Oh no</h1>{{ sentry_crash() }}"
BROWSER = {"Accept": "text/html"}

MakeOwn = Callable[..., Flask]


@pytest.fixture
def own_app(wire: RecordingSentry, tmp_path: Path) -> Iterator[MakeOwn]:
    """Make an app that crashes at /boom; the caller adds handlers and registers the kit."""
    made: list[Flask] = []

    def make(**config: Any) -> Flask:
        app = Flask("own", root_path=str(tmp_path), static_folder=None)
        app.config.update({"SENTRY_DSN": wire.dsn, "SECRET_KEY": "a key", **config})

        @app.get("/boom")
        def boom() -> str:
            raise sqlite3.OperationalError("the first error")

        made.append(app)
        return app

    yield make
    for app in made:
        app.extensions["sentry_kit"].outbox.close(1)


def values(events: list[dict[str, Any]]) -> list[str]:
    return [event["exception"]["values"][-1]["value"] for event in events]


def test_an_error_that_a_view_handles_is_no_crash(own_app: MakeOwn, wire: RecordingSentry) -> None:
    """A page that a view renders while it handles an exception of its own shows nothing of it, and
    nothing is reported."""
    app = own_app()

    @app.get("/<name>")
    def page(name: str) -> str:
        try:
            raise KeyError(name)
        except KeyError:
            return render_template_string("[{{ " + name + "() }}]")

    app.register_blueprint(SentryKit())
    for name in PRINTS:
        answer = app.test_client().get(f"/{name}", headers=BROWSER)
        assert (answer.text, answer.headers.get("X-Sentry-ID")) == ("[]", None)
    assert app.extensions["sentry"].flush(5)
    assert not wire.events


@pytest.mark.parametrize("status", [400, 404])
def test_a_page_for_all_errors_shows_nothing_of_others(
    own_app: MakeOwn, wire: RecordingSentry, status: int
) -> None:
    """One template for every error: a refused input or a missing page is no crash in it."""
    app = own_app()

    class Refused(Exception):
        pass

    @app.errorhandler(Refused)
    def refused(error: Refused) -> tuple[str, int]:
        return render_template_string(OWN), 400

    @app.errorhandler(HTTPException)
    def any_status(error: HTTPException) -> tuple[str, int]:
        return render_template_string(OWN), error.code or 500

    @app.get("/400")
    def refuse() -> str:
        raise Refused

    app.register_blueprint(SentryKit())
    answer = app.test_client().get(f"/{status}", headers=BROWSER)
    assert (answer.status_code, answer.text) == (status, "<h1>Oh no</h1>")
    assert app.extensions["sentry"].flush(5)
    assert not wire.events


def test_a_template_of_a_blueprint_prints_the_crash(
    own_app: MakeOwn, wire: RecordingSentry
) -> None:
    """The handler and its template are an error blueprint's, as in larger apps."""
    app = own_app()
    errors = Blueprint("errors", "errors", root_path=app.root_path, template_folder="errors")
    folder = Path(app.root_path, "errors")
    folder.mkdir()
    (folder / "oh_no.html").write_text(OWN, "utf-8")
    errors.app_errorhandler(500)(lambda error: (render_template("oh_no.html"), 500))
    app.register_blueprint(errors)
    app.register_blueprint(SentryKit())
    answer = app.test_client().get("/boom", headers=BROWSER)
    event = wire.one_event(app)
    assert answer.status_code == 500 and answer.text.startswith("<h1>Oh no</h1>")
    assert answer.headers["X-Sentry-ID"] == event["event_id"]
    assert f"<code>{event['event_id']}</code>" in answer.text


@pytest.mark.parametrize("kind", [500, Exception])
def test_the_first_error_is_the_one_shown(
    own_app: MakeOwn, wire: RecordingSentry, kind: Any
) -> None:
    """A handler that meets a second error, reports it, and still renders: the page shows the
    reference of the crash that it answers."""
    app = own_app()

    @app.errorhandler(kind)
    def answer_error(error: Exception) -> tuple[str, int]:
        try:
            raise OSError("the second error")
        except OSError:
            sentry.captureException()
            return render_template_string(OWN), 500

    app.register_blueprint(SentryKit())
    answer = app.test_client().get("/boom", headers=BROWSER)
    assert app.extensions["sentry"].flush(5)
    found = {value: event for event in wire.events for value in values([event])}
    assert sorted(found) == [
        "the first error",
        "the second error",
    ]
    first = found["the first error"]
    assert f"<code>{first['event_id']}</code>" in answer.text


def test_outside_of_a_request_nothing_is_printed(
    own_app: MakeOwn, caplog: pytest.LogCaptureFixture
) -> None:
    """A command that renders a template after it reported something: nothing, not even a log
    line."""
    app = own_app()
    app.register_blueprint(SentryKit())
    with app.app_context():
        assert sentry.captureMessage("from a command")
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            for name in PRINTS:
                assert render_template_string("{{ " + name + "() }}") == ""
    assert not caplog.records


def test_an_apps_own_form_is_printed(own_app: MakeOwn) -> None:
    """A templates/flask_sentry_kit/form.html of the app's wins, and where it breaks the kit's form
    is there."""
    app = own_app()
    folder = Path(app.root_path, "templates", "flask_sentry_kit")
    folder.mkdir(parents=True)
    app.config["TEMPLATES_AUTO_RELOAD"] = True
    app.register_error_handler(500, lambda error: (render_template_string(OWN), 500))
    app.register_blueprint(SentryKit())
    for source, expected in (
        ("<form action='{{ feedback.action }}'>mine</form>", "mine</form>"),
        ("{{ nobody.knows }}", 'id="sentry-kit-feedback"'),
    ):
        (folder / "form.html").write_text(source, "utf-8")
        assert expected in app.test_client().get("/boom", headers=BROWSER).text


@pytest.mark.parametrize("kind", ["sentry_crash", "sentry_crash_form"])
def test_the_markup_is_a_guest(own_app: MakeOwn, parse: Any, kind: str) -> None:
    """It says its language, every class and id has the kit's name, nothing has an inline style,
    and what nobody sees is inside a hidden element."""
    app = own_app()
    source = "<p>ours</p>{{ " + kind + "() }}"
    app.register_error_handler(500, lambda error: (render_template_string(source), 500))
    app.register_blueprint(SentryKit())
    headers = {**BROWSER, "Accept-Language": "ar"}
    html = app.test_client().get("/boom", headers=headers).text
    elements = parse(html).elements
    (outer,) = [one for one in elements if one.attributes.get("class") == "sentry-kit-crash"]
    assert (outer.attributes["lang"], outer.attributes["dir"]) == ("ar", "rtl")
    for one in elements:
        names = f"{one.attributes.get('class') or ''} {one.attributes.get('id') or ''}".split()
        assert all(name.startswith("sentry-kit-") for name in names), one
        assert "style" not in one.attributes and one.tag not in ("style", "link")
    hidden = re.search(r"<div hidden>(.*?)</div>", html, re.S)
    assert hidden is not None
    assert re.findall(r'name="(\w+)"', hidden[1]) == ["token", "website"]


def test_form_and_dialog_apart_have_the_forms_script(own_app: MakeOwn) -> None:
    """The dialog's snippet brings what looks after the form, also where Raven JS opens it."""
    app = own_app()
    source = "{{ sentry_crash_form() }}|{{ sentry_crash_dialog() }}"
    app.register_error_handler(500, lambda error: (render_template_string(source), 500))
    app.register_blueprint(SentryKit(raven_js="/static/raven.min.js"))
    form, _, dialog = app.test_client().get("/boom", headers=BROWSER).text.partition("|")
    assert "<script" not in form
    assert re.findall(r'<script src="([^"]+)"', dialog) == [
        "/static/raven.min.js",
        "/_sentry_kit/static/dialog.js",
    ]


def test_the_snippet_for_the_pages_own_sdk(own_app: MakeOwn) -> None:
    """With "browser", an app's own page calls its own @sentry/browser, with the request's nonce."""
    app = own_app()
    source = "{{ sentry_crash() }}<hr>{{ sentry_crash_dialog() }}"
    app.register_error_handler(500, lambda error: (render_template_string(source), 500))
    app.jinja_env.globals["csp_nonce"] = lambda: "bm9uY2U="
    app.register_blueprint(SentryKit(raven_js="browser"))
    answer = app.test_client().get("/boom", headers=BROWSER)
    for markup in answer.text.split("<hr>"):
        assert re.findall(r"<script ([^>]*)>", markup) == [
            'src="/_sentry_kit/static/dialog.js" data-no-raven nonce="bm9uY2U="',
            'nonce="bm9uY2U="',
        ]
        [options] = re.findall(r"\{ Sentry\.showReportDialog\((\{.*\})\); \}", markup)
        assert json.loads(options)["eventId"] == answer.headers["X-Sentry-ID"]
        assert "Raven" not in markup


def test_the_answer_to_the_form_in_the_apps_own_page(own_app: MakeOwn, parse: Any) -> None:
    """Sent without a script, the form is answered by templates/flask_sentry_kit/feedback.html where
    the app has one: there the same line prints what is wrong with all that was typed, or thanks."""
    app = own_app()
    folder = Path(app.root_path, "templates", "flask_sentry_kit")
    folder.mkdir(parents=True)
    (folder / "feedback.html").write_text("<h1>The shop</h1>{{ sentry_crash_form() }}", "utf-8")
    app.register_error_handler(500, lambda error: (render_template_string(OWN), 500))
    app.register_blueprint(SentryKit())
    client = app.test_client()

    def fields(html: str) -> dict[str, str]:
        return {
            str(one.attributes["name"]): one.attributes.get("value") or ""
            for one in parse(html).all("input")
        }

    typed = fields(client.get("/boom", headers=BROWSER).text)
    typed |= {"comments": "I pressed pay", "email": "nobody"}
    refused = client.post("/_sentry_kit/feedback", data=typed, headers=BROWSER)
    assert refused.status_code == 400 and refused.text.startswith("<h1>The shop</h1>")
    assert "I pressed pay</textarea>" in refused.text and "not an email address" in refused.text
    typed = fields(refused.text) | {"comments": "I pressed pay", "email": ""}
    sent = client.post("/_sentry_kit/feedback", data=typed, headers=BROWSER, follow_redirects=True)
    assert sent.status_code == 200 and sent.text.startswith("<h1>The shop</h1>")
    assert re.search(r'role="status">(Sent|Saved)\.', sent.text)


def test_the_way_back_does_not_lead_to_where_the_form_posts(own_app: MakeOwn, parse: Any) -> None:
    """Where a refused form was sent again, the page before the thanks is the answer to a POST,
    which cannot be opened."""
    app = own_app()
    app.register_blueprint(SentryKit())
    client = app.test_client()
    (token,) = re.findall(r'name="token" value="([^"]+)"', client.get("/boom").text)
    typed = {"token": token, "comments": "I pressed pay"}
    for page, back in (("/boom", True), ("/_sentry_kit/feedback", False)):
        referer = {**BROWSER, "Referer": f"http://localhost{page}"}
        url = "/_sentry_kit/feedback"
        thanks = client.post(url, data=typed, headers=referer, follow_redirects=True)
        assert thanks.status_code == 200
        assert (page in parse(thanks.text).links().values()) is back


DOCUMENT = (Path(__file__).parents[2] / "docs" / "own-page.md").read_text("utf-8")


def test_the_documented_form_of_ones_own_is_taken(
    own_app: MakeOwn, wire: RecordingSentry, parse: Any
) -> None:
    """The form in docs/own-page.md, in a 500.html: with its fields and no others, words arrive."""
    app = own_app()
    folder = Path(app.root_path, "templates")
    folder.mkdir()
    (form,) = re.findall(r"```html\+jinja\n(\{% if feedback.*?)```", DOCUMENT, re.S)
    (folder / "500.html").write_text(form, "utf-8")
    app.register_blueprint(SentryKit())
    client = app.test_client()
    document = parse(client.get("/boom", headers=BROWSER).text)
    fields = document.all("input") + document.all("textarea")
    typed = {one.attributes["name"]: one.attributes.get("value") or "" for one in fields}
    typed["comments"] = "I pressed pay"
    answer = client.post(document.one("form").attributes["action"], data=typed)
    assert answer.status_code == 303
    assert wire.wait_for_report().fields["comments"] == "I pressed pay"


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_is_said_in_ones_own_page(own_app: MakeOwn, outcome: str) -> None:
    """In place of the form, in the words that docs/own-page.md has for it."""
    app = own_app()
    app.register_blueprint(SentryKit())
    with app.test_request_context("/"):
        feedback = FeedbackForm("/feedback", "token", outcome=outcome)
        html = app.extensions["sentry_kit"].page.part("form", Crash(None), feedback)
    assert f'role="status">{OUTCOMES[outcome]}</p>' in html and "<form" not in html
    assert f'| `"{outcome}"` | {OUTCOMES[outcome]} |' in DOCUMENT


def test_the_documented_classes_are_those_of_the_markup(own_app: MakeOwn) -> None:
    """Each class and id that docs/own-page.md names is printed."""
    app = own_app()
    app.register_error_handler(500, lambda error: (render_template_string(OWN), 500))
    app.register_blueprint(SentryKit())
    html = app.test_client().get("/boom", headers=BROWSER).text
    names = set(re.findall(r"[.#](sentry-kit-\w+)", DOCUMENT))
    assert len(names) == 5
    for name in names:
        assert f'"{name}"' in html


def test_the_documented_handler_shows_what_it_reported(
    own_app: MakeOwn, wire: RecordingSentry
) -> None:
    """A handler for one error that reports it first has its reference on the page, once."""
    app = own_app()
    folder = Path(app.root_path, "templates")
    folder.mkdir()
    (folder / "oh_no.html").write_text(OWN, "utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", DOCUMENT, re.S)
    given = {
        "app": app,
        "DatabaseDown": sqlite3.OperationalError,
        "render_template": render_template,
    }
    exec(compile(example, "docs/own-page.md", "exec"), given)
    app.register_blueprint(SentryKit())
    answer = app.test_client().get("/boom", headers=BROWSER)
    assert f"<code>{wire.one_event(app)['event_id']}</code>" in answer.text
