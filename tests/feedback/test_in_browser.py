"""The form and the hosted dialog together, in a real browser (static/dialog.js)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response
from flask_talisman import Talisman

from flask_sentry_kit import csp_sources
from tests.support.sentry import RecordingSentry
from tests.support.types import MakeApp, Visit

RAVEN_JS = Path(__file__).parents[1] / "js/node_modules/raven-js/dist/raven.min.js"

# What is known of Sentry's own dialog: the wrapper's class, the class of its thanks, the message
# on closing. Everything else about it is its own.
DIALOG = b"""
(() => {
  const wrapper = document.createElement("div");
  wrapper.className = "sentry-error-embed-wrapper";
  wrapper.innerHTML = '<style>.x {}</style><div class="sentry-error-embed">'
    + '<div class="form-content"><textarea name="comments"></textarea></div>'
    + '<button id="submit">Submit</button><button id="close">Close</button></div>';
  wrapper.querySelector("#submit").onclick = () => {
    wrapper.querySelector(".form-content").innerHTML = '<p class="message-success">Thanks</p>';
  };
  wrapper.querySelector("#close").onclick = () => {
    wrapper.remove();
    window.postMessage("__sentry_reportdialog_closed__", "*");
  };
  document.body.appendChild(wrapper);
})();
"""
# A dialog in a shadow tree, as the inbox's is, says it on its outermost element.
SHADOWED = b"""
(() => {
  const host = document.createElement("div");
  host.className = "sentry-error-embed-wrapper";
  host.attachShadow({ mode: "open" }).innerHTML = '<dialog>'
    + '<textarea name="comments"></textarea><button id="submit">Submit</button>'
    + '<button id="close">Close</button></dialog>';
  const dialog = host.shadowRoot.querySelector("dialog");
  host.shadowRoot.querySelector("#submit").onclick = () => host.classList.add("message-success");
  host.shadowRoot.querySelector("#close").onclick = () => dialog.close();
  dialog.onclose = () => {
    host.remove();
    window.postMessage("__sentry_reportdialog_closed__", "*");
  };
  document.body.append(host);
  dialog.showModal();
})();
"""
HIDDEN = DIALOG.replace(b"document.body", b"wrapper.style.display = 'none'; document.body")
SCRIPT = {"Content-Type": "text/javascript"}

FORM = "#sentry-kit-feedback"
COMMENTS = f"{FORM} textarea"
OUTCOME = "#sentry-kit-outcome"
DIALOG_IS = "state => document.documentElement.dataset.sentryDialog === state"

Open = Callable[..., Any]


@pytest.fixture
def open_crash(
    chromium: Any, crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry
) -> Iterator[Callable[..., Any]]:
    """Opens the crash page of an app in a browser; keywords are its config."""
    contexts = []

    def open_(
        app: Flask | None = None, *, javascript: bool = True, clock: bool = False, **config: Any
    ) -> Any:
        app = app or crashing_app(SENTRY_DSN=sentry.dsn, **config)
        context = chromium.new_context(java_script_enabled=javascript)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        if clock:
            # Stands still until a test moves it.
            page.clock.install(time=0)
            page.clock.pause_at(1000)
        page.goto(f"{visit(app).base}/boom", wait_until="domcontentloaded")
        return page

    yield open_
    for context in contexts:
        context.close()


def test_the_form_steps_back_for_the_open_dialog(open_crash: Open, sentry: RecordingSentry) -> None:
    """While Sentry's dialog is open, the page does not ask the same a second time."""
    sentry.answers["GET", "error-page"] = (200, SCRIPT, DIALOG)
    page = open_crash()
    page.wait_for_function(DIALOG_IS, arg="open")
    assert page.is_visible(".sentry-error-embed") and not page.is_visible(FORM)
    [script] = [seen for seen in sentry.received if seen.method == "GET"]
    assert script.query["dsn"] == sentry.public_dsn


@pytest.mark.parametrize("script", [DIALOG, SHADOWED], ids=["sentry", "shadow tree"])
def test_closing_the_dialog_unsent_brings_the_form_back(
    open_crash: Open, sentry: RecordingSentry, script: bytes
) -> None:
    """Who did not like the dialog finds the form, and it works."""
    sentry.answers["GET", "error-page"] = (200, SCRIPT, script)
    page = open_crash()
    page.click("#close")
    page.wait_for_function(DIALOG_IS, arg="closed")
    page.fill(COMMENTS, "After closing")
    page.click(f"{FORM} button")
    page.wait_for_selector("text=Sent. Thank you.")
    assert sentry.wait_for_report().fields["comments"] == "After closing"


@pytest.mark.parametrize("script", [DIALOG, SHADOWED], ids=["sentry", "shadow tree"])
def test_what_was_typed_into_an_unsent_dialog_is_in_the_form(
    open_crash: Open, sentry: RecordingSentry, script: bytes
) -> None:
    """Where the dialog could not send, closing it loses no words: the form has them."""
    sentry.answers["GET", "error-page"] = (200, SCRIPT, script)
    page = open_crash()
    page.fill(".sentry-error-embed-wrapper textarea", "A long story")
    page.click("#close")
    page.wait_for_function(DIALOG_IS, arg="closed")
    assert page.input_value(COMMENTS) == "A long story"


@pytest.mark.parametrize("script", [DIALOG, SHADOWED], ids=["sentry", "shadow tree"])
def test_a_report_through_the_dialog_invites_no_second(
    open_crash: Open, sentry: RecordingSentry, script: bytes
) -> None:
    """After the dialog's thanks, closing it shows ours in place of the form."""
    sentry.answers["GET", "error-page"] = (200, SCRIPT, script)
    page = open_crash()
    page.click("#submit")
    page.click("#close")
    page.wait_for_function(DIALOG_IS, arg="sent")
    assert not page.is_visible(FORM)
    assert page.inner_text(OUTCOME) == "Sent. Thank you."


@pytest.mark.parametrize(
    "answer",
    [(404, {}, b"{}"), (403, {}, b"{}"), (500, {}, b"no")],
)
def test_a_refused_dialog_leaves_the_form(
    open_crash: Open, sentry: RecordingSentry, answer: Any
) -> None:
    """When Sentry answers no, the form is known at once, and not after 4 seconds, to be all."""
    sentry.answers["GET", "error-page"] = answer
    page = open_crash(clock=True)
    page.wait_for_function(DIALOG_IS, arg="failed")
    assert page.is_visible(FORM)


def test_a_blocked_dialog_leaves_the_form(
    open_crash: Open, crashing_app: MakeApp, free_port: int
) -> None:
    """When Sentry's host cannot be reached, the form is there."""
    dsn = f"http://public@127.0.0.1:{free_port}/7"
    page = open_crash(crashing_app(SENTRY_DSN=dsn), clock=True)
    page.wait_for_function(DIALOG_IS, arg="failed")
    assert page.is_visible(FORM)


@pytest.mark.parametrize("script", [b"", HIDDEN, b"throw new Error('broken')"])
def test_a_script_without_a_visible_dialog_leaves_the_form(
    open_crash: Open, sentry: RecordingSentry, script: bytes
) -> None:
    """Loading is not opening: an empty script, a hidden dialog, a broken one count for nothing."""
    sentry.answers["GET", "error-page"] = (200, SCRIPT, script)
    page = open_crash(clock=True)
    page.wait_for_load_state("load")
    assert page.evaluate(DIALOG_IS, "loading") and page.is_visible(FORM)
    page.clock.run_for(4100)
    page.wait_for_function(DIALOG_IS, arg="failed")
    assert page.is_visible(FORM)


def test_the_form_is_there_from_the_beginning(open_crash: Open, sentry: RecordingSentry) -> None:
    """A slow dialog keeps nobody waiting, and after 4 seconds it stays away for good."""
    sentry.answers["GET", "error-page"] = (200, SCRIPT, DIALOG)
    sentry.hold("GET")
    page = open_crash(clock=True)
    page.wait_for_function(DIALOG_IS, arg="loading")
    assert page.is_visible(FORM)
    page.clock.run_for(4100)
    page.wait_for_function(DIALOG_IS, arg="failed")
    with page.expect_event("requestfinished", lambda request: "error-page" in request.url):
        sentry.release()
    page.clock.run_for(1000)
    assert page.is_visible(FORM)
    assert page.query_selector(".sentry-error-embed") is None


def test_nobody_who_writes_is_interrupted(open_crash: Open, sentry: RecordingSentry) -> None:
    """A dialog that comes when the visitor has begun to write does not open."""
    sentry.answers["GET", "error-page"] = (200, SCRIPT, DIALOG)
    sentry.hold("GET")
    page = open_crash()
    page.wait_for_function(DIALOG_IS, arg="loading")
    page.fill(COMMENTS, "I was just")
    with page.expect_event("requestfinished", lambda request: "error-page" in request.url):
        sentry.release()
    page.evaluate("() => new Promise((done) => requestAnimationFrame(done))")
    assert page.query_selector(".sentry-error-embed") is None
    assert page.is_visible(FORM) and page.input_value(COMMENTS) == "I was just"


def test_sent_in_place(open_crash: Open, sentry: RecordingSentry) -> None:
    """With JavaScript the page stays; the outcome is announced and has the focus."""
    page = open_crash(SENTRY_KIT_DIALOG=False)
    address = page.url
    page.fill(COMMENTS, "Words in place")
    page.keyboard.press("Tab")
    page.click(f"{FORM} button")
    page.wait_for_selector("text=Sent. Thank you.")
    assert page.url == address and not page.is_visible(FORM)
    assert page.evaluate("document.activeElement.id") == "sentry-kit-outcome"
    assert page.get_attribute(OUTCOME, "role") == "status"
    assert sentry.wait_for_report().fields["comments"] == "Words in place"


def test_two_clicks_send_once(open_crash: Open, sentry: RecordingSentry) -> None:
    """A second click while sending does nothing."""
    page = open_crash(SENTRY_KIT_DIALOG=False)
    page.fill(COMMENTS, "Once")
    posts = []
    page.on("request", lambda request: posts.append(request) if request.method == "POST" else None)
    page.evaluate(
        "(form) => { const button = document.querySelector(form + ' button');"
        " button.click(); button.click(); }",
        FORM,
    )
    page.wait_for_selector("text=Sent. Thank you.")
    assert len(posts) == 1 and len(sentry.reports) == 1


def test_what_was_typed_survives_a_lost_connection(
    open_crash: Open, sentry: RecordingSentry
) -> None:
    """Offline: the page says so and keeps the words; back online, they are sent."""
    page = open_crash(SENTRY_KIT_DIALOG=False)
    page.fill(COMMENTS, "From the tunnel")
    page.context.set_offline(True)
    page.click(f"{FORM} button")
    page.wait_for_selector("text=This could not be sent: there is no connection.")
    assert page.input_value(COMMENTS) == "From the tunnel"
    page.context.set_offline(False)
    page.click(f"{FORM} button")
    page.wait_for_selector("text=Sent. Thank you.")
    assert sentry.wait_for_report().fields["comments"] == "From the tunnel"


def test_where_fetch_is_blocked_the_second_try_is_a_plain_form(
    open_crash: Open, sentry: RecordingSentry
) -> None:
    """A blocker that stops the script's request does not stop the visitor who tries again."""
    page = open_crash(SENTRY_KIT_DIALOG=False)
    page.route(
        "**/feedback",
        lambda route, request: (
            route.abort() if request.resource_type == "fetch" else route.continue_()
        ),
    )
    page.fill(COMMENTS, "Past the blocker")
    page.click(f"{FORM} button")
    page.wait_for_selector("text=This could not be sent")
    page.click(f"{FORM} button")
    page.wait_for_url("**/feedback/sent/**")
    assert sentry.wait_for_report().fields["comments"] == "Past the blocker"


def test_a_wrong_field_is_marked_in_place(open_crash: Open, sentry: RecordingSentry) -> None:
    """What the server does not take is said at its field, which gets the focus."""
    page = open_crash(SENTRY_KIT_DIALOG=False)
    page.fill(COMMENTS, "Words")
    page.fill(f"{FORM} [name=email]", "ada@shop")
    page.click(f"{FORM} button")
    page.wait_for_selector("#sentry-kit-email-error:has-text('not an email address')")
    assert page.evaluate("document.activeElement.name") == "email"
    assert page.get_attribute(f"{FORM} [name=email]", "aria-invalid") == "true"
    page.fill(f"{FORM} [name=email]", "ada@shop.example")
    page.click(f"{FORM} button")
    page.wait_for_selector("text=Sent. Thank you.")
    assert sentry.wait_for_report().fields["email"] == "ada@shop.example"


def test_without_javascript_a_page_answers(open_crash: Open, sentry: RecordingSentry) -> None:
    """JavaScript off: the same form, a page that thanks."""
    page = open_crash(javascript=False)
    page.fill(COMMENTS, "No script here")
    page.click(f"{FORM} button")
    page.wait_for_url("**/feedback/sent/**")
    assert "Sent. Thank you." in page.inner_text("body")
    assert sentry.wait_for_report().fields["comments"] == "No script here"


def _with_policy(app: Flask, policy: str) -> Flask:
    @app.after_request
    def add(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = policy
        return response

    return app


def test_a_strict_policy_leaves_the_form_whole(
    open_crash: Open, crashing_app: MakeApp, sentry: RecordingSentry
) -> None:
    """Under default-src 'self' the snippet is blocked, and the form is sent in place."""
    sentry.answers["GET", "error-page"] = (200, SCRIPT, DIALOG)
    page = open_crash(_with_policy(crashing_app(SENTRY_DSN=sentry.dsn), "default-src 'self'"))
    address = page.url
    page.fill(COMMENTS, "Strictly")
    page.click(f"{FORM} button")
    page.wait_for_selector("text=Sent. Thank you.")
    assert page.url == address
    assert [seen.method for seen in sentry.received] == ["POST", "POST"]


def test_a_policy_without_connections_gets_a_plain_post(
    open_crash: Open, crashing_app: MakeApp, sentry: RecordingSentry
) -> None:
    """Where a policy forbids fetch, the form is sent as any form is."""
    policy = "default-src 'self'; connect-src 'none'"
    page = open_crash(_with_policy(crashing_app(SENTRY_DSN=sentry.dsn), policy))
    page.fill(COMMENTS, "Without fetch")
    page.click(f"{FORM} button")
    page.wait_for_url("**/feedback/sent/**")
    assert sentry.wait_for_report().fields["comments"] == "Without fetch"


def test_csp_sources_let_the_dialog_open(
    open_crash: Open, crashing_app: MakeApp, sentry: RecordingSentry
) -> None:
    """Merged into Flask-Talisman's policy with nonces: the dialog opens, nothing is violated."""
    sentry.answers["GET", "error-page"] = (200, SCRIPT, DIALOG)
    app = crashing_app(SENTRY_DSN=sentry.dsn)
    Talisman(
        app,
        force_https=False,
        session_cookie_secure=False,
        content_security_policy={"default-src": "'self'", **csp_sources(app)},
        content_security_policy_nonce_in=["script-src"],
    )
    violations = "() => window.violations = []"
    page = open_crash(app)
    page.evaluate(violations)
    page.evaluate(
        "document.addEventListener('securitypolicyviolation', (e) => violations.push(e.blockedURI))"
    )
    page.wait_for_function(DIALOG_IS, arg="open")
    page.evaluate("(url) => fetch(url, {method: 'POST'})", f"http://127.0.0.1:{sentry.port}/report")
    assert page.evaluate("violations") == []


def test_real_raven_js_in_place_of_the_loader(
    open_crash: Open, crashing_app: MakeApp, sentry: RecordingSentry
) -> None:
    """With SENTRY_KIT_RAVEN_JS, raven-js opens the dialog and the form behaves the same."""
    sentry.answers["GET", "error-page"] = (200, SCRIPT, DIALOG)
    assert RAVEN_JS.exists(), "raven-js is missing: `make test` brings it (npm ci)"
    app = crashing_app(SENTRY_DSN=sentry.dsn, SENTRY_KIT_RAVEN_JS="/raven.js")

    @app.get("/raven.js")
    def raven_js() -> Response:
        return Response(RAVEN_JS.read_bytes(), mimetype="text/javascript")

    page = open_crash(app)
    page.wait_for_function(DIALOG_IS, arg="open")
    assert page.evaluate("Raven.VERSION") == "3.27.2"
    assert not page.is_visible(FORM)
    page.click("#close")
    page.fill(COMMENTS, "Past raven-js")
    page.click(f"{FORM} button")
    page.wait_for_selector("text=Sent. Thank you.")
    assert sentry.wait_for_report().fields["comments"] == "Past raven-js"
