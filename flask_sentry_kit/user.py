"""Who was signed in when it broke: Flask-Login's user, or what a callable of the app's says.

Asked only when there is an event or a page to fill, and never trusted: every attribute of a
user object may be a property that talks to a dead database.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakSet

from flask import Flask, current_app

from .compat import login_id_so_far, login_user_so_far
from .containment import FOREIGN_ERRORS, log_exception

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


_logged: Final[WeakSet[Flask]] = WeakSet()
"""Apps whose ``SENTRY_KIT_USER`` has raised, and which were logged for it."""


def _read(user: Any, attribute: str) -> Any:
    try:
        value = getattr(user, attribute, None)
        return value() if callable(value) else value
    except FOREIGN_ERRORS:
        return None


def _read_held(user: Any, attribute: str) -> Any:
    """As ``_read``, of what the object holds: no property of it is asked, so no database is."""
    try:
        return vars(user).get(attribute)
    except FOREIGN_ERRORS:
        return None


def _is(user: Any, attribute: str) -> bool | None:
    """What a user says of itself; None where it cannot."""
    try:
        value = getattr(user, attribute, False)
        return bool(value() if callable(value) else value)
    except FOREIGN_ERRORS:
        return None


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


def _session_id(app: Flask) -> str | None:
    """The id of who is signed in as the session has it, without a query."""
    if getattr(app, "login_manager", None) is None:
        return None
    try:
        return login_id_so_far()
    except FOREIGN_ERRORS:
        return None


def _identity(user: Any) -> str | None:
    """The primary key of an SQLAlchemy instance, which is known without a query; else None."""
    sqlalchemy = sys.modules.get("sqlalchemy")
    try:
        state = sqlalchemy and sqlalchemy.inspect(user, raiseerr=False)
        return ",".join(map(str, state.identity)) if state else None
    except FOREIGN_ERRORS:
        return None


def _said(app: Flask, custom: UserCallable) -> dict[str, Any]:
    """What ``SENTRY_KIT_USER`` says; nothing where it raises, which is logged the first time."""
    try:
        return dict(custom() or {})
    except FOREIGN_ERRORS:
        if app not in _logged:
            _logged.add(app)
            log_exception(
                "SENTRY_KIT_USER raised an exception: events and forms go without the user. Have"
                " it return what needs no query. This is logged once."
            )
        return {}


def user_facts(attributes: Iterable[str], custom: UserCallable | None) -> dict[str, Any]:
    """What is known of the current request's user, as the app has it: neither bounded nor masked.

    The id is asked for first, where no query is needed. What raises is left out.

    :param attributes: ``SENTRY_USER_ATTRS``: further attributes of Flask-Login's user.
    :param custom: ``SENTRY_KIT_USER``; asked instead of Flask-Login.
    :returns: ``id``, ``is_authenticated`` and ``is_anonymous`` for Flask-Login's users, and what
        else was asked for; empty where nobody is known.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # LocalProxy
    if custom is not None:
        facts = _said(app, custom)
    else:
        number: Any = _session_id(app)
        user = _login_user(app)
        if user is None:
            return {} if number is None else {"id": number}
        signed_in, anonymous = _is(user, "is_authenticated"), _is(user, "is_anonymous")
        if number is None or signed_in is False:
            # Not of the session, or not any more.
            number = _read(user, "get_id")
            if number is None:
                number = _identity(user)
        facts = {"id": number, "is_authenticated": signed_in, "is_anonymous": anonymous}
        if signed_in is not False:
            read = _read if signed_in else _read_held
            facts.update((name, read(user, name)) for name in attributes)
    return {name: value for name, value in facts.items() if value is not None}


def person(custom: UserCallable | None) -> Person:
    """Name and email address of who is signed in, for the visitor's own eyes."""
    try:
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # LocalProxy
        if custom is not None:
            facts = _said(app, custom)
            found = [facts.get(name) for name in (*_NAMES, "email")]
        else:
            user = _login_user(app)
            signed_in = None if user is None else _is(user, "is_authenticated")
            if user is None or signed_in is False:
                return Person()
            read = _read if signed_in else _read_held
            found = [read(user, name) for name in (*_NAMES, "email")]
    except FOREIGN_ERRORS:
        return Person()
    texts = [value[:_LENGTH_MAX] if isinstance(value, str) else "" for value in found]
    return Person(name=next(filter(None, texts[:-1]), ""), email=texts[-1])
