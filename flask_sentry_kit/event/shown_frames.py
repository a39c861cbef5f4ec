"""Scrubs frames that sentry-sdk has serialised: their variables and their lines of source."""

from __future__ import annotations

import linecache
import os
import sys
from functools import lru_cache
from types import ModuleType
from typing import Any, Final

from ..containment import FOREIGN_ERRORS
from .frames import is_library, source_around
from .mask import MASK
from .masked_walk import SOURCE
from .scrub import Scrubber
from .shown_values import ShownValues, ShownVariables, is_fact, items_of
from .source import LINE_MAX, LINE_READ, mask_source, mask_text_lines

_WINDOWS_MAX: Final = 100  # places of one event whose lines are in no file
_LINES_MAX: Final = 50
# Facts about code, not values of a visitor.
_FACTS: Final = frozenset(
    "filename abs_path module function raw_function package platform lineno colno in_app".split()
)


class ShownFrames:
    """Scrubs the frames of one event.

    :param variables: scrubs the variables.
    :param values: scrubs all else that is no fact about the code.
    """

    def __init__(self, scrubber: Scrubber, variables: ShownVariables, values: ShownValues) -> None:
        self._scrubber = scrubber
        self._variables = variables
        self._values = values
        self._windows: dict[tuple[str, ...], tuple[str, ...]] = {}

    def frame(self, frame: Any) -> Any:
        """A frame without its secrets. Only the app's own frames keep their variables."""
        if type(frame) is not dict:
            return self._values.value(frame)
        shown: dict[str, Any] = {}
        for name, value in items_of(frame):
            if name in _FACTS and is_fact(value):
                shown[name] = value
            elif name == "vars":
                if value and _is_own(frame):
                    shown[name] = self._locals(value)
            elif name not in SOURCE:
                shown[name] = self._values.named(name, value)
        if type(frame.get("context_line")) is str:
            try:
                shown.update(self._source(frame))
            except FOREIGN_ERRORS:
                pass  # no lines
        return shown

    def _locals(self, variables: Any) -> Any:
        if type(variables) is not dict:
            return MASK  # nothing that an SDK makes
        found: dict[str, Any] = {}
        for name, value in items_of(variables):
            found[name] = MASK
            if self._variables.left > 0:
                try:
                    found[name] = self._variables.named(name, value)
                except FOREIGN_ERRORS:
                    pass  # masked
        return found

    def _source(self, frame: dict[str, Any]) -> dict[str, Any]:
        before, line, after = (_lines(frame.get(name)) for name in SOURCE)
        window = (*before, *line, *after)
        path, number = frame.get("abs_path"), frame.get("lineno")
        if type(path) is str and type(number) is int and _was_read(path, frame.get("module")):
            # The file has more of the code than the event: it shows what these lines belong to.
            known = source_around(path, number, self._scrubber)
            lines = [line for name in SOURCE for line in _lines(known.get(name))]
            # The file's last line end is a line of its own here, and none for the SDK.
            extra = lines[len(window) :]
            if not any(extra) and len(lines) >= len(window) and all(map(_is_same, lines, window)):
                return _split(lines[: len(window)], len(before))
        if window not in self._windows:
            if len(self._windows) >= _WINDOWS_MAX:
                return {}
            kind = os.path.splitext(path)[1] if type(path) is str else ""
            python = kind in ("", ".py", ".pyw") or kind.endswith(">")
            self._windows[window] = _masked(window, python, self._scrubber)
        return _split(list(self._windows[window]), len(before))


@lru_cache(maxsize=256)
def _masked(window: tuple[str, ...], python: bool, scrubber: Scrubber) -> tuple[str, ...]:
    return tuple((mask_source if python else mask_text_lines)(window, scrubber))


def _is_own(frame: dict[str, Any]) -> bool:
    """Whether a frame is the app's own. sentry-sdk marks most (``in_app_include``), and leaves out
    those that are neither in the project's folder nor installed."""
    if frame.get("in_app") is not None:
        return bool(frame["in_app"])
    path = frame.get("abs_path")
    return not (type(path) is str and is_library(path))


def _split(lines: list[str], at: int) -> dict[str, Any]:
    return {
        "pre_context": lines[:at],
        "context_line": lines[at],
        "post_context": lines[at + 1 :],
    }


def _lines(lines: Any) -> list[str]:
    if type(lines) is str:
        lines = [lines]
    if not isinstance(lines, list | tuple):
        return []
    return [line[:LINE_READ] if type(line) is str else "" for line in lines[:_LINES_MAX]]


def _is_same(shown: str, line: str) -> bool:
    return shown == line[:LINE_MAX] or MASK in shown


def _was_read(path: str, module: Any) -> bool:
    """Whether this process has read the file as source. An event may name any file."""
    if path in linecache.cache:
        return True
    loaded = sys.modules.get(module) if type(module) is str else None
    return type(loaded) is ModuleType and vars(loaded).get("__file__") == path
