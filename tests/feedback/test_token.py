"""Who may write to which event (feedback/token.py)."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from flask_sentry_kit.dsn import Dsn
from flask_sentry_kit.feedback import token

DSN = Dsn.parse("https://public@sentry.example/7")
EVENT = "3f9c1be07a5d4e82b6c04d71e9a2f85c"


def app_with(key: str | bytes | None, *fallbacks: str) -> Flask:
    app = Flask("shop")
    app.config["SECRET_KEY"] = key
    app.config["SECRET_KEY_FALLBACKS"] = list(fallbacks) or None
    return app


def test_a_token_names_its_event() -> None:
    """What was signed comes back, under text and bytes keys alike."""
    for key in ("text", b"bytes"):
        app = app_with(key)
        assert token.read_token(app, DSN, token.sign_token(app, DSN, EVENT) or "") == EVENT


def test_a_token_holds_the_event_and_nothing_else() -> None:
    """Anyone can read a token: it has the event's id in it, a time and a signature."""
    signed = token.sign_token(app_with("key"), DSN, EVENT) or ""
    assert signed.split(".")[0] == EVENT


def test_another_app_cannot_sign_for_this_one() -> None:
    """Only the app's own secret counts."""
    with pytest.raises(token.TokenError):
        token.read_token(
            app_with("ours"), DSN, token.sign_token(app_with("theirs"), DSN, EVENT) or ""
        )


def test_a_token_is_good_in_one_app_and_for_one_project() -> None:
    """Apps that share a secret key do not take each other's tokens, nor does an app that reports
    elsewhere now; a DSN's key may change."""
    ours, theirs = app_with("key"), app_with("key")
    theirs.name = "admin"
    signed = token.sign_token(ours, DSN, EVENT) or ""
    assert token.read_token(ours, Dsn.parse("https://other@sentry.example/7"), signed) == EVENT
    for app, dsn in (
        (theirs, DSN),
        (ours, Dsn.parse("https://public@sentry.example/8")),
        (ours, Dsn.parse("https://public@elsewhere.example/7")),
        (ours, Dsn.parse("https://public@sentry.example/prefix/7")),
        (ours, None),
    ):
        with pytest.raises(token.TokenError):
            token.read_token(app, dsn, signed)


def test_an_apps_name_may_be_anything() -> None:
    """Half surrogates and separators in it neither raise nor make it look like another app."""
    odd = app_with("key")
    odd.name = 'shop", "https://sentry.example/7"\ud800'
    signed = token.sign_token(odd, DSN, EVENT) or ""
    assert token.read_token(odd, DSN, signed) == EVENT
    with pytest.raises(token.TokenError):
        token.read_token(app_with("key"), DSN, signed)


def test_a_megabyte_is_no_token() -> None:
    """It is refused before anything is computed from it, however it begins."""
    app = app_with("key")
    with pytest.raises(token.TokenError, match="too long"):
        token.read_token(app, DSN, (token.sign_token(app, DSN, EVENT) or "") + "x" * 1_000_000)


def test_a_secret_can_be_rotated() -> None:
    """Pages shown before the change still work through SECRET_KEY_FALLBACKS, and no others."""
    before = token.sign_token(app_with("old"), DSN, EVENT) or ""
    rotated = app_with("new", "older", "old")
    assert token.read_token(rotated, DSN, before) == EVENT
    assert (
        token.read_token(app_with("new"), DSN, token.sign_token(rotated, DSN, EVENT) or "") == EVENT
    )
    with pytest.raises(token.TokenError):
        token.read_token(app_with("new", "older"), DSN, before)


def test_a_token_is_good_for_one_purpose() -> None:
    """A receipt is no right to write, and the session's signatures are none either."""
    app = app_with("key")
    with pytest.raises(token.TokenError):
        token.read_token(app, DSN, token.sign_token(app, DSN, EVENT, "receipt sent") or "")


DAY = 24 * 60 * 60


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the clock that signs, in seconds."""
    return lambda now: monkeypatch.setattr("itsdangerous.timed.time.time", lambda: now)


def test_a_token_is_good_for_a_day(set_clock: Callable[[float], None]) -> None:
    """Not for a second more; and a server whose clock is behind accepts it too."""
    app = app_with("key")
    set_clock(10 * DAY)
    signed = token.sign_token(app, DSN, EVENT) or ""
    for distance in (0, 1, 1800, DAY):
        for now in (10 * DAY + distance, 10 * DAY - distance):
            set_clock(now)
            assert token.read_token(app, DSN, signed) == EVENT
    for now in (11 * DAY + 1, 9 * DAY - 1, 3000 * DAY):
        set_clock(now)
        with pytest.raises(token.TokenExpired):
            token.read_token(app, DSN, signed)
        assert token.read_token(app, DSN, signed, max_age=None) == EVENT


def test_an_old_token_is_exchanged_for_a_new_one(set_clock: Callable[[float], None]) -> None:
    """For the same event, of whatever age, and signed with the present key."""
    set_clock(10 * DAY)
    before = token.sign_token(app_with("old"), DSN, EVENT) or ""
    set_clock(3000 * DAY)
    renewed = token.renew_token(app_with("new", "old"), DSN, before) or ""
    assert token.read_token(app_with("new"), DSN, renewed) == EVENT


def test_nothing_else_is_exchanged() -> None:
    """No made-up token, none of another purpose, app or project, none of a key that is gone."""
    app, other = app_with("key"), app_with("key")
    other.name = "admin"
    signed = token.sign_token(app, DSN, EVENT) or ""
    for made in (
        "",
        f"{EVENT}.aaaaaa.bbbb",
        signed.replace(EVENT[:4], "0000"),
        token.sign_token(app, DSN, EVENT, "receipt sent"),
        token.sign_token(app, DSN, "no event"),
        token.sign_token(other, DSN, EVENT),
        token.sign_token(app, Dsn.parse("https://public@sentry.example/8"), EVENT),
        token.sign_token(app_with("gone"), DSN, EVENT),
    ):
        assert token.renew_token(app, DSN, made or "") is None
    assert token.renew_token(app_with(None), DSN, signed) is None


def test_without_a_secret_nothing_is_signed_or_read() -> None:
    """No SECRET_KEY, no token; an empty one is none."""
    for key in (None, ""):
        assert token.sign_token(app_with(key), DSN, EVENT) is None
        with pytest.raises(token.TokenError):
            token.read_token(app_with(key), DSN, "x.y.z")


def test_a_signed_something_else_is_no_event() -> None:
    """Even with a good signature, only 32 hex digits name an event."""
    app = app_with("key")
    for odd in ("", "../../etc", EVENT.upper(), EVENT + "\n"):
        with pytest.raises(token.TokenError):
            token.read_token(app, DSN, token.sign_token(app, DSN, odd) or "")


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_no_made_up_token_passes(made_up: str) -> None:
    """Whatever arrives as a token is refused in one way."""
    with pytest.raises(token.TokenError):
        token.read_token(app_with("key"), DSN, made_up)
