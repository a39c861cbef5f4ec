"""Registration refuses wrong settings by name; and an app without a DSN."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from flask_sentry_kit import DsnError, SentryKit, SettingError, sentry_kit
from tests.support.types import MakeApp


def test_keywords_are_settings_and_win(kit_app: MakeApp, wire: Any) -> None:
    """SentryKit(dialog=…) is SENTRY_KIT_DIALOG, and wins over app.config."""
    app = kit_app(
        blueprint=SentryKit(dialog={"title": "From the keyword"}, feedback=False),
        SENTRY_KIT_DIALOG={"title": "From the config"},
    )
    html = app.test_client().get("/boom", headers={"Accept": "text/html"}).text
    assert "From the keyword" in html
    assert "From the config" not in html
    assert "<form" not in html
    wire.one_event(app)


def test_keywords_belong_to_their_own_blueprint(kit_app: MakeApp) -> None:
    """Two SentryKits in one process do not share options."""
    first = kit_app("first", SentryKit(template="own.html"))
    second = kit_app("second", SentryKit())
    assert first.extensions["sentry_kit"].settings.template == "own.html"
    assert second.extensions["sentry_kit"].settings.template == "500.html"


def test_an_unknown_keyword_is_told_at_once() -> None:
    """A misspelt keyword fails where it is written, with the name that was meant."""
    with pytest.raises(SettingError, match="'dialogue'.*did you mean dialog"):
        SentryKit(dialogue=False)


def test_without_a_dsn_the_page_claims_nothing(
    bare_app: MakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    """No DSN: the page shows without reference, report or dialog, and a test's log is quiet."""
    app = bare_app(SECRET_KEY="k")
    with caplog.at_level(logging.WARNING, "flask_sentry_kit"):
        app.register_blueprint(sentry_kit)
        client = app.test_client()
        for _ in range(3):
            response = client.get("/boom", headers={"Accept": "text/html"})
    said = [r for r in caplog.records if r.name.startswith("flask_sentry_kit")]
    assert not said, [r.getMessage() for r in said]
    assert response.status_code == 500
    assert "X-Sentry-ID" not in response.headers
    for claim in ("showReportDialog", "Reference", "report of this", "<form", "<script"):
        assert claim not in response.text, claim
    for accept in ("application/json", "text/plain"):
        other = client.get("/boom", headers={"Accept": accept})
        assert other.status_code == 500
        assert "event_id" not in other.text


@pytest.mark.parametrize(
    "broken",
    [
        "not a dsn",
        "https://public:s3cr3t@/1",
        "https://public:s3cr3t@sentry.example",
        "https://public:s3cr3t@sentry.example:port/1",
        "https://:s3cr3t@sentry.example/1",
        "ftp://public:s3cr3t@sentry.example/1",
        "https://public:s3cr3t@sen try.example/1",
        "https://public:s3/cr3t@sentry.example/1",
        "https://public:s3cr3t@[::1/1",
        "https://public:s3cr3t@sentry.example/1#s3cr3t",
        "https://public:s3cr3t@sentry.example/1?timeout=s3cr3t",
        "https://public:s3cr3t@sentry.example/1?timeout=-1",
        "https://public:s3cr3t@sentry.example/1?ca_certs=/nowhere/at/all.pem",
    ],
)
@pytest.mark.parametrize("place", ["config", "SENTRY_CONFIG", "environment"])
def test_a_malformed_dsn_is_told_at_registration(
    bare_app: MakeApp, monkeypatch: pytest.MonkeyPatch, broken: str, place: str
) -> None:
    """The error names the setting and shows no secret, in its text or in what it chains to;
    the app is as it was."""
    app = bare_app()
    if place == "config":
        app.config["SENTRY_DSN"] = broken
    elif place == "SENTRY_CONFIG":
        app.config["SENTRY_CONFIG"] = {"dsn": broken}
    else:
        monkeypatch.setenv("SENTRY_DSN", broken)
    rules, wsgi_app = len(list(app.url_map.iter_rules())), app.wsgi_app
    with pytest.raises((DsnError, SettingError)) as caught:
        app.register_blueprint(sentry_kit)
    named = {"SENTRY_CONFIG": "SENTRY_CONFIG['dsn']"}.get(place, "SENTRY_DSN")
    assert named in str(caught.value)
    error: BaseException | None = caught.value
    while error is not None:
        assert "s3cr3t" not in str(error)
        assert "cr3t" not in repr(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    assert "sentry" not in app.extensions
    assert "sentry_kit" not in app.extensions
    assert len(list(app.url_map.iter_rules())) == rules
    assert app.wsgi_app == wsgi_app


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("SENTRY_KIT_DIALOGUE", False),
        ("SENTRY_KIT_FEEDBACK", "yes"),
        ("SENTRY_KIT_DIALOG", "My title"),
        ("SENTRY_KIT_DIALOG", {"eventId": "0" * 32}),
        ("SENTRY_KIT_RAVEN_JS", "javascript:alert(1)"),
        ("SENTRY_KIT_BRAND", {"colour": "red"}),
        ("SENTRY_KIT_BRAND", {"accent": "red;}"}),
        ("SENTRY_KIT_LOGGING", "LOUD"),
        ("SENTRY_KIT_LOGGING", {"level": "ERROR", "exclusions": "noisy"}),
        ("SENTRY_KIT_USER", "current_user"),
        ("SENTRY_KIT_TEMPLATE", ""),
        ("SENTRY_KIT_PREFILL", 1),
        ("SENTRY_KIT_SPOOL", 5),
        ("SENTRY_KIT_REPORTER", "bugsnag"),
        ("SENTRY_IGNORE_EXCEPTIONS", "ValueError"),
        ("SENTRY_SAMPLE_RATE", "all"),
        ("SENTRY_SAMPLE_RATE", 2),
        ("SENTRY_TIMEOUT", "soon"),
        ("SENTRY_USER_ATTRS", "email"),
        ("SENTRY_TAGS", ["a"]),
        ("SENTRY_CONFIG", "https://public:s3cr3t@sentry.example/1"),
    ],
)
def test_a_wrong_setting_is_told_at_registration(
    bare_app: MakeApp, wire: Any, key: str, value: Any
) -> None:
    """The error names the key, and what it takes or the name that was meant."""
    app = bare_app(SENTRY_DSN=wire.dsn, **{key: value})
    with pytest.raises(SettingError) as caught:
        app.register_blueprint(sentry_kit)
    assert key in str(caught.value)
    assert "takes" in str(caught.value) or "did you mean" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
    assert "sentry_kit" not in app.extensions
