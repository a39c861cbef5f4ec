"""What the list and the search need of an event, without the parts that only its page shows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from .event_parts import (
    FRAMES,
    dict_of,
    either,
    exceptions_of,
    frames_of,
    group_key,
    is_ours,
    kind_of,
    level_of,
    list_of,
    message_of,
    path_of,
    time_of,
)
from .shown import short, text
from .titles import title_of

SHORT: Final = 300
"""Characters of a type, a message or a place in the list."""

_FAILURES: Final = 30
# Characters and pieces of the text that is searched, and of one value in it. The rest of a larger
# event is kept and shown, and not found by its words.
_TEXT: Final = 4_000
_PIECE: Final = 300
_OUTER_FRAMES: Final = 12
_PAIRS: Final = 50
_BREADCRUMBS: Final = 20

_CAMEL_NAME = re.compile(r"\b\w*[a-z0-9][A-Z]\w*")
_IN_CAMEL = re.compile(r"[a-z0-9][A-Z]")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Summary:
    """One event in short: text that is not trusted, each value bounded."""

    at: float | None
    """When it happened by the client's clock, in seconds since 1970."""
    key: str
    """What events of the same crash have in common: 16 hex digits."""
    type: str
    value: str
    where: str
    level: str
    person: str
    """The user in a few words; empty if the event names none."""
    person_id: str
    """The same for the same person: the id, else the name or address; empty for nobody."""
    user: str
    """All that the event says of the user, a line each."""
    url: str
    method: str
    server: str
    app: str
    """What the app is called, as far as the event says."""
    release: str
    environment: str
    tags: str
    """A line ``name=value`` for each tag, with a line break before and behind."""
    words: str
    """The text that is searched."""


def summarize(body: Mapping[str, Any]) -> Summary:
    """Read a cleaned event of raven's or any SDK's shape (protocol 4 to 7)."""
    level = level_of(body.get("level"))
    values = [item for item in exceptions_of(body)[-_FAILURES:] if isinstance(item, dict)]
    stack: Any = either(body, "stacktrace", "sentry.interfaces.Stacktrace")
    message = message_of(body)
    if values:
        failure = values[-1]
        kind, said = short(failure.get("type")) or "Exception", _line(failure.get("value"))
        stack = failure.get("stacktrace")
    else:
        kind, said = short(body.get("logger")), message
    frames, marked = frames_of(stack)
    ours = [frame for frame in frames[-FRAMES:] if is_ours(frame, marked)]
    place = next(iter(ours[-1:] or frames[-1:]), None)
    transaction = text(body.get("transaction")) or text(body.get("culprit"))
    where = _where(place) if place is not None else transaction
    if not values and frames:
        kind = kind or "Message"
    kind = kind or kind_of(said, level)
    key = group_key(body, kind, where, bool(values or frames))
    title, value = title_of(kind, said, where)
    request = dict_of(either(body, "request", "sentry.interfaces.Http"))
    user = dict_of(either(body, "user", "sentry.interfaces.User"))
    tags = list(_pairs(body.get("tags")))
    url = text(request.get("url"))
    query = request.get("query_string")
    person, person_id = _person(user)
    words = [kind, said, title, where, transaction, message, url]
    words += [query] if isinstance(query, str) else [f"{a}={b}" for a, b in _pairs(query)]
    for item in values[:-1]:
        words += [short(item.get("type")), _line(item.get("value"))]
    for frame in reversed(ours[-_OUTER_FRAMES:]):
        words += [short(frame.get(name)) for name in ("module", "function", "context_line")]
    if place is not None:
        words += [f"{name} {value}" for name, value in _pairs(place.get("vars"))]
    said_of_user = [value for _, value in _pairs(user)]
    words += said_of_user
    words += [f"{name} {value}" for name, value in tags]
    words += [f"{name} {value}" for name, value in _pairs(body.get("extra"))]
    crumbs = either(body, "breadcrumbs", "sentry.interfaces.Breadcrumbs")
    crumbs = crumbs.get("values") if isinstance(crumbs, dict) else crumbs
    for crumb in reversed(list_of(crumbs)[-_BREADCRUMBS:]):
        words.append(text(dict_of(crumb).get("message"), _PIECE))
    release, server = text(body.get("release"), SHORT), text(body.get("server_name"), SHORT)
    environment = text(body.get("environment"), SHORT)
    words += [release, server, environment]
    return Summary(
        at=time_of(body.get("timestamp")),
        key=key,
        type=title[:SHORT],
        value=value[:SHORT],
        where=where[:SHORT],
        level=level,
        person=person[:SHORT],
        person_id=person_id[:SHORT],
        user="\n".join(said_of_user),
        url=url[:1_000],
        method=text(request.get("method"), 40).upper(),
        server=server,
        app=_app(body, tags, release) or server,
        release=release,
        environment=environment,
        tags="".join(f"\n{name}={value}" for name, value in tags) + ("\n" if tags else ""),
        words=_searchable(words),
    )


def _line(value: Any) -> str:
    return text(value) if isinstance(value, str | int | float) else ""


def _where(frame: Mapping[str, Any]) -> str:
    module = short(frame.get("module")) or short(frame.get("filename")) or path_of(frame)
    return ".".join(part for part in (module, short(frame.get("function"))) if part)


def _pairs(value: Any) -> Iterable[tuple[str, str]]:
    """The names and simple values of a mapping, or of a list of pairs; each in one line."""
    if isinstance(value, dict):
        found: Iterable[Any] = list(value.items())[:_PAIRS]
    else:
        found = (pair for pair in list_of(value)[:_PAIRS] if isinstance(pair, list))
    for pair in found:
        if len(pair) == 2 and (said := text(pair[1], _PIECE)):
            yield text(pair[0], _PIECE).replace("\n", " "), said.replace("\n", " ")


def _person(user: Mapping[str, Any]) -> tuple[str, str]:
    name = next(filter(None, (text(user.get(key)) for key in ("username", "name", "email"))), "")
    number = text(user.get("id"))
    said = name or (f"user {number}" if number else "")
    return said, number or name or text(user.get("ip_address"))


def _app(body: Mapping[str, Any], tags: Iterable[tuple[str, str]], release: str) -> str:
    """By what a client says of its app; else by a release such as ``shop@1.2``."""
    contexts = dict_of(dict_of(body.get("contexts")).get("app"))
    named = text(contexts.get("app_name"), SHORT) or dict(tags).get("app", "")
    if named:
        return named
    package, at, _ = release.rpartition("@")
    return package if at else ""


def _searchable(words: Iterable[Any]) -> str:
    """The words, each once; a name such as ``ValueError`` also in its parts."""
    found: dict[str, None] = {}
    left = _TEXT
    for word in words:
        if word and left > 0:
            piece = word[:_PIECE]
            if piece not in found:
                found[piece] = None
                left -= len(piece) + 1
    whole = "\n".join(found)
    # Few pieces have such a name, and finding out takes a third of the time of looking for it.
    names = (_CAMEL_NAME.findall(piece) for piece in found if _IN_CAMEL.search(piece))
    parts = {_CAMEL.sub(" ", name) for name in chain.from_iterable(names)}
    return "\n".join([whole, *sorted(parts)])
