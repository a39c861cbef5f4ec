"""Where an event holds what: the shapes of raven's and of any SDK's JSON (protocol 4 to 7)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Final

from .shown import short, text

FRAMES: Final = 300
"""Frames of an event that are looked at, the innermost ones."""

_FINGERPRINTS: Final = 50

# logging's and raven's messages: "%s", "%(name)s", "%.2f", "%%".
_ARGUMENTS = re.compile(r"%(?:\((\w{1,50})\))?[-+ #0]{0,5}\d{0,9}(?:\.\d{0,9})?[diouxXeEfFgGcrsa%]")
_ARGUMENT: Final = 500

_LEVELS: Final = ((50, "fatal"), (40, "error"), (30, "warning"), (20, "info"), (0, "debug"))
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|([+-]\d\d):?(\d\d))?"
)
_GENERATED = re.compile(r"<(?!template>|stdin|console|python-input|ipython-input|doctest).*>\Z")
_NOT_OURS = re.compile(r"(?:^|[/\\])(?:site|dist)-packages[/\\]|[/\\]lib[/\\]python\d|^<frozen ")


def either(body: Mapping[str, Any], name: str, older: str) -> Any:
    # raven still sends some interfaces under the names of protocol 4.
    return body.get(name) if body.get(name) is not None else body.get(older)


def dict_of(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def list_of(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def path_of(frame: Mapping[str, Any]) -> str:
    return short(frame.get("abs_path")) or short(frame.get("filename"))


def kind_of(message: str, level: str) -> str:
    """What an event without an exception and without a logger is named by."""
    return "Message" if message else level.capitalize()


def exceptions_of(body: Mapping[str, Any]) -> list[Any]:
    """The exceptions of an event. The one that ended the request is the last."""
    found = either(body, "exception", "sentry.interfaces.Exception")
    values = found.get("values") if isinstance(found, dict) else found
    return list_of([found] if isinstance(found, dict) and not isinstance(values, list) else values)


def frames_of(stack: Any) -> tuple[list[dict[str, Any]], bool]:
    """The frames of a stack, the innermost last, and whether the client marks the app's own.

    A client that marks none does not know which code is the app's own: look at the paths.
    """
    frames = [frame for frame in list_of(dict_of(stack).get("frames")) if isinstance(frame, dict)]
    return frames, any(frame.get("in_app") is True for frame in frames)


def is_ours(frame: Mapping[str, Any], marked: bool) -> bool:
    """Whether a frame is the app's own code."""
    if marked and frame.get("in_app") is not True:
        return False
    path = path_of(frame)
    # Some clients mark what a library generated for the module that it was made in.
    if _GENERATED.match(path):
        return False
    return marked or (bool(path) and not _NOT_OURS.search(path))


def message_of(body: Mapping[str, Any]) -> str:
    entry = dict_of(either(body, "logentry", "sentry.interfaces.Message"))
    filled = _filled(entry.get("message"), entry.get("params"))
    for value in (entry.get("formatted"), filled, body.get("message"), entry.get("message")):
        if isinstance(value, str) and value:
            return text(value)
    return ""


def _filled(template: Any, params: Any) -> str:
    """A message with the arguments that a client sent beside it, as raven does; empty without any.

    Not by Python's ``%``, which makes a text of any length of "%999999999d".
    """
    if not isinstance(template, str) or not isinstance(params, list | dict) or not params:
        return ""
    left = iter(params if isinstance(params, list) else ())

    def fill(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%"
        if found[1] is None:
            value = next(left, None)
        else:
            value = params.get(found[1]) if isinstance(params, dict) else None
        if value is None:
            return found[0]
        return "…" if isinstance(value, dict | list) else text(value, _ARGUMENT) or str(value)

    return _ARGUMENTS.sub(fill, text(template))


def level_of(value: Any, default: str = "error") -> str:
    if isinstance(value, int | float):
        return next((name for number, name in _LEVELS if value >= number), default)
    if isinstance(value, str) and value.lower() in {name for _, name in _LEVELS}:
        return value.lower()
    return default


def time_of(value: Any) -> float | None:
    """A number or an RFC 3339 time in seconds since 1970; a time without a zone is UTC."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if 0 < value < 32503680000 else None
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    day, clock, fraction, hours, minutes = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    offset = int(f"{hours[0]}1") * (abs(int(hours)) * 60 + int(minutes)) * 60 if hours else 0
    at = moment.timestamp() + float(f"0.{fraction or 0}") - offset
    return at if at > 0 else None


def group_key(body: Mapping[str, Any], kind: str, where: str, has_stack: bool) -> str:
    """The key of the crash: the exception's type and the place in the app's own code.

    A client's own ``fingerprint`` wins, as at Sentry. For a message without an exception its
    template is part of the key, so that other arguments are the same crash.
    """
    usual = [kind, where]
    if not has_stack:
        entry = dict_of(either(body, "logentry", "sentry.interfaces.Message"))
        usual.append(text(entry.get("message")) or message_of(body))
    parts: list[str] = []
    for part in map(text, list_of(body.get("fingerprint"))[:_FINGERPRINTS]):
        parts += usual if re.fullmatch(r"\{\{ *default *\}\}", part) else [part]
    return hashlib.sha256("\0".join(parts or usual).encode()).hexdigest()[:16]
