"""Who was signed in when it broke: Flask-Login's user, or what a callable of the app's says.

Asked only when there is an event or a page to fill, and never trusted: every attribute of a
user object may be a property that talks to a dead database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import Flask, current_app
from flask import g as app_globals

from .event.serialize import HOSTILE, Serializer, cut, safe_str

_NAMES: Final = ("name", "full_name", "display_name", "username")
"""Where a person's name is looked for when the page is prefilled, first found first taken."""

# What Sentry's user interface knows by name; all else goes into its data.
_INTERFACE: Final = ("id", "email", "username", "name", "is_authenticated", "is_anonymous")

UserCallable = Callable[[], Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Person:
    """A signed-in user's name and email address; empty strings for what is not known."""

    name: str = ""
    email: str = ""


def _read(user: Any, attribute: str) -> Any:
    try:
        value = getattr(user, attribute, None)
        return value() if callable(value) else value
    except HOSTILE:
        return None


def _is(user: Any, attribute: str) -> bool:
    try:
        return bool(_read(user, attribute))
    except HOSTILE:
        return False


def _login_user(app: Flask) -> Any:
    """Flask-Login's user of this request, or None where there is no Flask-Login."""
    if getattr(app, "login_manager", None) is None:
        return None
    try:
        # Loaded already, or by its user_loader now; a LocalProxy would ask again for each
        # attribute.
        user = app_globals.get("_login_user")
        if user is None:
            from flask_login import current_user

            user = current_user._get_current_object()
    except HOSTILE:
        return None
    return user


def user_interface(
    attributes: Iterable[str], custom: UserCallable | None, serializer: Serializer
) -> dict[str, Any]:
    """Sentry's ``user`` for the current request.

    :param attributes: ``SENTRY_USER_ATTRS``: ``email`` and ``username`` are the interface's own,
        all others become its ``data``.
    :param custom: ``SENTRY_KIT_USER``; asked instead of Flask-Login.
    :returns: ``id``, ``is_authenticated`` and ``is_anonymous`` for Flask-Login's users, and what
        else was asked for; empty where nobody can be told.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # LocalProxy
    if custom is not None:
        try:
            facts = dict(custom() or {})
        except HOSTILE:
            return {}
    else:
        user = _login_user(app)
        if user is None:
            return {}
        facts = {
            "id": _read(user, "get_id"),
            "is_authenticated": _is(user, "is_authenticated"),
            "is_anonymous": _is(user, "is_anonymous"),
        }
        if facts["is_authenticated"]:
            facts.update((name, _read(user, name)) for name in attributes)
    interface: dict[str, Any] = {}
    data: dict[str, Any] = {}
    for name, value in facts.items():
        if value is None:
            continue
        if name in _INTERFACE:
            interface[name] = (
                value if isinstance(value, bool) else cut(serializer.text(safe_str(value)), 200)
            )
        if name not in _INTERFACE or (custom is None and name in ("username", "name")):
            # raven's documentation has every attribute but the email address under data.
            data[safe_str(name)] = serializer.named(name, value)
    if data:
        interface["data"] = data
    return interface


def person(custom: UserCallable | None) -> Person:
    """Name and email address of who is signed in, for the visitor's own eyes."""
    try:
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # LocalProxy
        if custom is not None:
            facts = dict(custom() or {})
            found = [facts.get(name) for name in (*_NAMES, "email")]
        else:
            user = _login_user(app)
            if user is None or not _is(user, "is_authenticated"):
                return Person()
            found = [_read(user, name) for name in (*_NAMES, "email")]
    except HOSTILE:
        return Person()
    texts = [cut(value, 128) if isinstance(value, str) else "" for value in found]
    return Person(name=next(filter(None, texts[:-1]), ""), email=texts[-1])
