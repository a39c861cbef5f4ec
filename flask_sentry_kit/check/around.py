"""What the page and the outbox need of the app and of its machine: SECRET_KEY, modes, ProxyFix, and
the spool."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from typing import Final

from flask import Flask

from .. import files
from ..kit import Kit
from ..outbox.spool_state import read_spool
from .finding import Finding, plain
from .rehearsal import Rehearsal

_KEY_MIN: Final = 16
"""Bytes. Flask's documentation makes keys of 32; 16 random ones are NIST's least (SP 800-131A)."""


def look_at_mode(app: Flask) -> list[Finding]:
    """Whether a crash reaches the page at all, or a debugger, or the server."""
    propagate = app.config["PROPAGATE_EXCEPTIONS"]
    if app.testing:
        what, do = "TESTING", "Set TESTING to False where visitors come."
    elif propagate:
        what, do = "PROPAGATE_EXCEPTIONS", "Leave PROPAGATE_EXCEPTIONS unset."
    elif app.debug and propagate is None:
        return [
            Finding(
                "mode",
                "note",
                "Debug mode is on: a crash shows the debugger, not the page",
                "Nothing, if this is your own machine; never run debug mode where visitors come.",
            )
        ]
    else:
        return []
    return [
        Finding(
            "mode", "broken", f"{what} is on: a crash goes to the server, which has no page", do
        )
    ]


def look_at_secret_key(app: Flask, kit: Kit) -> list[Finding]:
    """The form's token is signed with it."""
    key = app.secret_key
    if not kit.settings.feedback:
        return [Finding("secret-key", "ok", "Not needed: SENTRY_KIT_FEEDBACK is False")]
    if not key:
        if kit.dsn is None:
            return []
        return [
            Finding(
                "secret-key",
                "broken",
                "It is not set: the page has no form",
                "Set SECRET_KEY, the same in all processes: python -c 'import secrets;"
                " print(secrets.token_hex())'",
            )
        ]
    size = len(key.encode() if isinstance(key, str) else key)
    if size < _KEY_MIN:
        return [
            Finding(
                "secret-key",
                "note",
                f"It has {size} bytes only: somebody who guesses it can forge sessions and the"
                " form's token",
                "Make a long one: python -c 'import secrets; print(secrets.token_hex())'",
            )
        ]
    return []


def look_at_proxy_fix(kit: Kit, found: Rehearsal) -> Finding:
    """Whether the app knows its visitors' addresses, and its own, behind a proxy."""
    has_form = kit.settings.feedback and kit.dsn is not None
    limit = has_form and kit.settings.feedback_limit is not None
    if found.proxy_fix and found.trusts_for:
        return Finding("proxy-fix", "ok", "The app takes the visitor's address from its proxy")
    if found.proxy_fix:
        return Finding(
            "proxy-fix",
            "note",
            "It is there, but does not take the visitor's address from X-Forwarded-For"
            + (": SENTRY_KIT_FEEDBACK_LIMIT is not applied" if limit else ""),
            "Give it x_for=1, if one proxy stands in front of the app.",
        )
    return Finding(
        "proxy-fix",
        "note",
        "Not there: right if no proxy stands in front of the app. Behind one, "
        + ("SENTRY_KIT_FEEDBACK_LIMIT is not applied, and " if limit else "")
        + "the app takes a wrong address for its own",
        "Behind a proxy: app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)",
    )


def look_at_spool(kit: Kit) -> list[Finding]:
    """Whether the spool can be written, what is queued in it, and what was refused last."""
    path = kit.settings.spool
    if path is None:
        return []
    shown = os.path.abspath(path)
    directory = os.path.dirname(shown)
    try:
        files.check_private_file(shown, "The spool")
        if not os.path.exists(shown):
            if os.path.isdir(directory) and os.access(directory, os.W_OK | os.X_OK):
                return [Finding("spool", "ok", f"{shown} can be made; nothing is queued")]
            raise OSError(f"{directory} is no directory that this user may write")
        state = read_spool(shown)
    except (OSError, ValueError, sqlite3.Error) as error:
        return [
            Finding(
                "spool",
                "broken",
                f"{shown} cannot be used: {plain(error)}. What is queued is in memory, and is lost"
                " with the process",
                "Let the user of the app's processes own the file and its directory.",
            )
        ]
    what = f"{shown}, {_queued(state.queued)}"
    if state.refused:
        what += f". Refused last: {plain(state.refused)}"
        return [Finding("spool", "note", what, "Look at what the server says about it.")]
    if state.queued:
        do = "Look whether a process of the app runs: it delivers what is queued."
        return [Finding("spool", "note", what, do)]
    return [Finding("spool", "ok", what)]


def _queued(queued: Counter[str]) -> str:
    if not queued:
        return "nothing is queued"
    return " and ".join(f"{count} for {origin}" for origin, count in queued.items()) + " queued"
