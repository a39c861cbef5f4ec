"""Which reporter an app has, for each order of ``init`` and registration: one event of a crash."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_sentry_kit import DsnError, Sentry, SettingError, capture_feedback, sentry, sentry_kit
from flask_sentry_kit.outbox import Item, Request
from flask_sentry_kit.outbox.spool import Spool
from tests.support.sdk import Sdk
from tests.support.sentry import RecordingSentry
from tests.support.types import MakeApp, NewSentry
from tests.watch.ways import answer_of, view

BY_SDK = "{url}/api/1/envelope/"
BY_RAVEN = "{url}/api/1/store/"


def init_first(sdk: Sdk, app: Flask) -> None:
    sdk.init(dsn=None)
    app.register_blueprint(sentry_kit)


def init_last(sdk: Sdk, app: Flask) -> None:
    app.register_blueprint(sentry_kit)
    sdk.init(dsn=None)


ORDERS = {"init first": init_first, "init last": init_last}


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[str], list[str]]:
    """The kit's log lines so far that have some words in them."""
    caplog.set_level(logging.INFO, "flask_sentry_kit")

    def found(words: str) -> list[str]:
        texts = [one.getMessage() for one in caplog.records if one.name == "flask_sentry_kit"]
        return [text for text in texts if words in text]

    return found


@pytest.fixture
def plain() -> Flask:
    """An app that crashes at /x, without the kit."""
    app = Flask("shop")
    app.secret_key = "k"
    view(app)
    return app


def roads(wire: RecordingSentry) -> list[str]:
    """By which address each event came: the SDK's is that of envelopes."""
    return [one.path.split("/")[-2] for one in wire.received if one.event]


@pytest.mark.parametrize("order", ORDERS)
def test_a_dsn_that_both_can_read_makes_one_event(
    order: str,
    sdk: Sdk,
    plain: Flask,
    wire: RecordingSentry,
    monkeypatch: pytest.MonkeyPatch,
    lines: Any,
) -> None:
    """SENTRY_DSN of the environment, the common case: the initialised SDK reports, and one line
    says so."""
    monkeypatch.setenv("SENTRY_DSN", wire.dsn)
    ORDERS[order](sdk, plain)
    response = answer_of(plain)
    assert sdk.event["event_id"] == response.headers["X-Sentry-ID"]
    assert roads(wire) == ["envelope"]
    [line] = lines("go to project")
    assert wire.url in line and "sentry-sdk" in line
    assert lines("event of every crash") == [] == lines("there is no DSN")


@pytest.mark.parametrize("order", ORDERS)
def test_the_apps_own_dsn_does_not_make_a_second_event(
    order: str, sdk: Sdk, plain: Flask, wire: RecordingSentry, new_sentry: NewSentry
) -> None:
    """SENTRY_DSN of app.config beside an initialised SDK with another DSN."""
    other = new_sentry()
    plain.config["SENTRY_DSN"] = other.dsn
    if order == "init first":
        sdk.init()
    plain.register_blueprint(sentry_kit)
    if order == "init last":
        sdk.init()
    response = answer_of(plain)
    assert sdk.event["event_id"] == response.headers["X-Sentry-ID"]
    assert wire.public_dsn in response.text and other.received == []


def test_without_init_raven_reports(sdk: Sdk, plain: Flask, wire: RecordingSentry) -> None:
    """Though sentry-sdk is installed."""
    plain.config["SENTRY_DSN"] = wire.dsn
    plain.register_blueprint(sentry_kit)
    response = answer_of(plain)
    assert wire.one_event(plain)["event_id"] == response.headers["X-Sentry-ID"]
    assert roads(wire) == ["store"]


@pytest.mark.parametrize("when", ["before the blueprint", "after the blueprint"])
def test_a_sentry_of_the_apps_own_beside_an_initialised_sdk(
    when: str, sdk: Sdk, plain: Flask, wire: RecordingSentry, new_sentry: NewSentry, lines: Any
) -> None:
    """Both send an event; the page shows the Sentry's id, and one line says so."""
    other = new_sentry()
    sdk.init()
    if when.startswith("before"):
        Sentry(plain, dsn=other.dsn)
    plain.register_blueprint(sentry_kit)
    if when.startswith("after"):
        Sentry(plain, dsn=other.dsn)
    responses = [answer_of(plain) for _ in range(2)]
    assert plain.extensions["sentry"].flush(10)
    shown = [response.headers["X-Sentry-ID"] for response in responses]
    assert [event["event_id"] for event in other.events] == shown
    assert len(sdk.events) == 2
    assert len(lines("each sends an event of every crash")) == 1


def test_raven_by_name_beside_an_initialised_sdk(
    sdk: Sdk, plain: Flask, wire: RecordingSentry, new_sentry: NewSentry
) -> None:
    """The app's own decision holds."""
    other = new_sentry()
    plain.config.update(SENTRY_DSN=other.dsn, SENTRY_KIT_REPORTER="raven")
    sdk.init()
    plain.register_blueprint(sentry_kit)
    response = answer_of(plain)
    assert other.one_event(plain)["event_id"] == response.headers["X-Sentry-ID"]
    assert len(sdk.events) == 1


def test_the_sdk_by_name_beside_a_sentry_of_the_apps_own(
    sdk: Sdk, plain: Flask, wire: RecordingSentry, new_sentry: NewSentry
) -> None:
    """The page shows the id of the SDK's event; the Sentry stays where the app looks for it."""
    other = new_sentry()
    plain.config["SENTRY_KIT_REPORTER"] = "sentry-sdk"
    sdk.init()
    own = Sentry(plain, dsn=other.dsn)
    plain.register_blueprint(sentry_kit)
    response = answer_of(plain)
    assert sdk.event["event_id"] == response.headers["X-Sentry-ID"]
    assert plain.extensions["sentry"] is own


def test_init_after_the_first_request_is_logged(
    sdk: Sdk, plain: Flask, wire: RecordingSentry, lines: Any
) -> None:
    """By then raven reports, so each sends an event: one line says what to do."""
    plain.config["SENTRY_DSN"] = wire.dsn
    plain.register_blueprint(sentry_kit)
    answer_of(plain, "/nowhere")
    sdk.init()
    for _ in range(2):
        answer_of(plain)
    assert plain.extensions["sentry"].flush(10)
    assert len(sdk.events) == 4
    assert len(lines("was called after the first request")) == 1


def a_message(app: Flask) -> None:
    with app.app_context():
        assert sentry.captureMessage("hello")


def an_exception(app: Flask) -> None:
    with app.app_context():
        assert sentry.captureException(ValueError("hello"))


def a_record(app: Flask) -> None:
    logging.getLogger("shop.jobs").error("hello")


FIRST: dict[str, Callable[[Flask], None]] = {
    "message": a_message,
    "exception": an_exception,
    "record": a_record,
}


@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("initialised", [True, False], ids=["SDK", "raven"])
def test_what_comes_before_the_first_request_is_one_event(
    first: str, initialised: bool, sdk: Sdk, shop: MakeApp, wire: RecordingSentry
) -> None:
    """It settles the reporter, by the rule that the first request would settle it by."""
    app = shop(SENTRY_DSN=wire.dsn, SENTRY_KIT_LOGGING="ERROR")
    if initialised:
        sdk.init()
    FIRST[first](app)
    assert app.extensions["sentry"].flush(10)
    sdk.flush()
    wire.wait_for(1)
    assert roads(wire) == ["envelope" if initialised else "store"]


@pytest.mark.parametrize("initialised", [True, False], ids=["SDK", "raven"])
def test_words_before_the_first_request(
    initialised: bool, sdk: Sdk, shop: MakeApp, wire: RecordingSentry, new_sentry: NewSentry
) -> None:
    """They go where crashes go."""
    other = new_sentry()
    app = shop(SENTRY_DSN=other.dsn)
    if initialised:
        sdk.init()
    with app.app_context():
        assert capture_feedback("It forgets my basket.")
    assert app.extensions["sentry"].flush(10)
    assert [bool(wire.received), bool(other.received)] == [initialised, not initialised]


def test_a_malformed_dsn_is_refused_at_registration(sdk: Sdk, plain: Flask) -> None:
    """Even if the SDK would report, and before the app is changed."""
    plain.config["SENTRY_DSN"] = "http://localhost"
    with pytest.raises(DsnError, match="SENTRY_DSN"):
        plain.register_blueprint(sentry_kit)
    assert "sentry" not in plain.extensions


@pytest.mark.parametrize("config", [{}, {"SENTRY_KIT_REPORTER": "sentry-sdk"}])
@pytest.mark.parametrize("ready", [True, False])
def test_a_setting_of_the_wrong_type_is_refused_at_registration(
    config: dict[str, str], ready: bool, sdk: Sdk, plain: Flask
) -> None:
    """A name where a list of names belongs, whichever came first and whoever will report."""
    if ready:
        sdk.init()
    plain.config.update(config, SENTRY_USER_ATTRS="email")
    with pytest.raises(SettingError, match="SENTRY_USER_ATTRS takes a list"):
        plain.register_blueprint(sentry_kit)
    assert "sentry" not in plain.extensions


@pytest.mark.parametrize("reporter", ["auto", "sentry-sdk"])
def test_work_begins_when_the_dsn_is_known(
    reporter: str, sdk: Sdk, plain: Flask, wire: RecordingSentry, lines: Any, tmp_path: Path
) -> None:
    """At the first request, where init comes after the blueprint: what a killed process left is
    delivered, and no line says that nothing is reported."""
    path = str(tmp_path / "spool.sqlite")
    spool = Spool(path, 100, 10**6)
    spool.add(Item("feedback", "0" * 32, Request(f"{wire.url}/api/embed/error-page/", {}, b"")))
    spool.close()
    plain.config.update(SENTRY_KIT_REPORTER=reporter, SENTRY_KIT_SPOOL=path)
    plain.add_url_rule("/", view_func=lambda: "fine")
    plain.register_blueprint(sentry_kit)
    sdk.init(auto_session_tracking=False)
    assert plain.test_client().get("/").text == "fine"
    assert plain.extensions["sentry"].flush(10)
    assert [one.path for one in wire.received] == ["/api/embed/error-page/"]
    assert len(lines("reported by sentry-sdk")) == 1 and lines("nothing is reported") == []
