"""No text blocks the interpreter: everything that reads a text takes linear time."""

from __future__ import annotations

import importlib
import inspect
import random
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from flask_sentry_kit.event.literals import Literals
from flask_sentry_kit.event.request import http_interface
from flask_sentry_kit.event.scrub import Scrubber
from flask_sentry_kit.event.serialize import Serializer

from .worst_inputs import patterns, worst_inputs

PATTERNS = patterns()
MODULES = sorted({name.rpartition(".")[0] for name in PATTERNS})
LONGEST = 1_000_000
_TINY = 22
_SHORT = 6_000
_LONG = 96_000
_NOTABLE = 0.02
"""Seconds for a short input from which on the doubling is measured: where each character costs
a step of every other one, 18 million steps take more."""
_NOTABLE_LONG = 0.1
"""As much for a long input, where it would be 4,600 million steps: seconds, not a tenth of one."""

_scrubber = Scrubber()


def _spent(run: Callable[[int], object], size: int) -> float:
    begun = time.process_time()
    run(size)
    return time.process_time() - begun


def _doubles(run: Callable[[int], object]) -> bool:
    """Whether twice the length takes at most 2.5 times as long, up to a megabyte."""
    size = _SHORT // 8
    while _spent(run, size) < _NOTABLE and size < LONGEST / 2:
        size *= 2
    # A busy machine only ever makes a measurement longer, so the least of several is what the
    # text costs.
    once = twice = float("inf")
    for _ in range(3):
        once = min(once, *(_spent(run, size) for _ in range(3)))
        twice = min(twice, *(_spent(run, 2 * size) for _ in range(2)))
        if twice <= 2.5 * once + 0.001:
            return True
    return False


def _is_linear(run: Callable[[int], object]) -> bool:
    return _spent(run, _SHORT) < _NOTABLE or _doubles(run)


def _uses(name: str) -> set[str]:
    """How a pattern is used: from a text's beginning on, or anywhere in it."""
    module, _, variable = name.partition("[")[0].rpartition(".")
    own = importlib.import_module(module)
    source = inspect.getsource(own)
    if not variable.startswith("_"):
        # Other modules of the room use it too, or they alone do.
        source += "".join(
            path.read_text("utf-8") for path in Path(own.__file__ or "").parent.glob("*.py")
        )
    found = set(re.findall(rf"\b{variable}(?:\[\w+\])?\.(\w+)\(", source))
    found &= {"match", "fullmatch", "search", "sub", "subn", "finditer", "findall", "split"}
    return found or {"match", "fullmatch", "search"}


def _worst_is_linear(pattern: re.Pattern[Any], uses: set[str]) -> bool:
    def run(begin: str, unit: str, size: int) -> None:
        # What ends it keeps a pattern that asks for an end from finding one.
        text = (begin + unit * (size // len(unit) + 1))[:size] + "\0"
        subject = text if isinstance(pattern.pattern, str) else text.encode("latin-1", "replace")
        if uses - {"match", "fullmatch"}:
            for _ in pattern.finditer(subject):
                pass
        if "match" in uses:
            pattern.match(subject)
        if "fullmatch" in uses:
            pattern.fullmatch(subject)

    inputs = worst_inputs(pattern)
    # One whose time doubles with each character would not be back from a longer input.
    if any(_spent(partial(run, *worst), _TINY) > _NOTABLE for worst in inputs):
        return all(_spent(partial(run, *worst), _TINY) <= _NOTABLE for worst in inputs)
    spent = {}
    for worst in inputs:
        spent[worst] = _spent(partial(run, *worst), _SHORT)
        # The first slow one is enough to know a slow pattern; the others need not be waited for.
        if spent[worst] >= _NOTABLE and not _doubles(partial(run, *worst)):
            return False
    if not spent or max(spent.values()) >= _NOTABLE:
        return True
    slowest = partial(run, *max(spent, key=lambda worst: spent[worst]))
    # In steps, so that a slow one is known before its longest input is waited for.
    if all(_spent(slowest, length) < _NOTABLE_LONG for length in (_SHORT * 4, _LONG)):
        return True
    return _doubles(slowest)


@pytest.mark.parametrize("module", MODULES)
def test_every_pattern_is_linear(module: str) -> None:
    """Its worst inputs, made of its own repeats, at most 2.5-fold its time when doubled."""
    slow = [
        name
        for name, pattern in PATTERNS.items()
        if name.rpartition(".")[0] == module and not _worst_is_linear(pattern, _uses(name))
    ]
    assert not slow


@pytest.mark.parametrize(
    "pattern",
    [
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
        r"\s+$",
        r"<[^>]*x>",
        r"[^\W\d]+(?:[\s./:_-]+[^\W\d]+)*\Z",
    ],
)
def test_a_slow_pattern_is_found(pattern: str) -> None:
    """The patterns that once blocked an app for seconds, and similar ones, fail the test above."""
    assert not _worst_is_linear(re.compile(pattern), {"search", "match"})


UNITS = r"""
a = a= a=a= password= token=[ token=' token=\\ token=\\' \\ \\x " ' [ { ( < <a <a> <token> eyJ eyJ-
eyJ. a:// a://b: a://b:c@ @ :// - --token -token % %3D %253D token%3D & &quot; \\u5bc6 1 4111
4111111111111111 é 密码= password: -----BEGIN_PRIVATE_KEY----- u:p@ u:p@h:1 / a/ token/ Token(
Token('x' Cookie: $2b$ sk- ghp_ $ * netloc= state= ?state=&code= value= value=[name=password
'token',[ 'token',{ code: tokens= # ? a.b a_ aA ; , => -> name="password"\r\n\r\nx\r\n--
name=password> input_value= <password><![CDATA[
""".split()
UNITS += [
    " ",
    "\t",
    "\n",
    "a ",
    "token ",
    "token  ",
    "Bearer ",
    "password: |\n ",
    "a is ",
    "\ud800",
]


def _scrub_units(scrub: Callable[[str], object], unit: str, size: int) -> None:
    scrub(unit * (size // len(unit)))


@pytest.mark.parametrize("name", ["text", "query", "url", "source", "short"])
def test_scrubbing_is_linear(name: str) -> None:
    """Nested quotes, brackets, backslashes, percent signs, tags, signs without end."""
    scrub: Callable[[str], object] = {
        "text": _scrubber.text,
        "query": _scrubber.query,
        "url": _scrubber.url,
        "source": lambda text: Literals(text, _scrubber, ()).run(),
        "short": lambda text: _scrubber.short(text, 400),
    }[name]
    rng = random.Random(name)
    mixed = ["".join(rng.choices(UNITS, k=3)) for _ in range(20)]
    for unit in [*UNITS, *mixed]:
        assert _is_linear(partial(_scrub_units, scrub, unit)), unit


@pytest.mark.parametrize("unit", ["a", "aB", "token", "_", "é", "密", "key", "1", "2fa", "%"])
def test_a_long_name_costs_what_a_short_one_does(unit: str) -> None:
    """Only the end of a name is read."""
    assert _is_linear(lambda size: [_scrubber.hides(unit * size + str(n)) for n in range(20)])


def test_ten_thousand_fields_cost_what_they_measure() -> None:
    """A visitor may send any number of fields, all of them new."""
    assert _is_linear(lambda size: _scrubber.query("&".join(f"f{n}={n}" for n in range(size // 8))))


@pytest.mark.parametrize("unit", ["eyJ-", "a=b; ", '"\\', "token/"])
@pytest.mark.parametrize(
    "where", ["QUERY_STRING", "HTTP_REFERER", "HTTP_COOKIE", "HTTP_X_A", "CONTENT_TYPE",
              "PATH_INFO", "HTTP_HOST", "REQUEST_METHOD"]
)  # fmt: skip
def test_reading_a_request_is_cheap(where: str, unit: str) -> None:
    """If a header, address or cookie is a megabyte long, a crash reads a bounded part of it."""

    def read(size: int) -> None:
        environ = EnvironBuilder(method="POST", data=b"a=1").get_environ()
        environ[where] = "/" * (where == "PATH_INFO") + unit * (size // len(unit))
        environ["CONTENT_LENGTH"] = "3"
        try:
            request = Request(environ)
        except Exception:
            return  # Werkzeug's own refusal
        request.__dict__["view_args"] = {"token": unit, "page": "1"}
        http_interface(request, Serializer(_scrubber), failed=True)

    assert _is_linear(read)
