"""Tracebacks and stacks as Sentry's frames: where it happened, the lines around it, the locals.

Reads source files once and keeps them; never imports a module and never calls the app.
"""

from __future__ import annotations

import linecache
import os
import re
import site
import sys
import sysconfig
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import lru_cache
from types import CodeType, FrameType, TracebackType
from typing import Any, Final

import flask.app

from ..compat import is_template
from ..containment import FOREIGN_ERRORS
from .event_json import Frame, Place
from .scrub import Scrubber
from .serialize import Serializer
from .source import LINE_READ, enclosing_function, mask_source, mask_text_lines

FRAMES_MAX: Final = 60
"""Frames kept of one stack: the outermost 15 and the innermost 45. A RecursionError has 1,000."""
_OUTERMOST: Final = 15

_CONTEXT_LINES: Final = 5
# Lines before those that are sent, read for what they say of them: the name that a dict or a
# bracket belongs to.
_LINES_BEFORE: Final = 30
_MULTILINE: Final = re.compile(
    rb"""\#[^\n]*
    | \"{3}[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*(?:\"{3})?
    | '{3}[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*(?:'{3})?
    | "[^"\\\n]*(?:\\.[^"\\\n]*)*"?
    | '[^'\\\n]*(?:\\.[^'\\\n]*)*'?
    """,
    re.VERBOSE | re.DOTALL,
)
_TYPED: Final = re.compile(r"<(?:stdin|console|python-input|ipython-input|doctest)\b")
_LOCALS_MAX: Final = 40
_DECLARED: Final = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_SOURCE_MAX: Final = 2_000_000  # bytes of a file; a longer one is generated code or data

# Frames that only carry the crash to us; their locals (environ, the request, our own state)
# would repeat what was masked elsewhere.
_OWN: Final = ("flask_sentry_kit.", "raven.")

# Our own frames between the server and the view say nothing about the app.
_PASSED_THROUGH: Final = (
    "flask_sentry_kit.watch.answers",
    "flask_sentry_kit.watch.escapes",
    "flask_sentry_kit.watch.handlers",
    "flask_sentry_kit.watch.own_routes",
)


def _library_roots() -> tuple[str, ...]:
    paths = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    paths.update(site.getsitepackages() if hasattr(site, "getsitepackages") else ())
    return tuple(os.path.join(path, "") for path in paths if path)


_LIBRARY_ROOTS: Final = _library_roots()


@lru_cache(maxsize=2048)
def is_library(path: str) -> bool:
    """Whether a file belongs to Python or to an installed package. ``Stacks`` decides with it, and
    with nothing else, what is the app's own; an app may be installed too."""
    if path.startswith("<frozen"):
        return True
    slashed = path.replace(os.sep, "/")
    if "/site-packages/" in slashed or "/dist-packages/" in slashed:
        return True
    return path.startswith(_LIBRARY_ROOTS)


@lru_cache(maxsize=128)
def _lines(path: str) -> tuple[list[bytes], str] | None:
    """A source file's lines and its encoding (PEP 263), or None where there is no such file."""
    try:
        if os.path.getsize(path) > _SOURCE_MAX:
            return None
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")
    except (OSError, ValueError):
        return None
    for line in lines[:2]:
        declared = _DECLARED.match(line)
        if declared:
            try:
                "".encode(declared[1].decode())
            except LookupError:
                break
            return lines, declared[1].decode()
    return lines, "utf-8"


@lru_cache(maxsize=128)
def _loader_lines(loader: Any, module: str) -> tuple[list[bytes], str] | None:
    # A module inside a zip file has its source with its loader (PEP 302).
    try:
        source = loader.get_source(module)
    except FOREIGN_ERRORS:
        return None
    return (source.encode().split(b"\n"), "utf-8") if isinstance(source, str) else None


def _is_generated(code: CodeType, space: dict[str, Any]) -> bool:
    """Whether code has no file and was not typed in either: it is what a library wrote, or exec().
    A template that was made from a text is an app's all the same."""
    name = code.co_filename
    return (
        name.startswith("<")
        and name.endswith(">")
        and _TYPED.match(name) is None
        and not is_template(space)
    )


def _lines_of_code(code: CodeType, space: dict[str, Any]) -> tuple[list[bytes], str] | None:
    """The lines of code that has no file to read: those that linecache has been given for it, or
    what the loader of its module gives (PEP 302), where it is that module's code; or None."""
    known = linecache.cache.get(code.co_filename)
    if known is not None and len(known) == 4 and known[0] <= _SOURCE_MAX:
        lines = known[2]
        # "<string>" is the name of many texts: this one holds the code where its name stands.
        named = "".join(lines[code.co_firstlineno - 1 : code.co_firstlineno + 20])
        if code.co_name.startswith("<") or re.search(rf"\b{re.escape(code.co_name)}\b", named):
            return [line.rstrip("\n").encode("utf-8", "replace") for line in lines], "utf-8"
    if code.co_filename != space.get("__file__"):
        return None
    loader, module = space.get("__loader__"), space.get("__name__")
    return _loader_lines(loader, module) if loader and type(module) is str else None


@lru_cache(maxsize=128)
def _multiline_strings(path: str) -> tuple[tuple[int, int], ...]:
    """First and last line of each string of a file that goes over several lines."""
    read = _lines(path)
    if read is None:
        return ()
    text = b"\n".join(read[0])
    found = []
    line = done = 0
    for match in _MULTILINE.finditer(text):
        inside = text.count(b"\n", match.start(), match.end())
        if inside:
            line += text.count(b"\n", done, match.start())
            found.append((line, line + inside))
            line, done = line + inside, match.end()
    return tuple(found)


def _around(
    read: tuple[list[bytes], str],
    lineno: int,
    scrubber: Scrubber,
    multiline: tuple[tuple[int, int], ...] = (),
    *,
    python: bool = True,
) -> dict[str, Any]:
    lines, encoding = read
    at = lineno - 1
    if not 0 <= at < len(lines):
        return {}

    def texts(first: int, last: int) -> list[str]:
        # A character has at most four bytes; what is left out is not even decoded.
        return [
            line[: 4 * LINE_READ].decode(encoding, "replace").rstrip("\r")
            for line in lines[first:last]
        ]

    first, last = max(0, at - _CONTEXT_LINES), at + 1 + _CONTEXT_LINES
    if python:
        earlier = max(0, first - _LINES_BEFORE)
        opening: list[str] = []
        index = bisect_right(multiline, (earlier, 0)) - 1
        if index >= 0 and multiline[index][0] < earlier <= multiline[index][1]:
            # The window begins inside a string: the line on which it began says whose it is.
            opening = texts(multiline[index][0], multiline[index][0] + 1)
        function = enclosing_function(texts(max(0, earlier - 100), earlier))
        shown = mask_source(
            opening + texts(earlier, last),
            scrubber,
            skip=len(opening) + first - earlier,
            function=function,
        )
    else:
        shown = mask_text_lines(texts(first, last), scrubber)
    return {
        "pre_context": shown[: at - first],
        "context_line": shown[at - first],
        "post_context": shown[at - first + 1 :],
    }


# One for all apps of a process: most frames of a crash are Flask's.
@lru_cache(maxsize=4096)
def _source_around(path: str, lineno: int, scrubber: Scrubber) -> dict[str, Any]:
    read = _lines(path)
    if read is None:
        return {}
    python = path.endswith((".py", ".pyw"))
    strings = _multiline_strings(path) if python else ()
    return _around(read, lineno, scrubber, strings, python=python)


_EVERY_CRASH: Final = re.compile(
    rb"= self\.(?:full_dispatch_request|handle_user_exception|dispatch_request)\("
    rb"|return self\.ensure_sync\(self\.view_functions\["
)


def warm_sources(scrubber: Scrubber) -> None:
    """Read and mask the lines of Flask that every crash in a view passes."""
    path = flask.app.__file__
    for number, line in enumerate((_lines(path) or ((), ""))[0], start=1):
        if _EVERY_CRASH.search(line) is not None:
            _source_around(path, number, scrubber)


@lru_cache(maxsize=2048)
def _short_path(path: str, module: str | None) -> str:
    """The path below the folder that the module's top package is in, as tracebacks are read."""
    if module:
        depth = module.count(".") + (1 if os.path.basename(path) == "__init__.py" else 0)
        parts = path.split(os.sep)
        if depth + 1 < len(parts):
            return "/".join(parts[-depth - 1 :])
    return path


class Stacks:
    """Turns stacks into frames for one client.

    :param include: module prefixes that are the app's own (raven's ``include_paths``).
    :param exclude: module prefixes that are not (``exclude_paths``).
    :param strict: only ``include`` is the app's own; otherwise so is every file that is not
        part of Python or of an installed package.
    :param capture_locals: whether frames of the app carry their local variables.
    :param scrubber: masks the lines of source, of every frame: an installed app is its owner's
        code as much as one in a checkout.
    """

    def __init__(
        self,
        include: Iterable[str] = (),
        exclude: Iterable[str] = (),
        *,
        strict: bool = False,
        capture_locals: bool = True,
        scrubber: Scrubber | None = None,
    ) -> None:
        self._include = tuple(include)
        self._exclude = tuple(exclude)
        self._strict = strict
        self._capture_locals = capture_locals
        self._scrubber = scrubber or Scrubber()
        # Of the scrubber and the lists above alone: no frame and no value of one is kept.
        self._place = lru_cache(maxsize=4096)(self._describe)

    def _describe(self, path: str, module: str | None, function: str, lineno: int | None) -> Place:
        """What of a frame is the same each time: everything but its locals."""
        return Place(
            abs_path=path,
            filename=_short_path(path, module),
            module=module,
            function=function,
            lineno=lineno,
            in_app=self._decide(module or "", path),
            **(_source_around(path, lineno, self._scrubber) if lineno else {}),
        )

    def _decide(self, module: str, path: str) -> bool:
        def under(prefixes: tuple[str, ...]) -> bool:
            return any(module == name or module.startswith(f"{name}.") for name in prefixes)

        if module.startswith(_OWN) or module in ("raven", "flask_sentry_kit"):
            return False
        if under(self._exclude):
            return False
        return under(self._include) or (not self._strict and not is_library(path))

    def of_traceback(
        self, traceback: TracebackType | None, serializer: Serializer
    ) -> dict[str, Any] | None:
        """Sentry's stacktrace of a traceback, outermost frame first; None when it has none."""
        return self._stacktrace(_walk_traceback(traceback), serializer)

    def of_frame(self, frame: FrameType | None, serializer: Serializer) -> dict[str, Any] | None:
        """Sentry's stacktrace of a running stack, outermost frame first."""
        stack = []
        while frame is not None:
            stack.append((frame, frame.f_lineno))
            frame = frame.f_back
        return self._stacktrace(reversed(stack), serializer)

    def _stacktrace(
        self, stack: Iterable[tuple[FrameType, int | None]], serializer: Serializer
    ) -> dict[str, Any] | None:
        shown = [
            (frame, lineno)
            for frame, lineno in stack
            if "__traceback_hide__" not in frame.f_code.co_varnames
            and frame.f_globals.get("__name__") not in _PASSED_THROUGH
        ]
        if not shown:
            return None
        omitted = len(shown) - FRAMES_MAX
        if omitted > 0:
            shown[_OUTERMOST : _OUTERMOST + omitted] = []
        # The innermost frames say most, so they are first to take from the budget.
        frames = [self._frame(frame, lineno, serializer) for frame, lineno in reversed(shown)]
        frames.reverse()
        stacktrace: dict[str, Any] = {"frames": frames}
        if omitted > 0:
            stacktrace["frames_omitted"] = [_OUTERMOST, _OUTERMOST + omitted]
        return stacktrace

    def _frame(
        self, frame: FrameType, lineno: int | None, serializer: Serializer
    ) -> dict[str, Any]:
        code, space = frame.f_code, frame.f_globals
        module = space.get("__name__")
        module = module if type(module) is str else None
        found = Frame(self._place(code.co_filename, module, code.co_name, lineno))
        if _is_generated(code, space):
            found["in_app"] = False
        if lineno and "context_line" not in found and _lines(code.co_filename) is None:
            read = _lines_of_code(code, space)
            if read:
                found.update(_around(read, lineno, self._scrubber))
        if self._capture_locals and found["in_app"] and serializer.left > 0:
            variables = self._locals(frame, serializer)
            if variables:
                found["vars"] = variables
        return found

    def _locals(self, frame: FrameType, serializer: Serializer) -> dict[str, Any]:
        variables: dict[str, Any] = {}
        values = frame.f_locals  # made anew each time it is asked for
        top = values is frame.f_globals
        for name, value in list(values.items()):
            if len(variables) >= _LOCALS_MAX or serializer.left <= 0:
                break
            # At the top of a module the locals are its globals: imports and definitions.
            if type(name) is not str or (top and name.startswith("__")):
                continue
            serializer.left -= len(name)
            # At most a quarter of the budget each: one large variable does not hide the rest.
            left = serializer.left
            serializer.left = share = min(left, max(1_000, left // 4))
            variables[name] = serializer.named(name, value)
            serializer.left += left - share
        return variables


def _walk_traceback(
    traceback: TracebackType | None,
) -> Iterator[tuple[FrameType, int | None]]:
    seen = 0
    while traceback is not None and seen < 10_000:
        # Some task queues hand over objects that only look like a traceback.
        frame = getattr(traceback, "tb_frame", None)
        if type(frame) is FrameType:
            yield frame, getattr(traceback, "tb_lineno", None)
        traceback = getattr(traceback, "tb_next", None)
        seen += 1


def calling_frame(skip: tuple[str, ...] = ("logging",)) -> FrameType | None:
    """The innermost frame of the running stack that is neither ours nor in ``skip``."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if not (isinstance(module, str) and (module.startswith(_OWN) or module in skip)):
            return frame
        frame = frame.f_back
    return None
