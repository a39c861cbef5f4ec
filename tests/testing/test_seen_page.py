"""sentry_kit_reports.page(): the kit's page as a visitor without JavaScript sees and uses it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, redirect
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from flask_sentry_kit.testing import FormRefused, Reports

MakeShop = Callable[..., Flask]


def test_the_page_is_what_a_visitor_reads(shop: MakeShop, sentry_kit_reports: Reports) -> None:
    """No script, no style, nothing hidden; the form's fields with what stands in them."""
    page = sentry_kit_reports.page(shop().test_client().get("/checkout"))
    assert page.text.startswith("Something broke on our side. We have a report of this.")
    assert page.text.endswith(f"Reference: {page.event_id}")
    assert "Leave this empty" not in page.text and "showReportDialog" not in page.text
    assert page.fields is not None and page.fields.keys() == {
        *("comments", "name", "email", "token", "website")
    }


def test_the_form_is_sent_as_a_browser_sends_it(
    shop: MakeShop, sentry_kit_reports: Reports
) -> None:
    """With the origin, the page's address, the visitor's cookies and language."""
    app = shop()
    sent: list[Any] = []
    wsgi_app = app.wsgi_app

    def watched(environ: Any, start_response: Any) -> Any:
        sent.append(environ)
        return wsgi_app(environ, start_response)

    app.wsgi_app = watched  # type: ignore[method-assign]
    client = app.test_client()
    client.set_cookie("session", "abc", domain="shop.example")
    answer = client.get(
        "/checkout?page=2",
        base_url="https://shop.example",
        headers={"Accept-Language": "de"},
        environ_overrides={"REMOTE_ADDR": "192.0.2.7"},
    )
    thanks = sentry_kit_reports.page(answer).write("Ich habe bezahlt")
    _, posted, followed = sent
    assert posted["HTTP_ORIGIN"] == "https://shop.example"
    assert posted["HTTP_REFERER"] == "https://shop.example/checkout?page=2"
    assert posted["CONTENT_TYPE"] == "application/x-www-form-urlencoded"
    assert posted["HTTP_COOKIE"] == "session=abc" and posted["REMOTE_ADDR"] == "192.0.2.7"
    assert followed["REQUEST_METHOD"] == "GET" and '<html lang="de"' in thanks.text


def test_a_form_that_is_refused_fails_with_what_the_visitor_reads(
    shop: MakeShop, sentry_kit_reports: Reports
) -> None:
    """So that no test goes on without the words."""
    page = sentry_kit_reports.page(shop().test_client().get("/checkout"))
    with pytest.raises(FormRefused, match="answered with 400: This could not be sent") as found:
        page.write(" ")
    assert found.value.answer.status_code == 400
    assert not sentry_kit_reports.words


def test_a_mounted_app_gets_its_form(shop: MakeShop, sentry_kit_reports: Reports) -> None:
    """At the path that it is mounted at."""
    site = DispatcherMiddleware(Flask("site"), {"/shop": shop()})
    page = sentry_kit_reports.page(Client(site).get("/shop/checkout"))
    page.write("I pressed pay")
    assert sentry_kit_reports.words[0].event_id == page.event_id


def test_a_page_of_the_apps_own_counts_with_the_kits_parts(
    tmp_path: Path, sentry_kit_reports: Reports
) -> None:
    """Reference, form and dialog from sentry_crash(); without any of them it is not the kit's."""
    from flask_sentry_kit import sentry_kit

    (tmp_path / "templates").mkdir()
    own = tmp_path / "templates" / "500.html"
    app = Flask("own", root_path=str(tmp_path))
    app.config.update(TESTING=True, SECRET_KEY="k", TEMPLATES_AUTO_RELOAD=True)
    app.register_blueprint(sentry_kit)
    app.add_url_rule("/", view_func=lambda: str(1 / 0))
    own.write_text("<h1>Oh no</h1> {{ sentry_crash() }}", "utf-8")
    page = sentry_kit_reports.page(app.test_client().get("/"))
    assert page.text.startswith("Oh no We have a report")
    page.write("I pressed pay")
    own.write_text("<h1>Oh no</h1> {{ event_id }}", "utf-8")
    page = sentry_kit_reports.page(app.test_client().get("/"))
    with pytest.raises(AssertionError, match=r"The page has no form\. It has one if"):
        page.write("I pressed pay")
    own.write_text("<h1>Oh no</h1>", "utf-8")
    with pytest.raises(AssertionError, match="a page without anything of the kit"):
        sentry_kit_reports.page(app.test_client().get("/"))


@pytest.mark.parametrize(
    ("path", "accept", "said"),
    [
        ("/", "text/html", r"the answer is 200 text/html\Z"),
        ("/old", "text/html", r"is 302 text/html, and leads to /new\Z"),
        ("/checkout", "application/json", r"is 500 application/problem\+json\. Ask as a browser"),
    ],
)
def test_another_answer_fails_and_says_which(
    path: str, accept: str, said: str, shop: MakeShop, sentry_kit_reports: Reports
) -> None:
    """Status, type and where it leads."""
    app = shop()
    app.add_url_rule("/old", view_func=lambda: redirect("/new"))
    answer = app.test_client().get(path, headers={"Accept": accept})
    with pytest.raises(AssertionError, match=said):
        sentry_kit_reports.page(answer)


def test_an_answer_of_another_process_cannot_be_written_to(
    shop: MakeShop, sentry_kit_reports: Reports
) -> None:
    """Its app is not here."""
    answer = shop().test_client().get("/checkout")

    class Foreign:
        status_code, headers, text = 500, dict(answer.headers), answer.text
        url = "https://shop.example/checkout"

    Foreign.headers["X-Sentry-ID"] = "0" * 32
    with pytest.raises(AssertionError, match="not made in this process"):
        sentry_kit_reports.page(Foreign).write("I pressed pay")
