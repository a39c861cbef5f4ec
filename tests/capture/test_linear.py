"""No text holds the interpreter: everything that reads one takes time in proportion to it."""

from __future__ import annotations

import importlib
import inspect
import random
import re
import time
from collections.abc import Callable

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from flask_sentry_kit.capture.literals import Literals
from flask_sentry_kit.capture.request import http_interface
from flask_sentry_kit.capture.scrub import Scrubber
from flask_sentry_kit.capture.serialize import Serializer

from .worst_inputs import patterns, worst_inputs

PATTERNS = patterns()
LONGEST = 1_000_000
_SHORT = 4_000
_NOTABLE = 0.004
"""Seconds for a short input from which on the doubling is measured: a pattern in which each
character costs a step of every other one takes more."""

_scrubber = Scrubber()


def _spent(run: Callable[[], object]) -> float:
    begun = time.process_time()
    run()
    return time.process_time() - begun


def _is_linear(run: Callable[[int], object]) -> bool:
    """Whether twice the length takes at most 2.5 times as long, at the longest that is bearable."""
    size = _SHORT
    for _ in range(4):  # a busy machine may spoil a measurement
        size = _SHORT
        once = _spent(lambda: run(size))
        if once < _NOTABLE:
            return True
        while size < LONGEST / 2 and once < 0.05:
            size *= 2
            once = _spent(lambda: run(size))
        once = min(once, _spent(lambda: run(size)))
        twice = min(_spent(lambda: run(2 * size)) for _ in range(2))
        if twice <= 2.5 * once:
            return True
    return False


def _searches(name: str) -> bool:
    """Whether the kit looks for a pattern anywhere in a text, or only from its beginning on."""
    module, _, variable = name.partition("[")[0].rpartition(".")
    source = inspect.getsource(importlib.import_module(module))
    used = rf"\b{variable}(?:\[\w+\])?\.(?:search|sub|subn|finditer|findall|split)\b"
    anchored = rf"\b{variable}(?:\[\w+\])?\.(?:match|fullmatch)\b"
    return re.search(used, source) is not None or re.search(anchored, source) is None


@pytest.mark.parametrize("name", PATTERNS)
def test_every_pattern_is_linear(name: str) -> None:
    """Its worst inputs, made of its own repeats, cost at most 2.5 times as much at twice the size."""
    pattern = PATTERNS[name]
    searches = _searches(name)

    def run(begin: str, unit: str, size: int) -> None:
        text = (begin + unit * (size // len(unit) + 1))[:size]
        subject = text if isinstance(pattern.pattern, str) else text.encode("latin-1", "replace")
        if searches:
            for _ in pattern.finditer(subject):
                pass
        pattern.match(subject)
        pattern.fullmatch(subject)

    for begin, unit in worst_inputs(pattern):
        assert _is_linear(lambda size, b=begin, u=unit: run(b, u, size)), (begin, unit)


def test_a_quadratic_pattern_would_be_found() -> None:
    """The pattern that once held an app for nine seconds fails this test."""
    pattern = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*")
    assert any(
        not _is_linear(lambda size, b=begin, u=unit: pattern.search((b + u * size)[:size]))
        for begin, unit in worst_inputs(pattern)
    )


UNITS = """
a = a= a=a= password= token=[ token=' token=\\ token=\\' \\ \\x " ' [ { ( < <a <a> <token> eyJ eyJ-
eyJ. a:// a://b: a://b:c@ @ :// - --token -token % %3D %253D token%3D & &quot; \\u5bc6 1 4111
4111111111111111 é 密码= password: -----BEGIN_PRIVATE_KEY----- u:p@ u:p@h:1 / a/ token/ Token(
Token('x' Cookie: $2b$ sk- ghp_ $ * netloc= state= ?state=&code= value= value=[name=password
'token',[ 'token',{ code: tokens= # ? a.b a_ aA ; , => -> name="password"\r\n\r\nx\r\n-- name=password>
input_value= <password><![CDATA[
""".split() + [" ", "\t", "\n", "a ", "token ", "token  ", "Bearer ", "password: |\n ", "a is ", "\ud800"]  # fmt: skip


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
    mixed = ["".join(rng.choices(UNITS, k=3)) for _ in range(60)]
    for unit in [*UNITS, *mixed]:
        assert _is_linear(lambda size, u=unit: scrub(u * (size // len(u)))), unit


@pytest.mark.parametrize("unit", ["a", "aB", "token", "_", "é", "密", "key", "1", "2fa", "%"])
def test_a_long_name_costs_what_a_short_one_does(unit: str) -> None:
    """Of a name only the end is looked at."""
    assert _is_linear(lambda size: [_scrubber.hides(unit * size + str(n)) for n in range(20)])


def test_ten_thousand_fields_cost_what_they_measure() -> None:
    """A visitor may send any number of fields, all of them new."""
    assert _is_linear(lambda size: _scrubber.query("&".join(f"f{n}={n}" for n in range(size // 8))))


@pytest.mark.parametrize("unit", ["eyJ-", "a=b; ", ";", '"\\', "a%3D", "[", "token/", "x,", "é"])
@pytest.mark.parametrize(
    "where", ["QUERY_STRING", "HTTP_REFERER", "HTTP_COOKIE", "HTTP_X_A", "CONTENT_TYPE",
              "PATH_INFO", "HTTP_HOST", "REQUEST_METHOD"]
)  # fmt: skip
def test_reading_a_request_is_cheap(where: str, unit: str) -> None:
    """Whatever header, address or cookie is a megabyte long, a crash reads a bounded part of it."""

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
