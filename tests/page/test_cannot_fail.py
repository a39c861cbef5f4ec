"""The page cannot fail: each test breaks one step, and the visitor still gets a page.

Every test here breaks one thing, and checks that the visitor still gets a 500 with the first
crash's reference while the second error is reported.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from flask import template_rendered
from greenlet import GreenletExit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import DictLoader, Environment

from flask_sentry_kit.page import bounds, facts, plain

EVENT = "9d2c6f5b1e0a4c7f8b3d6a5e4f1c2b0d"

BUNDLED = '<link rel="stylesheet"'
"""Only the bundled page has it, of all that can come out."""


class Hostile(Exception):
    """An exception whose text and attributes raise."""

    def __str__(self) -> str:
        raise SystemExit("no text")

    __repr__ = __str__
    __hash__ = None  # type: ignore[assignment] # exactly what some dataclass exceptions have


class Strange(BaseException):
    """A BaseException that is no signal to end the request."""


ERRORS: list[Callable[[], BaseException]] = [
    lambda: ValueError("broken"),
    Hostile,
    RecursionError,
    MemoryError,
    lambda: SystemExit(3),
    KeyboardInterrupt,
    Strange,
]


def names(error: Callable[[], BaseException]) -> str:
    return type(error()).__name__


def raising(error: Callable[[], BaseException]) -> Callable[..., Any]:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise error()

    return fail


def assert_bundled_page(room: Any, error: type[BaseException] | None = None) -> None:
    answer = room.get()
    assert answer.status_code == 500
    assert BUNDLED in answer.text
    assert EVENT in answer.text
    assert len(room.reported) == 1
    if error is not None:
        assert isinstance(room.reported[0], error)


@pytest.mark.parametrize("error", ERRORS, ids=names)
def test_an_override_that_raises(stand: Any, error: Callable[[], BaseException]) -> None:
    """The bundled page takes over, and the second error is reported, not shown."""
    room = stand({"500.html": "half a page {{ broken() }}"})
    room.app.jinja_env.globals["broken"] = raising(error)
    assert_bundled_page(room, type(error()))
    assert "half a page" not in room.html()


@pytest.mark.parametrize("error", ERRORS, ids=names)
def test_a_context_processor_that_raises(stand: Any, error: Callable[[], BaseException]) -> None:
    """It may have caused the crash: the bundled page does not call it."""
    room = stand({"500.html": "{{ event_id }}"})
    room.app.context_processor(raising(error))
    assert_bundled_page(room, type(error()))


@pytest.mark.parametrize(
    "source",
    [
        "{% if %}",
        "{{ missing.name.first }}",
        "{{ 'x'|broken }}",
        "{{ event_id|unknown_filter }}",
        "{% extends 'no_such_layout.html' %}",
        "{% include 'no_such_part.html' %}",
        "{{ 1 / 0 }}",
    ],
)
def test_an_override_that_cannot_be(stand: Any, source: str) -> None:
    """Errors in syntax, names, filters, layouts or sums: each leads to the bundled page."""
    room = stand({"500.html": source})
    room.app.jinja_env.filters["broken"] = raising(ERRORS[0])
    assert_bundled_page(room)


def test_an_override_that_is_no_text(stand: Any, tmp_path: Any) -> None:
    """A template in another encoding is a broken template."""
    room = stand({"500.html": ""})
    (tmp_path / "templates" / "500.html").write_bytes(b"\xff\xfe caf\xe9")
    assert_bundled_page(room, UnicodeDecodeError)


@pytest.mark.parametrize(
    "source",
    [
        "{% include '500.html' %}",
        "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
        "{% extends '500.html' %}",
        "{% for x in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}",
    ],
)
def test_an_override_that_recurses(stand: Any, source: str) -> None:
    """Endless recursion is stopped, and the bundled page shows."""
    assert_bundled_page(stand({"500.html": source}))


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in range(10 ** 12) %}{% endfor %}",
        "{% for i in range(10 ** 12) if false %}{% endfor %}",
        "{% for i in range(10 ** 12) %}{{ i }}{% endfor %}",
        "{% for i in range(10 ** 12) %}{% set x = i %}{% endfor %}",
        "{% macro a() %}{% for i in range(10 ** 12) %}x{% endfor %}{% endmacro %}{{ a() }}",
        "{% macro a(n) %}{% if n %}{{ a(n - 1) }}{{ a(n - 1) }}{% endif %}{% endmacro %}"
        "{{ a(60) }}",
        "{% block a %}{% for i in endless() %}{{ loop.index }}{% endfor %}{% endblock %}",
        "{% for i in range(10 ** 6) %}{{ 'x' * 1000 }}{% endfor %}",
        "{% include 'part.html' %}",
        "{% extends 'flask_sentry_kit/crash.html' %}{% block head %}"
        "{% for i in endless() %}{% endfor %}{% endblock %}",
    ],
)
def test_an_override_without_end(stand: Any, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A template that writes, loops or calls itself without end leads to the bundled page."""
    monkeypatch.setattr(bounds, "STEPS", 20_000)
    monkeypatch.setattr(bounds, "CHARACTERS", 200_000)
    part = "{% for i in range(10 ** 12) %}{% endfor %}"
    room = stand({"500.html": source, "part.html": part})
    room.app.jinja_env.globals["endless"] = lambda: iter(int, 1)
    assert_bundled_page(room, bounds.RenderLimitExceeded)


def test_an_override_that_takes_its_time(stand: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow template is stopped at its next step."""
    monkeypatch.setattr(bounds, "SECONDS", 0.02)
    room = stand({"500.html": "{% for i in range(1000) %}{{ wait() }}{% endfor %}"})
    room.app.jinja_env.globals["wait"] = lambda: time.sleep(0.01) or ""
    before = time.monotonic()
    assert_bundled_page(room, bounds.RenderLimitExceeded)
    assert time.monotonic() - before < 2


def test_the_bounds_cannot_be_swallowed(stand: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the app's helpers that catches every Exception does not catch this one."""
    monkeypatch.setattr(bounds, "STEPS", 1000)

    def forgiving(caller: Callable[[], str]) -> str:
        try:
            return caller()
        except Exception:
            return "forgiven"

    room = stand(
        {"500.html": "{% call forgiving() %}{% for i in range(9999) %}{% endfor %}{% endcall %}"}
    )
    room.app.jinja_env.globals["forgiving"] = forgiving
    assert_bundled_page(room, bounds.RenderLimitExceeded)


def test_an_ordinary_large_page_is_within_bounds(stand: Any) -> None:
    """The bounds are for endless templates: a page of 10,000 rows still shows."""
    room = stand({"500.html": "{% for i in range(10000) %}{{ loop.index }},{% endfor %}end"})
    assert room.html().endswith("10000,end")
    assert not room.reported


def test_an_async_environment(stand: Any) -> None:
    """An app with enable_async renders, and is bounded, like any."""
    room = stand({"500.html": "{% for i in [1, 2] %}{{ i }}{% endfor %}"})
    room.app.jinja_env.is_async = True
    assert room.html() == "12"


def test_an_environment_that_cannot_be_made(stand: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The app's own Jinja environment is not needed."""
    room = stand()
    monkeypatch.setitem(room.app.__dict__, "jinja_env", None)
    answer = room.get()
    assert BUNDLED in answer.text
    assert EVENT in answer.text
    assert room.reported


@pytest.mark.parametrize("error", ERRORS, ids=names)
def test_a_loader_that_raises(stand: Any, error: Callable[[], BaseException]) -> None:
    """Templates from a database that is down."""
    room = stand()
    loader = DictLoader({})
    loader.get_source = raising(error)  # type: ignore[method-assign] # the fault
    room.app.jinja_env.loader = loader
    assert_bundled_page(room, type(error()))


@pytest.mark.parametrize("error", ERRORS, ids=names)
def test_a_template_signal_that_raises(stand: Any, error: Callable[[], BaseException]) -> None:
    """A receiver of template_rendered that fails cannot take the page down."""
    room = stand({"500.html": "ours"})
    fail = raising(error)
    with template_rendered.connected_to(fail, room.app):
        assert_bundled_page(room, type(error()))


@pytest.mark.parametrize("error", ERRORS, ids=names)
def test_a_nonce_that_raises(stand: Any, error: Callable[[], BaseException]) -> None:
    """The page shows without one."""
    room = stand()
    room.app.jinja_env.globals["csp_nonce"] = raising(error)
    assert_bundled_page(room, type(error()))


@pytest.mark.parametrize("error", ERRORS, ids=names)
def test_an_asset_address_that_raises(stand: Any, error: Callable[[], BaseException]) -> None:
    """The page shows without its stylesheet."""
    room = stand()
    room.page._asset_url = raising(error)
    answer = room.get()
    assert answer.status_code == 500
    assert "<h1>" in answer.text
    assert EVENT in answer.text


def test_dialog_options_that_cannot_be_written(stand: Any) -> None:
    """The page shows without a dialog, and without half a script."""
    room = stand(SENTRY_KIT_DIALOG={"user": {"name": object()}})
    html = room.html()
    assert "showReportDialog" not in html
    assert EVENT in html
    assert isinstance(room.reported[0], TypeError)


@pytest.mark.parametrize("error", ERRORS, ids=names)
def test_the_bundled_page_that_raises(
    stand: Any, monkeypatch: pytest.MonkeyPatch, error: Callable[[], BaseException]
) -> None:
    """The last page is a string, and its statements are still true."""
    room = stand()
    monkeypatch.setattr(Environment, "get_template", raising(error))
    answer = room.get()
    assert answer.status_code == 500
    assert answer.mimetype == "text/html"
    assert BUNDLED not in answer.text
    for words in ("Something broke on our side.", "We have a report of this.", EVENT):
        assert words in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("step", ["retry_url", "support_url", "local_path"])
@pytest.mark.parametrize("error", ERRORS, ids=names)
def test_our_own_code_that_raises(
    stand: Any, monkeypatch: pytest.MonkeyPatch, step: str, error: Callable[[], BaseException]
) -> None:
    """An error in the kit's own code does not lose the page either."""
    room = stand()
    monkeypatch.setattr(facts, step, raising(error))
    answer = room.get()
    assert answer.status_code == 500
    assert EVENT in answer.text
    assert len(room.reported) == 1


@pytest.mark.parametrize("kind", ["text", "problem"])
def test_plain_answers_that_raise(stand: Any, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """If the plain formats fail too, the constant page shows."""
    room = stand()
    monkeypatch.setattr(plain, kind, raising(ERRORS[0]))
    accept = {"text": "text/plain", "problem": "application/json"}[kind]
    answer = room.get(Accept=accept)
    assert answer.status_code == 500
    assert EVENT in answer.text


@pytest.mark.parametrize("error", ERRORS, ids=names)
def test_a_report_that_raises(stand: Any, error: Callable[[], BaseException]) -> None:
    """The page shows even if the second error cannot be reported."""
    room = stand({"500.html": "{{ 1 / 0 }}"})
    room.page._report = raising(error)
    answer = room.get()
    assert BUNDLED in answer.text
    assert EVENT in answer.text


@pytest.mark.parametrize("error", ERRORS, ids=names)
def test_a_log_that_raises(stand: Any, error: Callable[[], BaseException]) -> None:
    """A logging filter that fails does not take the page with it."""
    room = stand({"500.html": "{{ 1 / 0 }}"})
    logger = logging.getLogger("flask_sentry_kit")
    broken = raising(error)
    logger.addFilter(broken)
    try:
        assert_bundled_page(room, ZeroDivisionError)
    finally:
        logger.removeFilter(broken)


def test_every_failing_attempt_is_logged_once(stand: Any, caplog: pytest.LogCaptureFixture) -> None:
    """With its traceback, so that the app's developer can fix it."""
    room = stand({"500.html": "{{ 1 / 0 }}"})
    room.html()
    (record,) = [one for one in caplog.records if one.name == "flask_sentry_kit"]
    assert "500.html" in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


class Cancelled(asyncio.CancelledError):
    """A subclass, as frameworks make their own."""


@pytest.mark.parametrize(
    "stop", [GreenletExit, gevent.Timeout, asyncio.CancelledError, Cancelled, GeneratorExit]
)
def test_who_ends_the_request_from_outside_ends_it(stand: Any, stop: type[BaseException]) -> None:
    """A killed greenlet, a timeout around the request, a cancelled task: these must pass."""
    room = stand({"500.html": "{{ stop() }}"})
    room.app.jinja_env.globals["stop"] = raising(stop)
    with pytest.raises(stop):
        room.get()
    assert not room.reported


FAULTS = (
    "override",
    "context processor",
    "nonce",
    "asset",
    "report",
    "loader",
    "globals",
    "bundled",
    "log",
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    faults=st.sets(st.sampled_from(FAULTS)),
    error=st.sampled_from(ERRORS),
    accept=st.sampled_from(["text/html", "application/json", "text/plain", "*/*", ";;q=", ""]),
    headers=st.dictionaries(
        st.sampled_from(["HX_Request", "Referer", "X_Requested_With", "Sec_Fetch_Dest"]),
        st.text(st.characters(min_codepoint=33, max_codepoint=255), min_size=1),
    ),
)
def test_any_faults_together(
    stand: Any,
    faults: set[str],
    error: Callable[[], BaseException],
    accept: str,
    headers: dict[str, str],
) -> None:
    """Any faults together, for any kind of request: status 500, with the reference."""
    room = stand({"500.html": "{{ broken() }}" if "override" in faults else "{{ event_id }}"})
    fail = raising(error)
    room.app.jinja_env.globals["broken"] = fail
    logger = logging.getLogger("flask_sentry_kit")
    with pytest.MonkeyPatch.context() as patch:
        if "context processor" in faults:
            room.app.context_processor(fail)
        if "nonce" in faults:
            room.app.jinja_env.globals["csp_nonce"] = fail
        if "asset" in faults:
            patch.setattr(room.page, "_asset_url", fail)
        if "report" in faults:
            patch.setattr(room.page, "_report", fail)
        if "loader" in faults:
            patch.setattr(room.app.jinja_env.loader, "get_source", fail)
        if "globals" in faults:
            patch.setattr(room.app.jinja_env, "globals", None)
        if "bundled" in faults:
            patch.setattr(room.page._bundled, "get_template", fail)
        if "log" in faults:
            logger.addFilter(fail)
        try:
            answer = room.get(Accept=accept, **headers)
        finally:
            logger.removeFilter(fail)
    assert answer.status_code == 500
    assert EVENT in answer.text
    assert "secret of the shop" not in answer.text
