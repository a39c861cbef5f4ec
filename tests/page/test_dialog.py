"""The options of the hosted dialog (page/dialog.py)."""

from __future__ import annotations

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from flask_sentry_kit import SentryKit, csp_sources
from flask_sentry_kit.crash import Crash
from flask_sentry_kit.dsn import Dsn
from flask_sentry_kit.page.dialog import report_dialog
from flask_sentry_kit.settings import read_settings

EVENT = "0123456789abcdef0123456789abcdef"
DSN = Dsn.parse("https://public:secret@sentry.example:9000/prefix/7")


def crash(**facts: object) -> Crash:
    return Crash(**{"event_id": EVENT, "dsn": DSN, **facts})  # type: ignore[arg-type] # any facts


def test_the_dialog_gets_event_and_public_dsn() -> None:
    """By default: the event's id, and the DSN with its scheme and without its secret."""
    assert report_dialog(crash(), read_settings({}), None) == {
        "eventId": EVENT,
        "dsn": "https://public@sentry.example:9000/prefix/7",
    }


def test_a_signed_in_user_is_filled_in() -> None:
    """Name and address of the signed-in user, each only where it is known."""
    both = report_dialog(
        crash(user_name="Ada", user_email="ada@shop.example"), read_settings({}), None
    )
    assert both and both["user"] == {"name": "Ada", "email": "ada@shop.example"}
    name = report_dialog(crash(user_name="Ada"), read_settings({}), None)
    assert name and name["user"] == {"name": "Ada"}


def test_prefill_can_be_turned_off() -> None:
    """SENTRY_KIT_PREFILL=False keeps name and address out of the page."""
    settings = read_settings({"SENTRY_KIT_PREFILL": False})
    options = report_dialog(crash(user_name="Ada", user_email="ada@shop.example"), settings, None)
    assert options and "user" not in options


def test_an_apps_own_options_follow_in_their_order() -> None:
    """SENTRY_KIT_DIALOG is passed on after the kit's options, in the app's order."""
    settings = read_settings(
        {"SENTRY_KIT_DIALOG": {"title": "Sorry", "labelName": "You", "lang": "fr"}}
    )
    options = report_dialog(crash(user_name="Ada"), settings, "de")
    assert options and list(options) == ["eventId", "dsn", "user", "title", "labelName", "lang"]
    assert options["lang"] == "fr"


def test_the_pages_language_is_passed_on() -> None:
    """If the app set no language, the dialog gets the page's language."""
    options = report_dialog(crash(), read_settings({}), "pt-BR")
    assert options and options["lang"] == "pt-BR"


def test_the_signed_in_user_wins_over_a_fixed_one() -> None:
    """A user in the settings fills only the fields that are unknown for the visitor."""
    settings = read_settings(
        {"SENTRY_KIT_DIALOG": {"user": {"name": "Guest", "email": "desk@shop.example"}}}
    )
    options = report_dialog(crash(user_name="Ada"), settings, None)
    assert options and options["user"] == {"name": "Ada", "email": "desk@shop.example"}


@pytest.mark.parametrize("missing", ["event_id", "dsn"])
def test_no_dialog_without_something_to_write_to(missing: str) -> None:
    """No event or no DSN: no dialog, with any settings."""
    assert report_dialog(crash(**{missing: None}), read_settings({}), "en") is None


def test_the_dialog_can_be_turned_off() -> None:
    """SENTRY_KIT_DIALOG=False: no dialog."""
    assert report_dialog(crash(), read_settings({"SENTRY_KIT_DIALOG": False}), "en") is None


@given(
    st.dictionaries(
        st.sampled_from(["eventId", "dsn", "user", "title", "lang"]) | st.text(max_size=6),
        st.text(max_size=6) | st.integers() | st.dictionaries(st.text(), st.text(), max_size=2),
    )
)
def test_no_option_can_move_a_report_to_another_event(extra: dict[str, object]) -> None:
    """Even settings that were never checked cannot override eventId and dsn."""
    from dataclasses import replace

    options = report_dialog(crash(), replace(read_settings({}), dialog=extra), "en")
    assert options is not None
    assert (options["eventId"], options["dsn"]) == (EVENT, DSN.public)


def _sources(dsn: str | None, **config: object) -> dict[str, list[str]]:
    app = Flask("shop")
    app.config.update(config, SENTRY_DSN=dsn)
    app.register_blueprint(SentryKit())
    return csp_sources(app)


def test_a_policy_gets_the_dsns_host() -> None:
    """script-src and connect-src name the DSN's host with scheme and port, and no key."""
    sources = _sources("http://key:secret@sentry.example:9000/prefix/7")
    assert sources["script-src"] == ["'self'", "http://sentry.example:9000"]
    assert sources["connect-src"] == ["'self'", "http://sentry.example:9000"]
    assert "'unsafe-inline'" in sources["style-src"] and "data:" in sources["img-src"]


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("o1.ingest.us.sentry.io", "us"),
        ("o1.ingest.de.sentry.io", "de"),
        ("O1.Ingest.DE.sentry.io.", "de"),
        ("o1.de.ingest.sentry.io", "de"),
        ("o1.ingest.sentry.io", "us"),
        ("ingest.sentry.io", "us"),
    ],
)
def test_a_policy_gets_the_region_that_the_dialog_posts_to(host: str, region: str) -> None:
    """sentry.io's ingest hosts redirect the script to sentry.io, and the form goes to the host of
    the region: the one in the DSN, else the one that was there before the regions."""
    origins = ["'self'", f"https://{host.lower()}", "https://sentry.io"]
    sources = _sources(f"https://k@{host}/1")
    assert sources["script-src"] == [*origins, f"https://{region}.sentry.io"]
    assert sources["connect-src"] == sources["script-src"]


def test_a_policy_for_the_oldest_dsns() -> None:
    """They name sentry.io itself, whose organizations of that time are in the region us."""
    origins = ["'self'", "https://sentry.io", "https://us.sentry.io"]
    assert _sources("https://k@sentry.io/1")["connect-src"] == origins


@pytest.mark.parametrize(
    "host",
    ["notsentry.io", "ingest.notsentry.io", "us.sentry.io", "acme.my.sentry.io", "sentry.io.evil"],
)
def test_a_policy_gets_no_host_that_is_not_needed(host: str) -> None:
    """Every other server serves its own dialog."""
    assert _sources(f"https://k@{host}/1")["script-src"] == ["'self'", f"https://{host}"]


def test_a_policy_gets_the_host_of_raven_js() -> None:
    """With Raven JS from elsewhere, its host is named too; our own host needs no name."""
    there = _sources("https://k@sentry.example/1", SENTRY_KIT_RAVEN_JS="cdn")
    assert there["script-src"][-1] == "https://cdn.ravenjs.com"
    here = _sources("https://k@sentry.example/1", SENTRY_KIT_RAVEN_JS="/static/raven.min.js")
    assert here["script-src"] == ["'self'", "https://sentry.example"]


def test_a_policy_needs_no_host_for_the_pages_own_sdk() -> None:
    """With "browser" it is the app that loads @sentry/browser; the dialog's hosts stay the same."""
    sources = _sources("https://k@sentry.example/1", SENTRY_KIT_RAVEN_JS="browser")
    assert sources == _sources("https://k@sentry.example/1")


def test_no_dialog_needs_no_policy() -> None:
    """Without a DSN, or with the dialog off, a policy stays as it is."""
    assert _sources(None) == {}
    assert _sources("https://k@sentry.io/1", SENTRY_KIT_DIALOG=False) == {}
