"""Encodes an event as JSON. The parts of a frame that never change are encoded only once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from .serialize import safe_str

_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), default=safe_str)

_encode = _ENCODER.encode

KEPT_MAX: Final = 4_000
"""Characters of JSON cached for one source line, for at most 4,096 lines. Most take about 800."""


class Place(dict[str, Any]):
    """The constant part of a frame: file, function, line and the lines around it."""

    __slots__ = ("_json",)

    @property
    def json(self) -> str:
        """The place as JSON. It is cached on first use unless it is unusually long."""
        try:
            return self._json
        except AttributeError:
            text = _encode(self)
            if len(text) <= KEPT_MAX:
                self._json: str = text
            return text


class Frame(dict[str, Any]):
    """A frame of one crash.

    :param place: the part that all frames of this line share. Locals and other keys may be added,
        and any key may be replaced or removed.
    """

    __slots__ = ("place",)

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.place = place


def _frame_json(frame: Any) -> str:
    if type(frame) is Frame:
        place = frame.place
        variables = frame.get("vars")
        # Masking, trimming or the app's own processors may have changed any of these keys.
        if len(frame) == len(place) + (variables is not None) and place.items() <= frame.items():
            if variables is None:
                return place.json
            return f'{place.json[:-1]},"vars":{_encode(variables)}}}'
    return _encode(frame)


def _joined(others: Mapping[str, Any], name: str, content: str) -> str:
    """A JSON object whose last member is already encoded."""
    begin = _encode(others)[:-1] + "," if others else "{"
    return f'{begin}"{name}":{content}}}'


def _array(items: Iterable[str]) -> str:
    return f"[{','.join(items)}]"


def _value_json(value: Any) -> str:
    """One exception of the event as JSON."""
    if type(value) is not dict:
        return _encode(value)
    stacktrace = value.get("stacktrace")
    if type(stacktrace) is not dict or type(stacktrace.get("frames")) is not list:
        return _encode(value)
    rest = {name: one for name, one in stacktrace.items() if name != "frames"}
    shown = _joined(rest, "frames", _array(map(_frame_json, stacktrace["frames"])))
    return _joined({n: one for n, one in value.items() if n != "stacktrace"}, "stacktrace", shown)


def event_json(event: Mapping[str, Any]) -> str:
    """The event as JSON: the same as from ``json.dumps``, except for the order of members."""
    exception = event.get("exception")
    if type(exception) is not dict or type(exception.get("values")) is not list:
        return _encode(event)
    rest = {name: one for name, one in exception.items() if name != "values"}
    shown = _joined(rest, "values", _array(map(_value_json, exception["values"])))
    return _joined({n: one for n, one in event.items() if n != "exception"}, "exception", shown)
