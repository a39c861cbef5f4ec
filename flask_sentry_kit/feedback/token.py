"""The token of the form: an event's id, signed with the app's own secret key.

There is no session and no cookie. The page of a crash carries the token, so that only a visitor who
saw the crash can write about it. The token holds nothing secret. It is valid in one app and for one
project: apps that share a secret key do not accept each other's tokens.

It is valid for a day, and an older one can be exchanged for a new one. So its age keeps nobody from
writing; it keeps a request that was recorded, or that a browser repeats after days, from being a
report. How much is written is the limits' business.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache
from typing import Any, Final

from flask import Flask
from itsdangerous import BadData, TimestampSigner

from ..dsn import Dsn

MAX_AGE: Final = 24 * 60 * 60
"""Seconds. No server refuses words for their age."""

MAX_LENGTH: Final = 512
"""Characters. The kit's tokens have about 100."""

_EVENT_ID: Final = re.compile(r"[0-9a-f]{32}")


class TokenError(Exception):
    """A token that is not valid here."""


class TokenExpired(TokenError):
    """A token that was valid and is too old."""


def _signer(app: Flask, dsn: Dsn | None, purpose: str) -> TimestampSigner | None:
    if not app.secret_key:
        return None
    # itsdangerous signs with the last key and accepts all of them, as Flask 3.1 does with its keys.
    keys = (*(app.config.get("SECRET_KEY_FALLBACKS") or ()), app.secret_key)
    return _make_signer(keys, _salt(app, dsn, purpose))


@lru_cache(maxsize=64)
def _make_signer(keys: tuple[Any, ...], salt: str) -> TimestampSigner:
    return TimestampSigner(
        list(keys), salt=salt, key_derivation="hmac", digest_method=hashlib.sha256
    )


def _salt(app: Flask, dsn: Dsn | None, purpose: str) -> str:
    # The DSN's key is left out, so that a page which was shown before the key changed still works.
    # As JSON, so that an app's name cannot look like another app's name and project.
    project = f"{dsn.origin}{dsn.path}/{dsn.project}" if dsn else ""
    return _salt_of(purpose, app.name, project)


@lru_cache(maxsize=64)
def _salt_of(purpose: str, name: str, project: str) -> str:
    return json.dumps(["flask-sentry-kit", purpose, name, project])


def sign_token(app: Flask, dsn: Dsn | None, event_id: str, purpose: str = "feedback") -> str | None:
    """A token for one event of a project, or None if the app has no ``SECRET_KEY``."""
    signer = _signer(app, dsn, purpose)
    return None if signer is None else signer.sign(event_id).decode("ascii")


def read_token(
    app: Flask,
    dsn: Dsn | None,
    token: str,
    purpose: str = "feedback",
    max_age: float | None = MAX_AGE,
) -> str:
    """The event that a token is for. ``SECRET_KEY_FALLBACKS`` are accepted too.

    :param max_age: seconds; None accepts any age. A token may also be that far ahead of this
        server's clock: servers that share a key need not have the same time.
    :raises TokenExpired: the token is too old.
    :raises TokenError: the token is forged, or belongs to another app or project.
    """
    signer = _signer(app, dsn, purpose)
    if signer is None:
        raise TokenError("the app has no SECRET_KEY")
    if len(token) > MAX_LENGTH:
        raise TokenError("it is too long")
    try:
        # Without its own max_age, which takes no token of a clock that is ahead.
        value, signed_at = signer.unsign(token, return_timestamp=True)
        event_id = value.decode("utf-8")
    except (BadData, UnicodeError) as error:
        raise TokenError(str(error)) from None
    if not _EVENT_ID.fullmatch(event_id):
        raise TokenError("it names no event")
    age = signer.get_timestamp() - signed_at.timestamp()
    if max_age is not None and abs(age) > max_age:
        raise TokenExpired(f"it is {age:.0f} seconds old")
    return event_id


def renew_token(app: Flask, dsn: Dsn | None, token: str) -> str | None:
    """A new token for the event of a valid one of any age; None for one that is not valid."""
    try:
        event_id = read_token(app, dsn, token, max_age=None)
    except TokenError:
        return None
    return sign_token(app, dsn, event_id)
