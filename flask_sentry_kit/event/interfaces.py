"""Turns an exception or a message into Sentry's interfaces, and limits the size of the event.

It makes dicts and bytes. It knows nothing about Flask or about sending.
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any, Final

from ..containment import FOREIGN_ERRORS
from .error_texts import named_parameters, without_named_values
from .event_json import event_json
from .frames import Stacks
from .scrub import MASK
from .serialize import Serializer, cut, safe_str, type_name

EVENT_MAX: Final = 200_000
"""Largest size of an event in bytes of JSON. Sentry itself refuses events above 1 MB."""

EXCEPTIONS_MAX: Final = 30
"""Most exceptions in one event, chained ones and members of groups together."""

MESSAGE_MAX: Final = 8_000
_TAG_MAX: Final = 200
_TAGS_MAX: Final = 50

_LEVELS: Final = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "fatal"}

RUNTIME: Final = {
    "name": platform.python_implementation(),
    "version": platform.python_version(),
}


def level_name(level: object) -> str:
    """Sentry's name of a log level given as a number or a name."""
    if isinstance(level, str):
        try:
            level = logging.getLevelName(level.upper())
        except Exception:
            return "error"
    if isinstance(level, int):
        return _LEVELS.get(min(50, max(10, level // 10 * 10)), "error")
    return "error"


def timestamp(date: datetime | None = None) -> str:
    """ISO 8601 in UTC, which every server reads. A date without a zone is taken as UTC."""
    if date is None:
        date = datetime.now(timezone.utc)
    elif date.tzinfo is not None:
        date = date.astimezone(timezone.utc)
    return f"{date.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def _members(error: BaseException) -> tuple[BaseException, ...]:
    # Compared by name, so that the backport for Python 3.10 is recognised too.
    if "BaseExceptionGroup" not in map(type_name, type.mro(type(error))):
        return ()
    try:
        found = getattr(error, "exceptions", ())
    except FOREIGN_ERRORS:
        return ()
    return found if isinstance(found, tuple) else ()


def _message(error: BaseException) -> str:
    text = safe_str(error)
    try:
        notes = getattr(error, "__notes__", ())
        if isinstance(notes, list | tuple):
            text = "\n".join([text[:MESSAGE_MAX], *(safe_str(note) for note in notes[:20])])
    except FOREIGN_ERRORS:
        pass
    return text


_CHAIN: Final = tuple(
    BaseException.__dict__[name] for name in ("__cause__", "__context__", "__suppress_context__")
)


def _related(
    error: BaseException, members: tuple[BaseException, ...]
) -> Iterator[tuple[BaseException, str]]:
    """The exceptions that an exception refers to, and the kind of each reference."""
    # Read from BaseException, in case a class overrides these attributes.
    cause, context, suppressed = (known.__get__(error) for known in _CHAIN)
    if cause is not None:
        yield cause, "__cause__"
    elif context is not None and not suppressed:
        yield context, "__context__"
    for place, member in enumerate(members):
        yield member, f"exceptions[{place}]"


def message(text: str, serializer: Serializer) -> str:
    """A message or an error's text, scrubbed and cut to ``MESSAGE_MAX`` characters."""
    scrubber, noted = serializer.scrubber, serializer.masked_values
    text = text[: 2 * MESSAGE_MAX]
    if noted is not None:
        text = without_named_values(text, scrubber, noted)
    shown = scrubber.short(text, MESSAGE_MAX)
    if noted is not None and MASK in shown:
        noted.note_text(text, shown)
    return shown


def logentry(given: Mapping[str, Any], serializer: Serializer) -> dict[str, Any]:
    """Sentry's ``logentry``: a message, its params and the formatted text."""
    entry: dict[str, Any] = {}
    params = given.get("params")
    template = safe_str(given.get("message") or "")
    hidden: list[int] = []
    if isinstance(params, tuple | list) and params:
        hidden = named_parameters(template, len(params), serializer.scrubber)
        if serializer.masked_values is not None:
            for place in hidden:
                serializer.masked_values.note(params[place])
    masked = False
    for name in ("message", "formatted"):
        if given.get(name) is not None:
            entry[name] = message(safe_str(given[name]), serializer)
            masked = masked or MASK in entry[name]
    # With "password=%s" one of the params is the password, and nothing says which one.
    if params and not masked:
        if hidden:
            params = [MASK if at in hidden else one for at, one in enumerate(params)]
        entry["params"] = serializer.value(params)
    return entry


def exception_interface(
    error: BaseException, stacks: Stacks, serializer: Serializer, *, handled: bool
) -> dict[str, Any]:
    """Sentry's ``exception``: ``values`` from the oldest to the exception that was caught.

    Chained exceptions and members of groups are distinguished by ``mechanism``, as
    https://develop.sentry.dev/sdk/data-model/event-payloads/exception/ describes.
    """
    values: list[dict[str, Any]] = []
    # Compared by identity, because exceptions need not be hashable. The list keeps them alive.
    seen: list[BaseException] = []
    waiting: list[tuple[BaseException, int | None, str | None]] = [(error, None, None)]
    while waiting and len(values) < EXCEPTIONS_MAX:
        current, parent, source = waiting.pop(0)
        if any(current is known for known in seen):
            continue
        number = len(seen)
        seen.append(current)
        mechanism: dict[str, Any] = {
            "type": "chained" if parent is not None else "flask",
            "handled": handled,
            "exception_id": number,
        }
        if parent is not None:
            mechanism.update(parent_id=parent, source=source)
        members = _members(current)
        if members:
            mechanism["is_exception_group"] = True
        kind = type(current)
        module = type.__dict__["__module__"].__get__(kind)
        value: dict[str, Any] = {
            "type": type_name(kind),
            "value": message(_message(current), serializer),
            "module": module if type(module) is str else "",
            "mechanism": mechanism,
        }
        stacktrace = stacks.of_traceback(current.__traceback__, serializer)
        if stacktrace is not None:
            value["stacktrace"] = stacktrace
        values.append(value)
        waiting.extend((related, number, how) for related, how in _related(current, members))
    values.reverse()
    return {"values": values}


def title(exception: Mapping[str, Any]) -> str:
    """``Type: message`` of an exception interface, as lists of events show it."""
    last = exception["values"][-1]
    return f"{last['type']}: {last['value']}" if last["value"] else str(last["type"])


# The keys of Sentry's user interface. All other keys go into its data.
_USER: Final = ("id", "email", "username", "name", "is_authenticated", "is_anonymous")


def user(facts: Mapping[Any, Any], serializer: Serializer, *, login: bool) -> dict[str, Any]:
    """Sentry's ``user``, made from facts about a user.

    :param facts: ``email`` and ``username`` are keys of the interface itself. All others go into
        its ``data``.
    :param login: whether the facts come from Flask-Login's user. raven's documentation puts every
        attribute except the email address under ``data``.
    """
    interface: dict[str, Any] = {}
    data: dict[str, Any] = {}
    for name, value in facts.items():
        if name in _USER:
            interface[name] = (
                value if isinstance(value, bool) else cut(serializer.text(safe_str(value)), 200)
            )
        if name not in _USER or (login and name in ("username", "name")):
            data[safe_str(name)] = serializer.named(name, value)
    if data:
        interface["data"] = data
    return interface


def tags(*sources: Mapping[Any, Any] | None, serializer: Serializer) -> dict[str, str]:
    """Tags of several sources, cut to 200 characters. Later sources override earlier ones."""
    found: dict[str, str] = {}
    for source in sources:
        for name, value in (source or {}).items():
            if len(found) >= _TAGS_MAX:
                break
            key = cut(safe_str(name), 32)
            shown = serializer.named(key, value if isinstance(value, str) else safe_str(value))
            found[key] = cut(safe_str(shown), _TAG_MAX)
    return found


def breadcrumbs(kept: list[dict[str, Any]], serializer: Serializer) -> dict[str, Any]:
    """Sentry's ``breadcrumbs``, made from the breadcrumbs of a scope."""
    values = []
    for crumb in kept:
        shown = {name: value for name, value in crumb.items() if value is not None}
        if "message" in shown:
            shown["message"] = serializer.text(safe_str(shown["message"]))
        if "data" in shown:
            shown["data"] = serializer.value(shown["data"])
        when = shown.get("timestamp")
        if isinstance(when, datetime):
            shown["timestamp"] = timestamp(when)
        values.append({name: _plain(value) for name, value in shown.items()})
    return {"values": values}


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | dict | list) else safe_str(value)


def _dump(event: Mapping[str, Any]) -> bytes:
    return event_json(event).encode()


def _stacks_of(event: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
    for value in event.get("exception", {}).get("values", ()):
        yield value.get("stacktrace", {}).get("frames", [])
    yield event.get("stacktrace", {}).get("frames", [])


def _without_locals(event: dict[str, Any]) -> None:
    for frames in _stacks_of(event):
        for frame in frames[:-3]:
            frame.pop("vars", None)


def _without_extras(event: dict[str, Any]) -> None:
    for name in ("extra", "breadcrumbs", "modules"):
        event.pop(name, None)
    if "request" in event:
        event["request"].pop("data", None)


def _without_sources(event: dict[str, Any]) -> None:
    for frames in _stacks_of(event):
        for frame in frames:
            frame.pop("vars", None)
            if not frame.get("in_app"):
                frame.pop("pre_context", None)
                frame.pop("post_context", None)


def _outline(event: dict[str, Any]) -> None:
    for frames in _stacks_of(event):
        for frame in frames:
            for name in ("vars", "pre_context", "post_context", "context_line"):
                frame.pop(name, None)
        frames[:-20] = []
    if "exception" in event:
        event["exception"]["values"] = event["exception"]["values"][-5:]
        for value in event["exception"]["values"]:
            value["value"] = cut(value["value"], 1_000)
    event["message"] = cut(safe_str(event.get("message", "")), 1_000)
    for name in set(event) - _CORE:
        event.pop(name)


def _without_company(event: dict[str, Any]) -> None:
    event.pop("tags", None)
    event["user"] = {"id": event.get("user", {}).get("id")}


_CORE: Final = frozenset(
    "event_id timestamp project platform sdk level logger message exception server_name release"
    " environment transaction user tags".split()
)

# The steps that shrink an event that is too large. The least useful parts are removed first.
_TRIMS: Final[tuple[Callable[[dict[str, Any]], None], ...]] = (
    _without_locals,
    _without_extras,
    _without_sources,
    _outline,
    _without_company,
)


def encode(event: dict[str, Any]) -> bytes:
    """The event as JSON of at most ``EVENT_MAX`` bytes. Parts that do not fit are also removed
    from ``event``."""
    body = _dump(event)
    for trim in _TRIMS:
        if len(body) <= EVENT_MAX:
            return body
        trim(event)
        body = _dump(event)
    if len(body) > EVENT_MAX:
        kept = ("event_id", "timestamp", "project", "platform", "sdk", "level", "release")
        lean = {name: event[name] for name in kept if name in event}
        lean["message"] = cut(safe_str(event.get("message", "")), 1_000)
        event.clear()
        event.update(lean)
        body = _dump(event)
    return body
