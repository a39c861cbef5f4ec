"""Reads an event as it arrived, cleans it, and picks what the pages show.

A value of another type than expected is left out; no event makes anything here raise. Knows nothing
of HTTP or of the database.
"""

from __future__ import annotations

import hashlib
import math
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import groupby
from typing import Any, Final

from .shown import Budget, Pairs, short, text

# Characters and pieces that are shown of an event, which is kept whole. The stack and everything
# else have a bound each, so that both are shown.
_STACK: Final = (400_000, 8_000)
_REST: Final = (200_000, 3_000)
_FRAMES: Final = 300
_FAILURES: Final = 30
_BREADCRUMBS: Final = 100
_FINGERPRINTS: Final = 50

# Levels. Reporters nest less (raven stops at 4), and Python's recursion limit is far higher.
_DEPTH: Final = 60

_LEVELS: Final = ((50, "fatal"), (40, "error"), (30, "warning"), (20, "info"), (0, "debug"))
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|([+-]\d\d):?(\d\d))?"
)
_GENERATED = re.compile(r"<(?!template>|stdin|console|python-input|ipython-input|doctest).*>\Z")
_NOT_OURS = re.compile(r"(?:^|[/\\])(?:site|dist)-packages[/\\]|[/\\]lib[/\\]python\d|^<frozen ")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of source."""

    number: int | None
    text: str
    current: bool
    """Whether this is the line that was running."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One call of a stack."""

    file: str
    module: str
    function: str
    line: int | None
    ours: bool
    """Whether it is the app's own code, and not a library's."""
    source: tuple[Line, ...]
    variables: tuple[tuple[str, str], ...]

    @property
    def where(self) -> str:
        """Module and function, such as ``shop.cart.total``, without the line, which changes."""
        return ".".join(part for part in (self.module or self.file, self.function) if part)

    @property
    def library(self) -> str:
        """The library: the first part of the module's name."""
        return (self.module or self.file).partition(".")[0]


@dataclass(frozen=True, slots=True)
class Failure:
    """One exception of the chain."""

    type: str
    value: str
    frames: tuple[Frame, ...]
    """The innermost first."""

    @property
    def place(self) -> Frame | None:
        """The frame to look at: the innermost of the app's own code, else the innermost."""
        return next((frame for frame in self.frames if frame.ours), next(iter(self.frames), None))


@dataclass(frozen=True, slots=True)
class Breadcrumb:
    at: float | None
    category: str
    level: str
    message: str


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
    """The exception that ended the request first, then its causes."""
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
    facts: Pairs
    breadcrumbs: tuple[Breadcrumb, ...]
    cut: bool
    """Whether there is more of the event than is shown."""

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


def by_owner(frames: Iterable[Frame]) -> list[tuple[bool, list[Frame]]]:
    """The frames in runs that are the app's own, or not, so that the page can fold the others."""
    return [(ours, list(run)) for ours, run in groupby(frames, key=lambda frame: frame.ours)]


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
    if isinstance(value, dict | list) and depth >= _DEPTH:
        return "…"
    if isinstance(value, dict):
        return {clean(key): clean(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [clean(item, depth + 1) for item in value]
    return value


def read_event(body: Mapping[str, Any]) -> Event:
    """Read a cleaned event of raven's or any SDK's shape (protocol 4 to 7)."""
    stack, rest = Budget(*_STACK), Budget(*_REST)
    failures = _failures(body, stack)
    message = _message(body)
    transaction = text(body.get("transaction")) or text(body.get("culprit"))
    if failures:
        kind, said = failures[0].type, failures[0].value
    else:
        kind, said = short(body.get("logger")), message
    place = failures[0].place if failures else None
    where = place.where if place else transaction
    request = _dict(_either(body, "request", "sentry.interfaces.Http"))
    user = _either(body, "user", "sentry.interfaces.User")
    level = _level(body.get("level"))
    # An event with neither exception nor message is named by its level.
    kind = kind or ("Message" if said else level.capitalize())
    form = rest.pairs(request.get("data"))
    return Event(
        at=time_of(body.get("timestamp")),
        type=kind,
        value=said,
        where=where,
        key=_key(body, kind, where, failures),
        level=level,
        failures=failures,
        method=short(request.get("method")),
        url=text(request.get("url")),
        query=_query(request.get("query_string"), rest),
        user=rest.pairs(user),
        tags=rest.pairs(body.get("tags")),
        headers=rest.pairs(request.get("headers")),
        cookies=rest.pairs(request.get("cookies")),
        form=form,
        body="" if form else rest.show(request.get("data")),
        extra=rest.pairs(body.get("extra")),
        breadcrumbs=_breadcrumbs(body, rest),
        environ=rest.pairs(request.get("env")),
        facts=_facts(body, transaction, message if failures else ""),
        cut=stack.full or rest.full,
    )


def _key(body: Mapping[str, Any], kind: str, where: str, failures: tuple[Failure, ...]) -> str:
    """The key of the crash: the exception's type and the place in the app's own code.

    A client's own ``fingerprint`` wins, as at Sentry. For a message without an exception its
    template is part of the key, so that other arguments are the same crash.
    """
    usual = [kind, where]
    if not failures:
        entry = _dict(_either(body, "logentry", "sentry.interfaces.Message"))
        usual.append(text(entry.get("message")) or _message(body))
    parts: list[str] = []
    for part in map(text, _list(body.get("fingerprint"))[:_FINGERPRINTS]):
        parts += usual if re.fullmatch(r"\{\{ *default *\}\}", part) else [part]
    return hashlib.sha256("\0".join(parts or usual).encode()).hexdigest()[:16]


def _failures(body: Mapping[str, Any], budget: Budget) -> tuple[Failure, ...]:
    found = _either(body, "exception", "sentry.interfaces.Exception")
    values = found.get("values") if isinstance(found, dict) else found
    if isinstance(found, dict) and not isinstance(values, list):
        values = [found]
    failures: list[Failure] = []
    if len(_list(values)) > _FAILURES:
        budget.full = True
    # On the wire the exception that ended the request is the last of the list.
    for item in reversed(_list(values)[-_FAILURES:]):
        if isinstance(item, dict):
            known = sum(len(failure.frames) for failure in failures)
            failures.append(
                Failure(
                    type=short(item.get("type")) or "Exception",
                    value=budget.show(item.get("value")),
                    frames=_frames(item.get("stacktrace"), _FRAMES - known, budget),
                )
            )
    stack = _either(body, "stacktrace", "sentry.interfaces.Stacktrace")
    if not failures and (frames := _frames(stack, _FRAMES, budget)):
        failures.append(Failure(short(body.get("logger")) or "Message", _message(body), frames))
    return tuple(failures)


def _frames(stack: Any, most: int, budget: Budget) -> tuple[Frame, ...]:
    frames = [frame for frame in _list(_dict(stack).get("frames")) if isinstance(frame, dict)]
    if len(frames) > most:
        budget.full = True
    # A client that marks no frame does not know which code is the app's own: look at the paths.
    marked = any(frame.get("in_app") is True for frame in frames)
    shown = frames[-most:] if most > 0 else []
    return tuple(_frame(frame, marked, budget) for frame in reversed(shown))


def _frame(frame: Mapping[str, Any], marked: bool, budget: Budget) -> Frame:
    path = short(frame.get("abs_path")) or short(frame.get("filename"))
    line = frame.get("lineno")
    number = line if isinstance(line, int) and 0 < line < 10**9 else None
    return Frame(
        file=short(frame.get("filename")) or path,
        module=short(frame.get("module")),
        function=short(frame.get("function")),
        line=number,
        ours=_is_ours(frame, path, marked),
        source=_source(frame, number, budget),
        variables=budget.pairs(frame.get("vars")),
    )


def _is_ours(frame: Mapping[str, Any], path: str, marked: bool) -> bool:
    # Some clients mark what a library generated for the module that it was made in.
    if _GENERATED.match(path):
        return False
    return frame.get("in_app") is True if marked else bool(path) and not _NOT_OURS.search(path)


def _source(frame: Mapping[str, Any], number: int | None, budget: Budget) -> tuple[Line, ...]:
    current = frame.get("context_line")
    if not isinstance(current, str):
        return ()
    before = _list(frame.get("pre_context"))[-10:]
    after = _list(frame.get("post_context"))[:10]
    first = number - len(before) if number else None
    return tuple(
        Line(first + index if first is not None else None, budget.text(line), index == len(before))
        for index, line in enumerate([*before, current, *after])
    )


def _message(body: Mapping[str, Any]) -> str:
    entry = _dict(_either(body, "logentry", "sentry.interfaces.Message"))
    for value in (entry.get("formatted"), body.get("message"), entry.get("message")):
        if isinstance(value, str) and value:
            return text(value)
    return ""


def _facts(body: Mapping[str, Any], transaction: str, message: str) -> Pairs:
    sdk = _dict(body.get("sdk"))
    modules = _dict(body.get("modules"))
    runtime = _dict(_dict(body.get("contexts")).get("runtime"))
    python = modules.get("python") or runtime.get("version")
    facts = {
        "route": transaction,
        "message": message,
        "release": text(body.get("release")),
        "environment": text(body.get("environment")),
        "server": text(body.get("server_name")),
        "Python": text(python),
        "reporter": " ".join(filter(None, (text(sdk.get("name")), text(sdk.get("version"))))),
    }
    return tuple((name, value) for name, value in facts.items() if value)


def _breadcrumbs(body: Mapping[str, Any], budget: Budget) -> tuple[Breadcrumb, ...]:
    found = _either(body, "breadcrumbs", "sentry.interfaces.Breadcrumbs")
    values = found.get("values") if isinstance(found, dict) else found
    if len(_list(values)) > _BREADCRUMBS:
        budget.full = True
    crumbs = []
    for item in _list(values)[-_BREADCRUMBS:]:
        if isinstance(item, dict):
            parts = (budget.text(item.get("message")), budget.show(item.get("data") or None))
            crumbs.append(
                Breadcrumb(
                    at=time_of(item.get("timestamp")),
                    category=short(item.get("category") or item.get("type")),
                    level=_level(item.get("level"), "info"),
                    message=" ".join(filter(None, parts)),
                )
            )
    return tuple(crumbs)


def _level(value: Any, default: str = "error") -> str:
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


def _query(value: Any, budget: Budget) -> str:
    if isinstance(value, str):
        return budget.text(value)
    return "&".join(f"{key}={item}" for key, item in budget.pairs(value))


def _either(body: Mapping[str, Any], name: str, older: str) -> Any:
    # raven still sends some interfaces under the names of protocol 4.
    return body.get(name) if body.get(name) is not None else body.get(older)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
