"""Who was signed in when it broke: Flask-Login's user, or what a callable of the app's says.

Asked only when there is an event or a page to fill, and never trusted: every attribute of a
user object may be a property that talks to a dead database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import Flask, current_app

from .compat import login_user_so_far
from .containment import FOREIGN_ERRORS

_NAMES: Final = ("name", "full_name", "display_name", "username")
"""Where a person's name is looked for when the page is prefilled, first found first taken."""


_LENGTH_MAX: Final = 128
"""Characters of a name or an address: what Sentry's own form takes."""

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
    except FOREIGN_ERRORS:
        return None


def _is(user: Any, attribute: str) -> bool:
    try:
        return bool(_read(user, attribute))
    except FOREIGN_ERRORS:
        return False


def _login_user(app: Flask) -> Any:
    """Flask-Login's user of this request, or None where there is no Flask-Login."""
    if getattr(app, "login_manager", None) is None:
        return None
    try:
        # Loaded already, or by its user_loader now; a LocalProxy would ask again for each
        # attribute.
        user = login_user_so_far()
        if user is None:
            from flask_login import current_user

            user = current_user._get_current_object()
    except FOREIGN_ERRORS:
        return None
    return user


def user_facts(attributes: Iterable[str], custom: UserCallable | None) -> dict[str, Any]:
    """What is known of the current request's user, as the app has it: neither bounded nor masked.

    :param attributes: ``SENTRY_USER_ATTRS``: further attributes of Flask-Login's user.
    :param custom: ``SENTRY_KIT_USER``; asked instead of Flask-Login.
    :returns: ``id``, ``is_authenticated`` and ``is_anonymous`` for Flask-Login's users, and what
        else was asked for; empty where nobody is known.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # LocalProxy
    if custom is not None:
        try:
            facts = dict(custom() or {})
        except FOREIGN_ERRORS:
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
    return {name: value for name, value in facts.items() if value is not None}


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
    except FOREIGN_ERRORS:
        return Person()
    texts = [value[:_LENGTH_MAX] if isinstance(value, str) else "" for value in found]
    return Person(name=next(filter(None, texts[:-1]), ""), email=texts[-1])
