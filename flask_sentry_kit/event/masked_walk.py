"""Masks given values wherever they are values in a finished event.

Names, types, files, functions, ids and the program's own facts are never masked. The event may be
one that the kit built or one of sentry-sdk, which has threads, spans and contexts too.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from .mask import MASK

LENGTH_MIN: Final = 6
"""Length in characters of the shortest value that is collected."""
_COMPARISONS_MAX: Final = 20_000
_CUTS_MAX: Final = 200  # places of one event where a cut text may end in half of a value
EDGE: Final = re.compile(r"^\W+|\W+$")
_CUT: Final = re.compile(r"\.\.\.|…")
_TAIL: Final = re.compile(r"[^\"'\s,)\]}]{2,200}")
# Keys of an event that hold facts about the program or the kit, never a visitor's value.
_FACTS: Final = frozenset(
    "event_id timestamp project platform sdk level logger server_name modules transaction release"
    " environment repos fingerprint time_spent culprit dist type start_timestamp transaction_info"
    " check_in_id monitor_slug".split()
)
# Contexts about the program, the work's ids, and a visitor's words, which are there to be read.
PROGRAM_CONTEXTS: Final = frozenset("trace runtime os device culture app feedback".split())
SPAN_FACTS: Final = frozenset(
    "trace_id span_id parent_span_id op origin status timestamp start_timestamp"
    " same_process_as_parent dynamic_sampling_context exclusive_time".split()
)
"""Keys of a span and of the context ``trace`` that hold no value of the app's."""
_USER_NAMES: Final = ("id", "username", "email", "name")
_USER_FACTS: Final = ("id", "is_authenticated", "is_anonymous")
SOURCE: Final = ("pre_context", "context_line", "post_context")


@lru_cache(maxsize=2048)
def _words_of(name: str) -> frozenset[str]:
    """The name of a file, a module or a rule, and its parts."""
    lowered = name.lower()
    return frozenset((lowered, *re.split(r"[/\\.]", lowered), re.split(r"[/\\]", lowered)[-1]))


def facts_of(event: Mapping[str, Any]) -> set[str]:
    """Words that must stay readable: names of files, functions and types, host and user id."""
    found: set[str] = set()

    def add(value: object) -> None:
        if isinstance(value, str):
            found.update(_words_of(value[:300]))

    for frame in (one for trace in stacktraces_of(event) for one in frames_of(trace)):
        for name in ("filename", "abs_path", "module", "function"):
            add(frame.get(name))
        found.update(str(name).lower() for name in frame.get("vars") or ())
    for value in values_of(event.get("exception")):
        add(value.get("type"))
        add(value.get("module"))
    for name in ("release", "server_name", "logger", "environment", "culprit"):
        add(event.get(name))
    if not is_named_by_address(event):
        add(event.get("transaction"))
    user, request = event.get("user"), event.get("request")
    if isinstance(user, dict):
        found.update(str(user[name]).lower() for name in _USER_NAMES if name in user)
    if isinstance(request, dict):
        host = str(request.get("url", "")).partition("://")[2].partition("/")[0].lower()
        found.update((host, host.rpartition(":")[0]))
        headers = request.get("headers")
        if isinstance(headers, dict):
            found.update(str(headers.get(name, "")).lower() for name in ("Content-Type", "Accept"))
    return found


def is_named_by_address(event: Mapping[str, Any]) -> bool:
    """Whether the transaction's name is the address that a visitor asked for, not a rule's."""
    info = event.get("transaction_info")
    return isinstance(info, dict) and info.get("source") == "url"


def values_of(interface: Any) -> list[dict[str, Any]]:
    """The dicts in an interface such as ``exception``, ``threads`` or ``breadcrumbs``, which is a
    dict with ``values`` or a list."""
    if isinstance(interface, dict):
        interface = interface.get("values")
    return _dicts(interface)


def frames_of(stacktrace: Any) -> list[dict[str, Any]]:
    """The frames of a stacktrace, or none if it is not one."""
    return _dicts(stacktrace.get("frames") if isinstance(stacktrace, dict) else None)


def _dicts(values: Any) -> list[dict[str, Any]]:
    if not isinstance(values, list | tuple):
        return []
    return [one for one in values if isinstance(one, dict)]


def stacktraces_of(event: Mapping[str, Any]) -> Iterator[Any]:
    """The stacktraces of an event: of its exceptions, of its threads, and its own."""
    for name in ("exception", "threads"):
        for value in values_of(event.get(name)):
            yield value.get("stacktrace")
    yield event.get("stacktrace")


class Walk:
    """One pass over an event, part by part.

    A value is searched by its first ``LENGTH_MIN`` characters and then compared. The number of
    comparisons per event is limited, so that text with many near matches costs no more.
    """

    def __init__(self, values: Mapping[str, bool]) -> None:
        self._whole = set(values)
        self._weak = {value for value, strong in values.items() if not strong}
        # The longest first, so that a short value does not hide a longer one with the same start.
        self._by_start: dict[str, list[str]] = {}
        for value in sorted(self._whole, key=len, reverse=True):
            self._by_start.setdefault(value[:LENGTH_MIN], []).append(value)
        self._compared = 0
        self._cuts = 0

    def event(self, event: dict[str, Any]) -> None:
        """Mask the values in all parts of an event."""
        for name, value in event.items():
            event[name] = self.part(name, value)

    def part(self, name: str, value: Any) -> Any:
        """One part of an event, masked. Frames are changed in place."""
        if name in ("exception", "threads"):
            for one in values_of(value):
                if "value" in one:
                    one["value"] = self.value(one["value"])
                self._frames(one.get("stacktrace"))
            return value
        if name == "stacktrace":
            self._frames(value)
            return value
        if name == "user" and type(value) is dict:
            return self._without(_USER_FACTS, value)
        if name == "contexts" and type(value) is dict:
            return {key: self._context(key, one) for key, one in value.items()}
        if name == "spans" and type(value) is list:
            return [self._without(SPAN_FACTS, one) for one in value]
        return value if name in _FACTS else self.value(value)

    def _without(self, facts: Container[str], value: Any) -> Any:
        if type(value) is not dict:
            return self.value(value)
        return {key: one if key in facts else self.value(one) for key, one in value.items()}

    def _context(self, name: str, context: Any) -> Any:
        if name == "trace":
            return self._without(SPAN_FACTS, context)
        return context if name in PROGRAM_CONTEXTS else self.value(context)

    def _frames(self, stacktrace: Any) -> None:
        for frame in frames_of(stacktrace):
            if "vars" in frame:
                frame["vars"] = {name: self.value(one) for name, one in frame["vars"].items()}
            for name in SOURCE:
                # All events with this line share this object. It is never changed in place.
                shown = frame.get(name)
                if type(shown) is str:
                    frame[name] = self._text(shown, source=True)
                elif shown:
                    frame[name] = [self._text(line, source=True) for line in shown]

    def value(self, value: Any) -> Any:
        """A value with the given ones masked in it, whatever it is called."""
        kind = type(value)
        if kind is str:
            return self._text(value)
        if kind is dict:
            return {self._key(name): self.value(one) for name, one in value.items()}
        if kind is list:
            return [self.value(one) for one in value]
        if kind is int and str(abs(value)) in self._whole:
            return MASK
        return value

    def _key(self, name: str) -> str:
        """A dict key, masked if it is one of the values: ``{"hunter2": "bob"}``."""
        return MASK if name in self._whole and name not in self._weak else name

    def _text(self, text: str, *, source: bool = False) -> str:
        if len(text) < LENGTH_MIN:
            return text
        if text in self._whole and not source:
            return MASK
        for start, values in self._by_start.items():
            at = text.find(start)
            if at >= 0:
                text = self._masked(text, start, values, at, source)
        if ("..." in text or "…" in text) and not source:
            text = self._without_halves(text)
        return text

    def _masked(self, text: str, start: str, values: list[str], at: int, source: bool) -> str:
        found: list[str] = []
        done = 0
        while at >= 0:
            end = self._end_of(text, at, values, source)
            if end is None:
                at = text.find(start, at + 1)
                continue
            found += (text[done:at], MASK)
            done = end
            at = text.find(start, end)
        return "".join(found) + text[done:] if found else text

    def _end_of(self, text: str, at: int, values: list[str], source: bool) -> int | None:
        """The end of the value at ``at``, or None if there is no value."""
        if self._compared > _COMPARISONS_MAX:
            return None if source else at + LENGTH_MIN
        for value in values:
            self._compared += 1
            if text.startswith(value, at):
                end = at + len(value)
            elif not source and value.startswith(text[at : at + len(value)]):
                end = len(text)  # the text was cut inside the value
            else:
                continue
            before, after = text[at - 1 : at], text[end : end + 1]
            if source or value in self._weak:
                if not (before and before in "\"'=" and (not after or after in "\"'&")):
                    continue
                if source and (value in self._weak or before == "=" or not after):
                    continue
            elif value.isdigit() and (before.isalnum() or after.isalnum()):
                continue  # part of a longer number or an id
            return end
        return None

    def _without_halves(self, text: str) -> str:
        """Mask both halves of a value around a cut: ``input_value='abcdefg...uvwxyz'``."""
        found: list[str] = []
        done = 0
        for cut in _CUT.finditer(text):
            self._cuts += 1
            if self._cuts > _CUTS_MAX:
                break
            half = self._half_before(text, max(done, cut.start() - 400), cut.start())
            if half is None:
                continue
            value, at = half
            tail = _TAIL.match(text, cut.end())
            found += (text[done:at], MASK, cut[0])
            done = cut.end()
            if tail and value.endswith(EDGE.sub("", tail[0])):
                done = tail.end()
        return "".join(found) + text[done:] if found else text

    def _half_before(self, text: str, begin: int, end: int) -> tuple[str, int] | None:
        window = text[begin:end]
        for start, values in self._by_start.items():
            at = window.find(start)
            while at >= 0 and self._compared <= _COMPARISONS_MAX:
                for value in values:
                    self._compared += 1
                    if value not in self._weak and value.startswith(window[at:]):
                        return value, begin + at
                at = window.find(start, at + 1)
        return None
