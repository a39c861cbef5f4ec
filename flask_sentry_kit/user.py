"""The user who was signed in at a crash: from Flask-Login, or from the app's ``SENTRY_KIT_USER``.

Read only for an event or a page, and never trusted: every attribute of a user object may be a
property that queries a dead database.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakSet

from flask import Flask, current_app

from .compat import login_id_so_far, login_user_so_far
from .containment import FOREIGN_ERRORS, log_exception

_NAMES: Final = ("name", "full_name", "display_name", "username")
"""The attributes with a person's name for prefilling the page. The first one found is used."""


_LENGTH_MAX: Final = 128
"""Characters of a name or an address: the limit of Sentry's own form."""

UserCallable = Callable[[], Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Person:
    """A signed-in user's name and email address; an unknown one is an empty string."""

    name: str = ""
    email: str = ""


_logged: Final[WeakSet[Flask]] = WeakSet()
"""Apps whose ``SENTRY_KIT_USER`` has raised an exception that was logged."""


_without_queries: ContextVar[bool] = ContextVar("flask_sentry_kit.without_queries", default=False)


@contextmanager
def without_queries() -> Iterator[None]:
    """Within the block Flask-Login's user is not loaded, and none of its properties is asked: for a
    process that has a second to live, perhaps because the database hangs."""
    before = _without_queries.set(True)
    try:
        yield
    finally:
        _without_queries.reset(before)


def _read(user: Any, attribute: str) -> Any:
    try:
        value = getattr(user, attribute, None)
        return value() if callable(value) else value
    except FOREIGN_ERRORS:
        return None


def _read_held(user: Any, attribute: str) -> Any:
    """Like ``_read``, but without calling properties, so that no database is queried."""
    try:
        return vars(user).get(attribute)
    except FOREIGN_ERRORS:
        return None


def _is(user: Any, attribute: str) -> bool | None:
    """A yes-or-no attribute of a user; None if reading it raises."""
    try:
        value = getattr(user, attribute, False)
        return bool(value() if callable(value) else value)
    except FOREIGN_ERRORS:
        return None


def _login_user(app: Flask) -> Any:
    """Flask-Login's user of this request, or None without Flask-Login."""
    if getattr(app, "login_manager", None) is None:
        return None
    try:
        # Loaded already, or loaded now by its user_loader. Not kept as a LocalProxy, which would
        # look the user up again for each attribute.
        user = login_user_so_far()
        if user is None:
            from flask_login import current_user

            user = current_user._get_current_object()
    except FOREIGN_ERRORS:
        return None
    return user


def _session_id(app: Flask) -> str | None:
    """The signed-in user's id from the session, without a query."""
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


def _custom_user(app: Flask, custom: UserCallable) -> dict[str, Any]:
    """The result of ``SENTRY_KIT_USER``; empty if it raises, which is logged the first time."""
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
    """The known data of the current request's user, neither bounded nor masked.

    The id is read first, without a query if possible. A value that raises is left out.

    :param attributes: ``SENTRY_USER_ATTRS``: further attributes of Flask-Login's user.
    :param custom: ``SENTRY_KIT_USER``; called instead of Flask-Login.
    :returns: ``id``, ``is_authenticated`` and ``is_anonymous`` for Flask-Login's users, and the
        requested attributes; empty if no user is known.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # LocalProxy
    if custom is not None:
        facts = _custom_user(app, custom)
    else:
        number: Any = _session_id(app)
        if _without_queries.get():
            return _facts_so_far(number, attributes)
        user = _login_user(app)
        if user is None:
            return {} if number is None else {"id": number}
        signed_in, anonymous = _is(user, "is_authenticated"), _is(user, "is_anonymous")
        if number is None or signed_in is False:
            # The user is not from the session, or has signed out.
            number = _read(user, "get_id")
            if number is None:
                number = _identity(user)
        facts = {"id": number, "is_authenticated": signed_in, "is_anonymous": anonymous}
        if signed_in is not False:
            read = _read if signed_in else _read_held
            facts.update((name, read(user, name)) for name in attributes)
    return {name: value for name, value in facts.items() if value is not None}


def _facts_so_far(number: str | None, attributes: Iterable[str]) -> dict[str, Any]:
    """What the session and a user that was loaded already hold."""
    try:
        user = login_user_so_far()
    except FOREIGN_ERRORS:
        user = None
    if number is None and user is not None:
        number = _identity(user) or _read_held(user, "id")
    facts = {name: _read_held(user, name) for name in attributes} if user is not None else {}
    facts["id"] = number
    return {name: value for name, value in facts.items() if value is not None}


def person(custom: UserCallable | None) -> Person:
    """The signed-in user's name and email address, to show to that user only."""
    try:
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # LocalProxy
        if custom is not None:
            facts = _custom_user(app, custom)
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
