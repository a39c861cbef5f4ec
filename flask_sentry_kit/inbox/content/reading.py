"""Reads an event as it arrived, cleans it, and picks what the pages show.

A value of another type than expected is left out; no event makes anything here raise. Knows nothing
of HTTP or of the database.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from .event_parts import (
    dict_of,
    either,
    group_key,
    kind_of,
    level_of,
    list_of,
    message_of,
    time_of,
)
from .failures import Failure, read_failures
from .shown import Budget, Pairs, short, text
from .stack import Frame
from .titles import title_of

# Characters and pieces that are shown of an event, which is kept whole. The stack and everything
# else have a bound each, so that both are shown.
_STACK: Final = (400_000, 8_000)
_REST: Final = (200_000, 3_000)
_BREADCRUMBS: Final = 100
_USER_DATA: Final = 200

# Levels. Reporters nest less (raven stops at 4), and Python's recursion limit is far higher.
MAX_DEPTH: Final = 60


@dataclass(frozen=True, slots=True)
class Breadcrumb:
    at: float | None
    category: str
    level: str
    message: str
    data: Pairs
    """What else the client says of it, without what the message says already."""


@dataclass(frozen=True, slots=True)
class Event:
    """What the pages show of an event: text that is not trusted."""

    at: float | None
    """When it happened by the client's clock, in seconds since 1970."""
    type: str
    value: str
    where: str
    key: str
    """What events of the same crash have in common: 16 hex digits."""
    level: str
    failures: tuple[Failure, ...]
    """The exception that ended the request first, then its causes, or what is in its group."""
    method: str
    url: str
    query: str
    headers: Pairs
    cookies: Pairs
    environ: Pairs
    form: Pairs
    """The request's body where it is a form or a JSON object."""
    body: str
    """The request's body where it is something else."""
    user: Pairs
    tags: Pairs
    extra: Pairs
    contexts: Pairs
    facts: Pairs
    breadcrumbs: tuple[Breadcrumb, ...]
    cut: bool
    """Whether there is more of the event than is shown."""

    @property
    def title(self) -> tuple[str, str]:
        """The type and the value to show, as in the list."""
        return title_of(self.type, self.value, self.where)

    @property
    def place(self) -> Frame | None:
        return self.failures[0].place if self.failures else None

    @property
    def person(self) -> str:
        """The user in a few words; empty if the event names none."""
        known = dict(self.user)
        name = known.get("username") or known.get("name") or known.get("email") or ""
        return name or (f"user {known['id']}" if known.get("id") else "")

    @property
    def crash_event_id(self) -> str | None:
        """The crash that a visitor's words are about, where they came as an event of their own."""
        return event_id_of(dict(self.tags).get("crash.event_id"))


def event_id_of(value: object) -> str | None:
    """The 32 lower-case hex digits of an event id, or None when it is malformed."""
    if isinstance(value, str) and len(value) <= 64:
        digits = value.replace("-", "").lower()
        if re.fullmatch(r"[0-9a-f]{32}", digits):
            return digits
    return None


def new_event_id() -> str:
    return uuid.uuid4().hex


def clean(value: Any, depth: int = 0) -> Any:
    """The JSON value without anything that SQLite, UTF-8 or a page cannot handle.

    Half surrogates become question marks, NaN and the infinities become None, and levels below the
    60th become an ellipsis.
    """
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return value.encode("utf-8", "replace").decode("utf-8")
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict | list) and depth >= MAX_DEPTH:
        return "…"
    if isinstance(value, dict):
        return {clean(key): clean(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [clean(item, depth + 1) for item in value]
    return value


def read_event(body: Mapping[str, Any]) -> Event:
    """Read a cleaned event of raven's or any SDK's shape (protocol 4 to 7)."""
    stack, rest = Budget(*_STACK), Budget(*_REST)
    failures = read_failures(body, stack)
    message = message_of(body)
    transaction = text(body.get("transaction")) or text(body.get("culprit"))
    if failures:
        kind, said = failures[0].type, failures[0].value
    else:
        kind, said = short(body.get("logger")), message
    place = failures[0].place if failures else None
    where = place.where if place else transaction
    request = dict_of(either(body, "request", "sentry.interfaces.Http"))
    user = either(body, "user", "sentry.interfaces.User")
    level = level_of(body.get("level"))
    kind = kind or kind_of(said, level)
    form = rest.pairs(request.get("data"))
    return Event(
        at=time_of(body.get("timestamp")),
        type=kind,
        value=said,
        where=where,
        key=group_key(body, kind, where, bool(failures)),
        level=level,
        failures=failures,
        method=short(request.get("method")),
        url=text(request.get("url")),
        query=_query(request.get("query_string"), rest),
        user=rest.pairs(_user(user)),
        tags=rest.pairs(body.get("tags")),
        headers=rest.pairs(request.get("headers")),
        cookies=rest.pairs(request.get("cookies")),
        form=form,
        body="" if form else rest.show(request.get("data")),
        extra=rest.pairs(body.get("extra")),
        contexts=rest.pairs(_contexts(body)),
        breadcrumbs=_breadcrumbs(body, rest),
        environ=rest.pairs(request.get("env")),
        facts=_facts(body, transaction, message if failures else "", (kind, said)),
        cut=stack.full or rest.full,
    )


def _user(found: Any) -> Any:
    """The user, with what raven and the kit put under ``data`` beside the rest, each fact once."""
    if not isinstance(found, dict) or not isinstance(found.get("data"), dict):
        return found
    user = {name: value for name, value in found.items() if name != "data"}
    for name, value in islice(found["data"].items(), _USER_DATA):
        if name in user and user[name] != value:
            name = f"data.{name}"
        user.setdefault(name, value)
    return user


def _runtime(body: Mapping[str, Any]) -> tuple[str, str]:
    """What ran the app, and its version. raven gives Python's among those of the packages."""
    python = text(dict_of(body.get("modules")).get("python"))
    if python:
        return "Python", python
    found = dict_of(dict_of(body.get("contexts")).get("runtime"))
    name = short(found.get("name"))
    is_python = not name or name in ("CPython", "PyPy")
    return "Python" if is_python else name, text(found.get("version"))


def _contexts(body: Mapping[str, Any]) -> dict[str, Any]:
    # The runtime is said with the event's facts, a visitor's words with all others.
    found = dict_of(body.get("contexts"))
    return {name: value for name, value in found.items() if name not in ("runtime", "feedback")}


def _facts(
    body: Mapping[str, Any], transaction: str, message: str, title: tuple[str, str]
) -> Pairs:
    sdk = dict_of(body.get("sdk"))
    runtime, version = _runtime(body)
    facts = {
        "route": transaction,
        # raven's is the exception once more.
        "message": "" if message in (title[1], ": ".join(title)) else message,
        "release": text(body.get("release")),
        "environment": text(body.get("environment")),
        "server": text(body.get("server_name")),
        runtime: version,
        "reporter": " ".join(filter(None, (text(sdk.get("name")), text(sdk.get("version"))))),
    }
    return tuple((name, value) for name, value in facts.items() if value)


def _breadcrumbs(body: Mapping[str, Any], budget: Budget) -> tuple[Breadcrumb, ...]:
    found = either(body, "breadcrumbs", "sentry.interfaces.Breadcrumbs")
    values = found.get("values") if isinstance(found, dict) else found
    if len(list_of(values)) > _BREADCRUMBS:
        budget.full = True
    crumbs = []
    for item in list_of(values)[-_BREADCRUMBS:]:
        if isinstance(item, dict):
            message = budget.text(item.get("message"))
            data = item.get("data")
            if not isinstance(data, dict | list):
                message = message or budget.show(data)
            crumbs.append(
                Breadcrumb(
                    at=time_of(item.get("timestamp")),
                    category=short(item.get("category") or item.get("type")),
                    level=level_of(item.get("level"), "info"),
                    message=message,
                    data=tuple(pair for pair in budget.pairs(data) if pair[1] != message),
                )
            )
    return tuple(crumbs)


def _query(value: Any, budget: Budget) -> str:
    if isinstance(value, str):
        return budget.text(value)
    return "&".join(f"{key}={item}" for key, item in budget.pairs(value))
