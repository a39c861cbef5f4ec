"""``flask sentry-kit check`` on an app whose events sentry-sdk sends."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import sentry_sdk
from flask import Flask

from flask_sentry_kit import Sentry, sentry_kit
from tests.check.checked import KEY, Checked, as_a_sentry, check
from tests.support.sdk import Sdk
from tests.support.sentry import RecordingSentry
from tests.support.types import NewSentry


@pytest.fixture(autouse=True)
def _answers(wire: RecordingSentry) -> None:
    wire.answer = as_a_sentry


def shop(**config: Any) -> Flask:
    app = Flask("shop")
    app.config.update({"SECRET_KEY": KEY, **config})
    app.add_url_rule("/", "index", lambda: "fine")
    app.register_blueprint(sentry_kit)
    return app


def notes(found: Checked) -> list[str]:
    return [one["what"] for one in found.all("reporter") if one["level"] != "ok"]


@pytest.mark.parametrize("init_first", [True, False])
def test_an_app_in_order_has_marked_event_and_words(
    init_first: bool, sdk: Sdk, wire: RecordingSentry
) -> None:
    """Whichever came first, init or the blueprint: both arrive with the client's environment and
    release, and the page has dialog and form."""

    def load() -> Flask:
        if init_first:
            sdk.init(environment="staging", release="shop@1")
        app = shop()
        if not init_first:
            sdk.init(environment="staging", release="shop@1")
        return app

    found = check(load)
    assert found.code == 0, found.text
    assert found["dsn"]["what"] == f"{wire.public_dsn}, from sentry_sdk.init()"
    version = sentry_sdk.VERSION
    assert found["reporter"]["what"] == f"sentry-sdk {version}, since sentry_sdk.init() was called"
    assert [found.levels[id] for id in ("reporter", "event", "words", "page")] == ["ok"] * 4
    assert "with dialog and form" in found["page"]["what"]
    event = sdk.event  # the crash that the page is looked at with is not sent
    assert (event["message"], event["tags"]) == (
        "flask sentry-kit check",
        {"sentry-kit": "check"},
    )
    assert (event["environment"], event["release"]) == ("staging", "shop@1")
    assert wire.wait_for_report().query["eventId"] == event["event_id"]


def test_a_dry_run_sends_nothing_of_the_sdk(sdk: Sdk, wire: RecordingSentry) -> None:
    """No event, no transaction, and no session of a release that crashed. Afterwards all are sent
    as before."""
    client = sdk.init(
        release="shop@1",
        traces_sample_rate=1.0,
        sample_rate=0.5,
        enable_backpressure_handling=False,  # its thread outlives the client
    )
    transport = client.transport
    app = shop()
    found = check(app, "--dry-run")
    assert "with dialog and form" in found["page"]["what"]
    client.session_flusher.flush()
    sdk.flush()
    assert {request.method for request in wire.received} == {"GET"}
    assert client.transport is transport
    assert (client.options["sample_rate"], client.options["auto_session_tracking"]) == (0.5, True)
    client.options["sample_rate"] = 1.0
    logging.getLogger("shop").error("after it")
    assert sdk.event["logentry"]["message"] == "after it"


def test_sampling_is_noted(sdk: Sdk) -> None:
    """By sample_rate, and by a function."""
    sdk.init(sample_rate=0.25)
    assert "sample_rate is 0.25: the other crashes have no event" in notes(check(shop()))[0]
    sdk.init(error_sampler=lambda event, hint: 1.0)
    assert "error_sampler chooses" in notes(check(shop()))[0]


def test_two_reporters_are_a_problem(sdk: Sdk, wire: RecordingSentry) -> None:
    """With a Sentry that the app made itself, unless SENTRY_KIT_REPORTER chooses one of them."""
    sdk.init()

    def load(**config: Any) -> Flask:
        app = Flask("shop")
        app.config.update({"SECRET_KEY": KEY, "SENTRY_DSN": wire.dsn, **config})
        Sentry(app)
        app.register_blueprint(sentry_kit)
        return app

    found = check(load())
    who, both = found.all("reporter")
    assert who["what"] == "raven, by the Sentry that the app made itself"
    assert both["level"] == "broken" and found.code == 1
    assert "sentry_sdk is initialised too" in both["what"]
    for name, second in (("raven", "sentry_sdk is initialised"), ("sentry-sdk", "made a Sentry")):
        app = load(SENTRY_KIT_REPORTER=name)
        found = check(app)
        assert found.code == 0, found.text
        assert second in notes(found)[0]
        assert app.extensions["sentry"].flush(10)  # the second one's event


def test_ravens_settings_without_effect_are_named(sdk: Sdk) -> None:
    """By name, each with what takes its place, and never with its value. What the app has given to
    the SDK too, and what holds, is no fault."""
    sdk.init(environment="staging", ignore_errors=[KeyError])
    app = shop(
        SENTRY_ENVIRONMENT="staging",
        RAVEN_IGNORE_EXCEPTIONS=[KeyError],
        SENTRY_USER_ATTRS=["email"],
        SENTRY_SANITIZE_KEYS=["answer"],
        SENTRY_SITE=None,
        SENTRY_INCLUDE_PATHS=[],
        SENTRY_TAGS={"colour": "sekret-1"},
        SENTRY_CONFIG={"release": "sekret-2", "capture_locals": False, "environment": "staging"},
        SENTRY_KIT_LOGGING=True,
    )
    found = check(app)
    (note,) = notes(found)
    assert note.endswith(
        ": SENTRY_CONFIG['release'], SENTRY_TAGS, SENTRY_CONFIG['capture_locals'],"
        " SENTRY_KIT_LOGGING"
    )
    do = found.all("reporter")[1]["do"]
    assert "SENTRY_CONFIG['release']: sentry_sdk.init(release=…)" in do
    assert "sekret" not in found.text
    assert found.code == 0, found.text


def test_options_in_the_dsn_are_named(sdk: Sdk, wire: RecordingSentry) -> None:
    """The SDK reads none of raven's there."""
    sdk.init(dsn=wire.dsn_of(1, "?verify_ssl=0&timeout=3"))
    assert notes(check(shop()))[0].endswith(": verify_ssl in the DSN, timeout in the DSN")


def test_without_init_there_is_no_dsn(sdk: Sdk, wire: RecordingSentry) -> None:
    """Where SENTRY_KIT_REPORTER asks for sentry-sdk, no other DSN is used; one that is left out on
    purpose is no fault."""
    app = shop(SENTRY_KIT_REPORTER="sentry-sdk", SENTRY_DSN=wire.dsn)
    found = check(app)
    assert found["dsn"]["level"] == "broken"
    assert "sentry_sdk.init() was not called" in found["dsn"]["what"]
    sdk.init(dsn="")
    assert check(shop(SENTRY_KIT_REPORTER="sentry-sdk"))["dsn"]["level"] == "ok"
    found = check(shop(SENTRY_DSN=wire.dsn))
    assert found["reporter"]["what"] == "raven, since sentry_sdk.init() was given no DSN"


def test_what_cannot_be_sent_is_said_as_it_is(sdk: Sdk, new_sentry: NewSentry) -> None:
    """The SDK's own queue does not retry, and its CAs are an option of it."""
    away = new_sentry()
    away.close()
    sdk.init(dsn=away.dsn)
    found = check(shop(), "--dry-run")["network"]
    assert found["level"] == "broken"
    assert "sentry-sdk drops events; what visitors write is queued and retried" in found["what"]
