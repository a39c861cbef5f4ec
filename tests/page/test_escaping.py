"""No user's name and no part of an address can become markup or script."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import ChoiceLoader, DictLoader

from flask_sentry_kit.crash import FeedbackForm

EVENT = "9d2c6f5b1e0a4c7f8b3d6a5e4f1c2b0d"

PAYLOADS = [
    "</script><script>window.hit=1</script>",
    "<!--<script>",
    "--></script>",
    "]]><svg/onload=window.hit=1>",
    '"><img src=x onerror=window.hit=1>',
    "' autofocus onfocus='window.hit=1",
    "</textarea><script>window.hit=1</script>",
    "</title><script>window.hit=1</script>",
    "\u2028window.hit=1//",
    "\\u003c/script>",
    "{{ 7*7 }}{% raw %}",
    "javascript:window.hit=1",
    "\x00<b>",
    "&lt;script&gt;&#60;",
    "Zoë O'Brien & Sons",
]

TEXT = st.one_of(
    st.sampled_from(PAYLOADS),
    st.text(max_size=60),
    st.text("<>&\"'/\\`-! scripttextarea\n\u2028={}", max_size=60),
)
# \x00 is no character of HTML, and line ends are folded by every parser.
CLEAN = TEXT.filter(
    lambda text: not re.search(r"[\x00-\x08\x0b-\x1f\r\x7f-\x9f\ud800-\udfff]", text)
)

MANY = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def rooms(stand: Any) -> Callable[[bool, bool], Any]:
    """The bundled page and one that extends it, each with autoescaping and without."""

    @cache
    def room(override: bool, autoescape: bool) -> Any:
        made = stand(SENTRY_KIT_TEMPLATE="mine.html" if override else "500.html")
        made.app.jinja_env.loader = ChoiceLoader(
            [
                DictLoader({"mine.html": "{% extends 'flask_sentry_kit/crash.html' %}"}),
                made.app.jinja_env.loader,
            ]
        )
        made.app.jinja_env.autoescape = autoescape
        return made

    return room


@MANY
@given(
    name=CLEAN, email=CLEAN, event_id=CLEAN.filter(bool), comments=CLEAN, autoescape=st.booleans()
)
def test_names_never_change_the_pages_shape(
    rooms: Any,
    parse: Any,
    name: str,
    email: str,
    event_id: str,
    comments: str,
    autoescape: bool,
) -> None:
    """With any name of a user the elements are the same, and the text arrives unchanged;
    in an app's template too, and where the app has switched autoescaping off."""
    for override in (False, True):
        room = rooms(override, autoescape)
        room.form = FeedbackForm("/kit/feedback", "t", name="A", email="B", comments="C")
        room.crash.update(event_id=EVENT, user_name="A", user_email="B")
        shape = parse(room.html()).shape

        room.form = FeedbackForm("/kit/feedback", "t", name=name, email=email, comments=comments)
        room.crash.update(event_id=event_id, user_name=name, user_email=email)
        html = room.html()
        page = parse(html)
        assert page.shape == shape
        assert page.by_id("sentry-kit-name").attributes["value"] == name
        assert page.by_id("sentry-kit-email").attributes["value"] == email
        assert page.one("textarea").text == "\n" + comments
        assert page.one("code").text == event_id

        script = page.all("script")[-1].text
        options = json.loads(script.removeprefix("Raven.showReportDialog(").removesuffix(");"))
        assert options["eventId"] == event_id
        known = {"name": name, "email": email}
        assert options.get("user", {}) == {key: value for key, value in known.items() if value}
        assert not set("<>&'\u2028\u2029") & set(script)
        assert not room.reported


@MANY
@given(event_id=CLEAN.filter(bool))
def test_the_plain_answers_carry_any_reference(stand: Any, parse: Any, event_id: str) -> None:
    """Text is text, JSON is JSON, and the fragment keeps its shape."""
    room = stand(crash={"event_id": event_id})
    assert json.loads(room.html(Accept="application/json"))["event_id"] == event_id
    assert event_id in room.html(Accept="text/plain")
    fragment = parse(room.html(HX_Request="true", Accept="*/*"))
    assert [one.tag for one in fragment.elements] == ["section", "h2", "p", "p", "small", "code"]


@MANY
@given(url=st.text("/\\\t\n:?#%<>\"'& ab.@", max_size=12), method=st.sampled_from(["GET", "POST"]))
def test_no_address_leads_away(stand: Any, parse: Any, url: str, method: str) -> None:
    """After any request, the links for trying again and going home stay on this host."""
    room = stand(crash={"url": url, "root_url": url, "method": method})
    for href in parse(room.html()).links().values():
        assert re.match(r"/(?![/\\])", href)
        assert not re.search(r"[\s\\]", href)


def test_names_run_no_script_in_a_browser(stand: Any, serve: Any, page: Any) -> None:
    """In Chromium, with every payload as name, address and comment: none of them runs."""
    room = stand(SENTRY_KIT_RAVEN_JS="/kit/none.js")
    base = serve(room.app)
    page.add_init_script("window.Raven = {showReportDialog(options) { window.options = options; }}")
    for payload in PAYLOADS:
        room.crash.update(user_name=payload, user_email=payload)
        room.form = FeedbackForm(
            "/kit/feedback", "t", name=payload, email=payload, comments=payload
        )
        page.goto(f"{base}/crash")
        assert page.evaluate("window.hit") is None
        assert page.evaluate("document.querySelectorAll('img, svg, b').length") == 0
        assert page.evaluate("window.options.user") == {"name": payload, "email": payload}
        if "\x00" not in payload:
            assert page.input_value("#sentry-kit-comments") == payload


@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_brand_is_text(stand: Any, parse: Any, payload: str) -> None:
    """The app's own name is escaped like every other text."""
    brand = {"name": payload}
    assert parse(stand(SENTRY_KIT_BRAND=brand).html()).one("header").text.strip() == payload.strip()
