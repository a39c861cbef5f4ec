"""The table of options: one source for names, defaults, checks and the keywords of SentryKit."""

from __future__ import annotations

import inspect
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flask_sentry_kit import SentryKit
from flask_sentry_kit.settings import (
    RAVEN_JS_INTEGRITY,
    RAVEN_JS_URL,
    SETTINGS,
    Brand,
    LoggingOptions,
    RavenJs,
    SettingError,
    Settings,
    check_keywords,
    read_settings,
)


def test_every_default_is_a_value_it_takes() -> None:
    """With nothing set, every setting has its documented default."""
    found = read_settings({})
    assert found.raven_js == RavenJs()
    assert found.dialog == {}
    assert found.feedback is True
    assert found.prefill is True
    assert found.template == "500.html"
    assert found.brand == Brand()
    assert found.spool is None
    assert found.logging is None
    assert found.user is None
    assert found.reporter == "auto"


def test_the_table_and_the_dataclass_agree() -> None:
    """One row, one attribute, one keyword."""
    assert {setting.keyword for setting in SETTINGS} == set(Settings.__slots__)
    assert all(setting.name.startswith("SENTRY_KIT_") for setting in SETTINGS)
    assert all(setting.meaning and setting.takes for setting in SETTINGS)


@pytest.mark.parametrize(
    ("key", "given", "read_as"),
    [
        ("RAVEN_JS", "bundled", RavenJs()),
        ("RAVEN_JS", "cdn", RavenJs(RAVEN_JS_URL, RAVEN_JS_INTEGRITY)),
        ("RAVEN_JS", "browser", RavenJs(sentry_browser=True)),
        ("RAVEN_JS", "/static/raven.js", RavenJs("/static/raven.js")),
        ("RAVEN_JS", "//cdn.example.org/raven.js", RavenJs("//cdn.example.org/raven.js")),
        ("RAVEN_JS", {"url": "https://x/r.js"}, RavenJs("https://x/r.js")),
        (
            "RAVEN_JS",
            {"url": "https://x/r.js", "integrity": "sha384-abc="},
            RavenJs("https://x/r.js", "sha384-abc="),
        ),
        ("DIALOG", False, None),
        ("DIALOG", {"title": "Hello", "lang": "de"}, {"title": "Hello", "lang": "de"}),
        ("FEEDBACK", False, False),
        ("PREFILL", False, False),
        ("TEMPLATE", "errors/500.html", "errors/500.html"),
        ("BRAND", {"name": "Shop", "accent": "#c00"}, Brand(name="Shop", accent="#c00")),
        ("SPOOL", "/var/lib/shop/spool", "/var/lib/shop/spool"),
        ("SPOOL", Path("/var/lib/shop/spool"), "/var/lib/shop/spool"),
        ("LOGGING", True, LoggingOptions()),
        ("LOGGING", False, None),
        ("LOGGING", logging.ERROR, LoggingOptions(logging.ERROR)),
        ("LOGGING", "warning", LoggingOptions(logging.WARNING)),
        (
            "LOGGING",
            {"level": "ERROR", "exclusions": ["a", "b"]},
            LoggingOptions(logging.ERROR, ("a", "b")),
        ),
        ("USER", None, None),
        ("REPORTER", "raven", "raven"),
    ],
)
def test_what_is_taken(key: str, given: Any, read_as: Any) -> None:
    """Each documented form of a value is taken, in app.config and as a keyword alike."""
    assert getattr(read_settings({f"SENTRY_KIT_{key}": given}), key.lower()) == read_as
    assert getattr(read_settings({}, {key.lower(): given}), key.lower()) == read_as
    SentryKit(**{key.lower(): given})


@pytest.mark.parametrize(
    ("key", "given"),
    [
        ("RAVEN_JS", ""),
        ("RAVEN_JS", "javascript:alert(1)"),
        ("RAVEN_JS", "data:text/javascript,alert(1)"),
        ("RAVEN_JS", 'https://x/"><script>'),
        ("RAVEN_JS", "/\\evil.example/r.js"),
        ("RAVEN_JS", {"integrity": "sha384-abc="}),
        ("RAVEN_JS", {"url": "https://x/r.js", "integrity": 'sha384-abc" onload="x'}),
        ("RAVEN_JS", {"url": "https://x/r.js", "extra": 1}),
        ("DIALOG", True),
        ("DIALOG", {"dsn": "x"}),
        ("DIALOG", {1: "x"}),
        ("DIALOG", {"title": object()}),
        ("FEEDBACK", 1),
        ("PREFILL", "no"),
        ("TEMPLATE", ""),
        ("TEMPLATE", 5),
        ("BRAND", "Shop"),
        ("BRAND", {"name": None}),
        ("BRAND", {"logo_url": "javascript:alert(1)"}),
        ("BRAND", {"support_email": "not an address"}),
        ("BRAND", {"support_email": "a@b?bcc=c@d"}),
        ("BRAND", {"accent": "red"}),
        ("BRAND", {"accent": "#12345"}),
        ("SPOOL", ""),
        ("SPOOL", b"/x"),
        ("SPOOL", True),
        ("LOGGING", "LOUD"),
        ("LOGGING", -1),
        ("LOGGING", {"levels": 5}),
        ("LOGGING", {"exclusions": "a"}),
        ("LOGGING", {"exclusions": 5}),
        ("LOGGING", {"exclusions": [5]}),
        ("USER", "alice"),
        ("USER", {"id": 5}),
        ("REPORTER", "bugsnag"),
    ],
)
def test_what_is_refused(key: str, given: Any) -> None:
    """A value that cannot work is an error that names the key, what it got and what it takes."""
    row = next(setting for setting in SETTINGS if setting.name == f"SENTRY_KIT_{key}")
    with pytest.raises(SettingError) as caught:
        read_settings({f"SENTRY_KIT_{key}": given})
    assert str(caught.value).startswith(f"SENTRY_KIT_{key} takes {row.takes}; got ")
    with pytest.raises(SettingError, match=rf"SentryKit\({key.lower()}="):
        SentryKit(**{key.lower(): given})


@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: row.name)
def test_none_is_not_set(row: Any) -> None:
    """None, as of ``os.environ.get(…)`` in a config class, leaves a setting at its default, unless
    it means something of its own: no limit on feedback."""
    expected = (
        read_settings({})
        if row.keyword != "feedback_limit"
        else replace(read_settings({}), feedback_limit=None)
    )
    assert read_settings({row.name: None}) == expected
    assert read_settings({}, {row.keyword: None}) == expected


def test_a_value_is_not_repeated_in_the_error() -> None:
    """A DSN pasted into the wrong line does not end up in a log."""
    for key in ("DIALOG", "USER", "RAVEN_JS", "REPORTER", "LOGGING"):
        with pytest.raises(SettingError) as caught:
            read_settings({f"SENTRY_KIT_{key}": "https https://key:s3cr3t@sentry.io/1"})
        error: BaseException | None = caught.value
        while error is not None:
            assert "s3cr3t" not in repr(error)
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


@pytest.mark.parametrize(
    ("key", "meant"),
    [("SENTRY_KIT_DIALOGUE", "SENTRY_KIT_DIALOG"), ("SENTRY_KIT_BRANDS", "SENTRY_KIT_BRAND")],
)
def test_an_unknown_key_is_told_with_the_one_that_was_meant(key: str, meant: str) -> None:
    """A misspelt setting would else be silently without effect."""
    with pytest.raises(SettingError, match=f"no setting {key}; did you mean {meant}"):
        read_settings({key: 1})
    with pytest.raises(SettingError, match="there are SENTRY_KIT_RAVEN_JS"):
        read_settings({"SENTRY_KIT_XYZZY": 1})


def test_other_keys_are_not_ours() -> None:
    """raven's settings and the app's own are left alone, odd keys too."""
    read_settings({"SENTRY_DSN": 5, "DEBUG": True, 5: 6, "sentry_kit_x": 1})  # type: ignore[dict-item]  # odd on purpose


def test_keywords_are_checked_before_there_is_an_app() -> None:
    """SentryKit(...) fails in its own line."""
    check_keywords({"feedback": False})
    with pytest.raises(SettingError, match="no option 'feed_back'; did you mean feedback"):
        check_keywords({"feed_back": False})


def test_what_was_given_cannot_be_changed_later() -> None:
    """A dict in app.config that the app changes afterwards does not change the kit."""
    dialog = {"title": "One"}
    found = read_settings({"SENTRY_KIT_DIALOG": dialog})
    dialog["title"] = "Two"
    assert found.dialog == {"title": "One"}
    assert inspect.isclass(Settings)
    with pytest.raises(AttributeError):
        found.feedback = False  # type: ignore[misc]  # frozen
