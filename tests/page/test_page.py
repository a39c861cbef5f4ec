"""The page that a visitor sees: its text, its claims and its links (page/respond.py)."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from flask import after_this_request, current_app, g, request
from jinja2 import StrictUndefined

from flask_sentry_kit.crash import Crash, FeedbackForm

EVENT = "9d2c6f5b1e0a4c7f8b3d6a5e4f1c2b0d"


def test_a_crash_is_answered_with_500_and_never_stored(stand: Any) -> None:
    """Status 500, and headers that keep caches, sniffers and search engines away."""
    answer = stand().get()
    assert answer.status_code == 500
    assert answer.mimetype == "text/html"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Robots-Tag"] == "noindex"
    assert {"accept", "accept-language"} <= {part.lower() for part in answer.vary}


def test_nothing_of_the_failed_views_answer_is_left(stand: Any) -> None:
    """Caching headers the view had planned are gone, and a 500 never becomes a 304."""
    room = stand()

    @room.app.route("/cached")
    def cached() -> str:
        @after_this_request
        def plan(response: Any) -> Any:
            response.set_etag("planned")
            response.cache_control.public = True
            response.cache_control.max_age = 3600
            response.headers["Expires"] = "Thu, 01 Jan 2099 00:00:00 GMT"
            response.headers["Last-Modified"] = "Thu, 01 Jan 2015 00:00:00 GMT"
            return response.make_conditional(request)

        raise RuntimeError

    answer = room.get("/cached", If_None_Match='"planned"')
    assert answer.status_code == 500
    assert answer.headers["Cache-Control"] == "no-store"
    assert not {"ETag", "Expires", "Last-Modified"} & set(answer.headers.keys())


def test_the_page_says_what_happened_and_that_we_know(stand: Any, parse: Any) -> None:
    """In this order: the error, the report, the next steps, the form, the reference."""
    html = stand(form=True).html()
    order = (
        "<h1>Something broke on our side.</h1>",
        "We have a report of this.",
        "Try again",
        "What were you doing?",
        f"<code>{EVENT}</code>",
    )
    places = [html.index(words) for words in order]
    assert places == sorted(places)
    assert parse(html).one("html").attributes == {"lang": "en", "dir": "ltr"}


def test_without_an_event_nothing_is_claimed_or_offered(stand: Any, parse: Any) -> None:
    """No event: no report, no reference, no dialog, no script at all."""
    room = stand(crash={"event_id": None, "dsn": None})
    html = room.html()
    assert "Something broke on our side." in html
    for claim in ("report", "Reference", "Raven"):
        assert claim not in html
    assert not parse(html).all("script")


def test_nothing_of_the_exception_reaches_the_visitor(stand: Any) -> None:
    """Neither its text nor its type, in any format."""
    room = stand(form=True)
    for accept in ("text/html", "application/json", "text/plain", "*/*", "image/png"):
        for headers in ({}, {"HX_Request": "true"}):
            body = room.html(Accept=accept, **headers)
            assert "secret of the shop" not in body
            assert "RuntimeError" not in body


def test_the_snippet_stands_in_plain_sight(stand: Any, parse: Any, snippet_options: Any) -> None:
    """The loader, then showReportDialog with event, public DSN and the signed-in user."""
    room = stand(crash={"user_name": "Ada", "user_email": "ada@shop.example"})
    html = room.html()
    assert '<script src="/kit/dialog.js"></script>\n<script>Raven.showReportDialog({' in html
    options = snippet_options(html)
    assert options["eventId"] == EVENT
    assert options["dsn"] == "http://public@sentry.example/1"
    assert options["user"] == {"name": "Ada", "email": "ada@shop.example"}
    assert "secret" not in html


def test_the_snippet_for_the_pages_own_sdk(stand: Any, parse: Any, snippet_options: Any) -> None:
    """With "browser": the same options, for Sentry.showReportDialog, and no mention of Raven."""
    facts = {"user_name": "</script><b>", "user_email": "ada@shop.example"}
    page = stand(crash=facts).html()
    html = stand(crash=facts, SENTRY_KIT_RAVEN_JS="browser").html()
    script, snippet = parse(html).all("script")
    assert script.attributes == {"src": "/kit/dialog.js", "data-no-raven": None}
    assert snippet.attributes == {}
    assert "{ Sentry.showReportDialog({" in snippet.text and "Raven" not in html
    assert snippet_options(html.replace("Sentry.show", "Raven.show")) == snippet_options(page)


def test_the_pages_own_sdk_needs_no_raven_for_the_form(stand: Any, parse: Any) -> None:
    """With "browser" and no dialog, the form's script still leaves Raven undefined."""
    html = stand(form=True, SENTRY_KIT_RAVEN_JS="browser", SENTRY_KIT_DIALOG=False).html()
    script = parse(html).one("script")
    assert script.attributes == {"src": "/kit/dialog.js", "data-no-raven": None}


def test_real_raven_js_comes_with_its_integrity(stand: Any, parse: Any) -> None:
    """A script of another host is checked by the browser, and our watcher follows it."""
    html = stand(form=True, SENTRY_KIT_RAVEN_JS="cdn").html()
    first, second, third = (script.attributes for script in parse(html).all("script"))
    assert first["src"] == "https://cdn.ravenjs.com/3.27.2/raven.min.js"
    assert (first["integrity"] or "").startswith("sha384-")
    assert first["crossorigin"] == "anonymous"
    assert second["src"] == "/kit/dialog.js"
    assert "src" not in third


def test_no_dialog_leaves_the_form_and_its_script(stand: Any, parse: Any) -> None:
    """SENTRY_KIT_DIALOG=False: the form alone, and no mention of Raven."""
    html = stand(form=True, SENTRY_KIT_DIALOG=False).html()
    assert "showReportDialog" not in html
    assert [script.attributes for script in parse(html).all("script")] == [
        {"src": "/kit/dialog.js"}
    ]
    assert parse(html).one("form")


@pytest.mark.parametrize("place", ["global", "global string", "request", "g"])
def test_the_apps_nonce_is_on_all_that_needs_it(stand: Any, parse: Any, place: str) -> None:
    """csp_nonce of the Jinja globals (Flask-Talisman), of request or of g."""
    room = stand(form=True)
    if place == "global":
        room.app.jinja_env.globals["csp_nonce"] = lambda: "n0nce+/="
    elif place == "global string":
        room.app.jinja_env.globals["csp_nonce"] = "n0nce+/="
    else:
        holder = {"request": request, "g": g}[place]
        room.app.before_request(lambda: setattr(holder, "csp_nonce", "n0nce+/="))
    page = parse(room.html())
    assert [one.attributes["nonce"] for one in page.all("script")] == ["n0nce+/="] * 2
    (styles,) = (one for one in page.all("link") if one.attributes["rel"] == "stylesheet")
    assert styles.attributes["nonce"] == "n0nce+/="
    assert not room.reported


@pytest.mark.parametrize("nonce", ["", None, 'x" onload="alert(1)', "a b", object()])
def test_what_is_no_nonce_is_left_out(stand: Any, parse: Any, nonce: Any) -> None:
    """A nonce that could end its attribute is ignored."""
    room = stand()
    room.app.jinja_env.globals["csp_nonce"] = lambda: nonce
    assert all("nonce" not in one.attributes for one in parse(room.html()).all("script"))


def test_trying_again_is_offered_for_a_get(stand: Any, parse: Any) -> None:
    """The first link leads back to the failed page itself, query and all."""
    links = parse(stand().get("/crash?page=2&sort=a").text).links()
    assert list(links.items()) == [("Try again", "/crash?page=2&sort=a"), ("Home", "/")]


def test_a_form_is_not_sent_again_by_a_link(stand: Any, parse: Any) -> None:
    """After a POST: back to the form, and a warning about what was in it."""
    html = stand().get(method="POST", Referer="http://localhost/cart?a=1").text
    assert "What you sent may not have been saved." in html
    assert parse(html).links() == {"Go back": "/cart?a=1", "Home": "/"}


@pytest.mark.parametrize(
    "referer",
    [
        "http://evil.example/",
        "https://localhost/",
        "http://localhost//evil.example/",
        "http://[",
        "x",
    ],
)
def test_the_way_back_stays_on_this_host(stand: Any, parse: Any, referer: str) -> None:
    """A Referer from another origin makes no link back."""
    assert "Go back" not in parse(stand().html(Referer=referer)).links()


@pytest.mark.parametrize(
    "url", ["//evil.example/", "/\\evil.example", "javascript:alert(1)", "/\t/evil.example", ""]
)
def test_trying_again_stays_on_this_host(stand: Any, parse: Any, url: str) -> None:
    """An address that a browser would take for another host is not offered."""
    assert "Try again" not in parse(stand(crash={"url": url}).html()).links()


def test_the_brand_is_on_the_page(stand: Any, parse: Any) -> None:
    """Name, logo and home of the app; a mail with the reference in it."""
    brand = {
        "name": "Tea & Kettle",
        "logo_url": "/logo.svg",
        "home_url": "/shop/",
        "support_email": "help@tea.example",
    }
    page = parse(stand(SENTRY_KIT_BRAND=brand).html())
    assert page.one("header").text.strip() == "Tea & Kettle"
    assert page.one("img").attributes["src"] == "/logo.svg"
    assert page.one("title").text == "Something broke on our side. · Tea & Kettle"
    links = page.links()
    assert links["Home"] == "/shop/"
    mail = links["Write to help@tea.example"]
    assert mail.startswith("mailto:help@tea.example?subject=Something%20broke")
    assert EVENT in mail


def test_the_form_needs_no_script(stand: Any, parse: Any) -> None:
    """A plain POST of labelled fields; only the words are required."""
    room = stand(form=True)
    room.form = FeedbackForm("/kit/feedback", "t0ken", name="Ada", email="ada@shop.example")
    page = parse(room.html())
    form = page.one("form").attributes
    assert (form["method"], form["action"]) == ("post", "/kit/feedback")
    fields = {
        one.attributes["name"]: one.attributes
        for one in page.elements
        if one.tag in ("input", "textarea")
    }
    assert fields["token"]["value"] == "t0ken"
    assert fields["name"]["value"] == "Ada"
    assert fields["email"]["value"] == "ada@shop.example"
    assert [name for name, one in fields.items() if "required" in one] == ["comments"]
    labels = {label.attributes.get("for") for label in page.all("label")}
    assert {fields[name]["id"] for name in ("comments", "name", "email")} <= labels


@pytest.mark.parametrize(
    ("outcome", "heading"),
    [
        ("sent", "Sent. Thank you."),
        ("passed", "Passed on. Thank you."),
        ("saved", "Saved. It will be sent as soon as we can."),
        ("refused", "Not sent"),
    ],
)
def test_the_answer_to_the_form(stand: Any, parse: Any, outcome: str, heading: str) -> None:
    """One heading states the outcome; if refused, all of the input is still in the form."""
    room = stand()
    feedback = FeedbackForm(
        "/kit/feedback",
        "t0ken",
        comments="<b>I pressed pay",
        email="nope",
        outcome=outcome,
        errors={"email": "This is no address."} if outcome == "refused" else {},
    )
    with room.app.test_request_context("/"):
        answer = room.page.outcome(Crash(EVENT), feedback, 422 if outcome == "refused" else 200)
    page = parse(answer.get_data(as_text=True))
    assert page.one("h1").text == heading
    assert page.one("title").text == heading
    assert "showReportDialog" not in answer.get_data(as_text=True)
    if outcome == "refused":
        assert answer.status_code == 422
        assert page.one("textarea").text.strip() == "<b>I pressed pay"
        assert page.by_id("sentry-kit-email").attributes["aria-invalid"] == "true"
        assert page.by_id("sentry-kit-email-error").text == "This is no address."
    else:
        assert answer.status_code == 200
        assert not page.all("form")


def test_the_apps_own_template_wins(stand: Any) -> None:
    """templates/500.html with the app's context and all that the bundled one knows."""
    room = stand(
        {
            "500.html": "{{ shop }} {{ event_id }} {{ public_dsn }} {{ crash.method }}"
            " {{ report_dialog.eventId }} {{ feedback.token }} {{ request.path }}"
        },
        form=True,
    )
    room.app.context_processor(lambda: {"shop": "Tea"})
    assert room.html() == (f"Tea {EVENT} http://public@sentry.example/1 GET {EVENT} token /crash")


def test_another_name_for_the_template(stand: Any) -> None:
    """SENTRY_KIT_TEMPLATE names the app's own page."""
    room = stand({"errors/crash.html": "ours"}, SENTRY_KIT_TEMPLATE="errors/crash.html")
    assert room.html() == "ours"


def test_a_named_template_that_is_not_there(stand: Any) -> None:
    """A wrong SENTRY_KIT_TEMPLATE shows the bundled page, and is reported."""
    room = stand(SENTRY_KIT_TEMPLATE="errors/carsh.html")
    assert "Something broke on our side." in room.html()
    assert "errors/carsh.html" in str(room.reported[0])


@pytest.mark.parametrize(
    "block",
    ["title", "head", "brand", "heading", "message", "reference", "actions", "feedback", "dialog"],
)
def test_every_block_can_be_overridden(stand: Any, block: str) -> None:
    """Extending flask_sentry_kit/crash.html, one block at a time."""
    source = "{% extends 'flask_sentry_kit/crash.html' %}{% block NAME %}[NAME]{{ super() }}"
    source = source.replace("NAME", block) + "{% endblock %}"
    room = stand({"500.html": source}, form=True)
    html = room.html()
    assert f"[{block}]" in html
    assert not room.reported


def test_a_part_of_the_page_can_be_replaced(stand: Any) -> None:
    """An app's own crash.html is used even if it has no other template."""
    room = stand({"flask_sentry_kit/crash.html": "only this"})
    assert room.html() == "only this"


def test_the_bundled_page_bears_strict_templates(stand: Any) -> None:
    """Extended in an app that forbids undefined names, the page renders all the same."""
    room = stand({"500.html": "{% extends 'flask_sentry_kit/crash.html' %}"}, form=True)
    room.app.jinja_env.undefined = StrictUndefined
    assert "What were you doing?" in room.html()
    assert not room.reported


def test_the_apps_templates_are_compiled_apart(stand: Any) -> None:
    """The checks that bound the crash page are not in the app's other pages."""
    room = stand({"500.html": "{% for i in [1, 2] %}{{ i }}{% endfor %}"})
    assert room.html() == "12"
    with room.app.app_context():
        plain = current_app.jinja_env.get_template("500.html")
    assert "tick" not in plain.root_render_func.__globals__
    assert "tick" not in str(plain.root_render_func.__code__.co_names)


def test_the_first_crash_compiles_nothing(stand: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundled templates are ready when the app is."""
    room = stand(form=True)
    monkeypatch.setattr(
        "jinja2.environment.Environment.compile",
        lambda *_, **__: pytest.fail("a template was compiled during a crash"),
    )
    assert "What were you doing?" in room.html()
    assert not room.reported


def test_the_dialog_alone(stand: Any, snippet_options: Any) -> None:
    """The snippet for a page of the app's own: nothing more, and nothing without an event."""
    room = stand()
    with room.app.test_request_context("/"):
        assert not room.page.part("dialog", Crash(None), None)
        snippet = room.page.part("dialog", Crash(**room.crash), None)
    assert snippet.startswith("<script")
    assert snippet_options(snippet)["eventId"] == EVENT


def test_an_override_can_print_the_dialog(stand: Any, snippet_options: Any) -> None:
    """{{ sentry_crash_dialog() }} in a template of the app's own, with its nonce."""
    room = stand({"500.html": "<p>Ours</p>{{ sentry_crash_dialog() }}"})
    room.app.jinja_env.globals["csp_nonce"] = lambda: "n0nce"
    html = room.html()
    assert html.startswith("<p>Ours</p><script")
    assert html.count('nonce="n0nce"') == 2
    assert snippet_options(html)["eventId"] == EVENT


def test_the_page_is_light(stand: Any) -> None:
    """HTML, stylesheet and loader together are at most 8 kB gzipped."""
    room = stand(form=True, crash={"user_name": "Ada Lovelace", "user_email": "ada@shop.example"})
    client = room.app.test_client()
    parts = [room.get().data] + [client.get(f"/kit/{n}").data for n in ("crash.css", "dialog.js")]
    assert sum(len(gzip.compress(part)) for part in parts) <= 8000


def test_no_address_of_the_page_is_a_third_partys(stand: Any, parse: Any) -> None:
    """Everything that the page fetches comes from the app's own host."""
    page = parse(stand(form=True).html())
    fetched = [one.attributes.get("src") for one in page.elements if "src" in one.attributes]
    fetched += [one.attributes["href"] for one in page.all("link")]
    assert fetched == ["/kit/dialog.js", "/kit/icon.png", "/kit/crash.css"]


def test_the_package_has_the_templates_where_flask_looks(stand: Any) -> None:
    """An app can extend the page by the names that the documentation gives."""
    room = stand()
    with room.app.app_context():
        names = set(room.app.jinja_env.list_templates())
    assert {"500.html", "flask_sentry_kit/crash.html"} <= names
