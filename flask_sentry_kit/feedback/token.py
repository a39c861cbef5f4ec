"""Who may write to which event: the event's id, signed with the app's own secret.

No session and no cookie: the page that shows a crash carries the token, and whoever has it saw
that crash. It names the event and holds nothing secret. It is good in one app and for one project:
apps that share a secret key do not take each other's.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from flask import Flask
from itsdangerous import BadData, SignatureExpired, TimestampSigner

from ..dsn import Dsn
from ..threads import lock_at_use

MAX_AGE: Final = 30 * 60
"""Seconds. Newer Sentry servers refuse a report on an event older than that."""

MAX_LENGTH: Final = 512
"""Characters. Ours have about 100."""

_EVENT_ID: Final = re.compile(r"[0-9a-f]{32}")


class TokenError(Exception):
    """A token that proves nothing."""


class TokenExpired(TokenError):
    """A token of ours that is too old."""


def _signer(app: Flask, dsn: Dsn | None, purpose: str) -> TimestampSigner | None:
    if not app.secret_key:
        return None
    # itsdangerous signs with the last key and accepts all; Flask 3.1 orders its own keys so too.
    keys = (*(app.config.get("SECRET_KEY_FALLBACKS") or ()), app.secret_key)
    return _make_signer(keys, _salt(app, dsn, purpose))


@lru_cache(maxsize=64)
def _make_signer(keys: tuple[Any, ...], salt: str) -> TimestampSigner:
    return TimestampSigner(
        list(keys), salt=salt, key_derivation="hmac", digest_method=hashlib.sha256
    )


def _salt(app: Flask, dsn: Dsn | None, purpose: str) -> str:
    # Without the DSN's key: pages shown before it was changed are still good. As JSON, so that no
    # name of an app can look like another app's name and project.
    project = f"{dsn.origin}{dsn.path}/{dsn.project}" if dsn else ""
    return _salt_of(purpose, app.name, project)


@lru_cache(maxsize=64)
def _salt_of(purpose: str, name: str, project: str) -> str:
    return json.dumps(["flask-sentry-kit", purpose, name, project])


def sign_token(app: Flask, dsn: Dsn | None, event_id: str, purpose: str = "feedback") -> str | None:
    """A token for one event of a project, or None where the app has no ``SECRET_KEY``."""
    signer = _signer(app, dsn, purpose)
    return None if signer is None else signer.sign(event_id).decode("ascii")


def read_token(app: Flask, dsn: Dsn | None, token: str, purpose: str = "feedback") -> str:
    """The event that a token is for. ``SECRET_KEY_FALLBACKS`` are accepted too.

    :raises TokenExpired: it is ours and older than 30 minutes.
    :raises TokenError: it is not ours, or another app's or project's.
    """
    signer = _signer(app, dsn, purpose)
    if signer is None:
        raise TokenError("the app has no SECRET_KEY")
    if len(token) > MAX_LENGTH:
        raise TokenError("it is too long")
    try:
        event_id = signer.unsign(token, max_age=MAX_AGE).decode("utf-8")
    except SignatureExpired as error:
        raise TokenExpired(str(error)) from None
    except (BadData, UnicodeError) as error:
        raise TokenError(str(error)) from None
    if not _EVENT_ID.fullmatch(event_id):
        raise TokenError("it names no event")
    return event_id


@dataclass(frozen=True, slots=True)
class TakenReport:
    """What this process has already taken for an event."""

    digest: bytes
    """Of the words, to tell a second click from a second report."""
    ticket: Any


class TakenReports:
    """The events that have their report, in this process; the oldest are forgotten.

    Counted by event and not by token: two tokens of one event would overwrite each other's
    report at Sentry.
    """

    def __init__(self, size: int = 1000) -> None:
        self._size = size
        self._sent: OrderedDict[str, TakenReport] = OrderedDict()
        self._lock = lock_at_use()

    @property
    def lock(self) -> Any:
        """Held from looking to noting, so that of two clicks at once one is the second."""
        return self._lock.get()

    def get(self, event_id: str) -> TakenReport | None:
        with self.lock:
            return self._sent.get(event_id)

    def note(self, event_id: str, sent: TakenReport) -> None:
        with self.lock:
            self._sent[event_id] = sent
            while len(self._sent) > self._size:
                self._sent.popitem(last=False)

    def __len__(self) -> int:
        return len(self._sent)
