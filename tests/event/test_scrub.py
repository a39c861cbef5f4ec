"""Secrets are masked in every place of an event, by one list of names and looks."""

from __future__ import annotations

import json
import time
from collections import ChainMap, OrderedDict, UserDict, namedtuple
from collections.abc import Callable
from dataclasses import make_dataclass
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import EnvironHeaders, Headers, MultiDict

from flask_sentry_kit.event.scrub import (
    MASK,
    SENSITIVE_NAMES,
    SENSITIVE_PARTS,
    SENSITIVE_WORDS,
    Scrubber,
)
from flask_sentry_kit.event.serialize import Serializer

SECRET = "Zq9xhunter2"
LISTED = sorted({*SENSITIVE_PARTS, *SENSITIVE_WORDS, *SENSITIVE_NAMES})

Credentials = namedtuple("Credentials", "user password")

_scrubber = Scrubber(["shoe_size"])


def _dressed(name: str, how: int) -> str:
    """A listed name as it is met: as it is, in capitals, with company, with a header's dashes."""
    return (
        name,
        name.upper(),
        name.capitalize(),
        f"X-{name.title()}",
        f"user_{name}",
        f"{name}_1",
        f"app.{name}",
    )[how % (3 if name in SENSITIVE_NAMES else 7)]


_names = st.builds(_dressed, st.sampled_from([*LISTED, "shoe_size"]), st.integers(0, 6))
_secrets = st.builds(
    "".join,
    st.tuples(
        st.text("abc XYZ.'\"\\=&;,[](){}<>é€", max_size=5),
        st.just(SECRET),
        st.text("abc XYZ.'\"\\=&;,[](){}<>é€", max_size=5),
    ),
)

_VALUES: dict[str, Callable[[str, str], Any]] = {
    "dict": lambda n, s: {n: s},
    "bytes": lambda n, s: {n: s.encode()},
    "bytes key": lambda n, s: {n.encode(): s.encode()},
    "list inside": lambda n, s: {n: [s, {"deep": s}]},
    "nested": lambda n, s: [{"a": ({"b": {n: s}},)}],
    "OrderedDict": lambda n, s: OrderedDict({n: s}),
    "UserDict": lambda n, s: UserDict({n: s}),
    "ChainMap": lambda n, s: ChainMap({n: s}),
    "MappingProxyType": lambda n, s: MappingProxyType({n: s}),
    "pair": lambda n, s: (n, s),
    "pairs": lambda n, s: [("a", "b"), (n, s)],
    "list pair": lambda n, s: [[n, s]],
    "items": lambda n, s: {n: s}.items(),
    "MultiDict": lambda n, s: MultiDict([(n, s), (n, s)]),
    "form of a script": lambda n, s: [{"name": n, "value": s}],
    "json": lambda n, s: json.dumps({n: s, "b": 1}),
    "json in json": lambda n, s: json.dumps({"body": json.dumps({n: s})}),
    "repr": lambda n, s: repr({n: s, "b": 1}),
    "repr of bytes": lambda n, s: repr({n: s.encode()}),
    "repr of a list": lambda n, s: repr({n: [s, s]}),
    "repr of a dict": lambda n, s: f"got { ({n: {'a': s, 'b': [s]}, 'c': 1})!r}",
    "exception": lambda n, s: ValueError({n: s}),
}


@pytest.mark.parametrize("shape", _VALUES)
@settings(max_examples=40, deadline=None)
@given(name=_names, secret=_secrets)
def test_no_listed_secret_survives_in_a_value(shape: str, name: str, secret: str) -> None:
    """The value of a listed name is masked, whatever its container and its content."""
    shown = json.dumps(Serializer(_scrubber).value(_VALUES[shape](name, secret)))
    assert SECRET not in shown


_plain_secrets = st.builds(
    "".join,
    st.tuples(st.text("abcXYZ019._~-", max_size=5), st.just(SECRET), st.text("abcXYZ", max_size=5)),
)

_TEXTS = {
    "query": "/x?a=1&{name}={secret}&b=2",
    "assignment": "could not sign in: {name}={secret}",
    "spaced": "{name} = {secret}",
    "compared": "{name} == {secret}",
    "json": '{{"{name}": "{secret}"}}',
    "escaped": '{{\\"{name}\\": \\"{secret}\\"}}',
    "bracketed": "user[{name}]={secret}",
    "arrow": "{{:{name}=>'{secret}'}}",
    "object": "User(id=5, {name}=Secret(value='{secret}'))",
    "repr": "<User {name}=<Secret {secret}>>",
    "command line": "mysql --{name}={secret} --verbose",
    "xml": "<{name}>{secret}</{name}>",
    "xml attribute": '<user {name}="{secret}"/>',
    "tuple": "('{name}', '{secret}')",
}


@pytest.mark.parametrize("shape", _TEXTS)
@settings(max_examples=40, deadline=None)
@given(name=_names, secret=_plain_secrets)
def test_no_listed_secret_survives_in_a_text(shape: str, name: str, secret: str) -> None:
    """In messages and reprs the value of a listed name is masked, in every usual notation."""
    assert SECRET not in _scrubber.text(_TEXTS[shape].format(name=name, secret=secret))


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"Authorization: Basic {SECRET}==",
        f'Authorization: Digest username="x", response="{SECRET}"',
        f"Cookie: a=1; b={SECRET}",
        f"Set-Cookie: s={SECRET}; HttpOnly",
        f"curl -H 'Authorization: Token {SECRET}' https://example.org",
        f"got Bearer {SECRET} instead",
        f"https://user:{SECRET}@example.org/",
        f"redis://:{SECRET}@localhost/0",
        f"postgresql+psycopg://u:p@{SECRET}@db/shop",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJacTl4aHVudGVyMiJ9." + SECRET,
        f"mysql --password {SECRET} shop",
        f"Command '['mysql', '--password', '{SECRET}']' returned 1",
        str(EnvironHeaders({"HTTP_COOKIE": f"a=1; b={SECRET}", "HTTP_HOST": "x"})),
        repr(Headers([("X-Api-Key", SECRET), ("Cookie", f"a={SECRET}")])),
        repr(SimpleNamespace(password=SECRET)),
        repr(make_dataclass("Login", ["user", "otp"])("a", SECRET)),
        repr(Credentials("a", SECRET)),
        f"password: '{SECRET[:5]}\\'{SECRET}'",
    ],
)
def test_secrets_that_messages_hold(text: str) -> None:
    """Headers, addresses and reprs in a message reveal no secret."""
    assert SECRET not in _scrubber.text(text)


@pytest.mark.parametrize(
    "number", ["4111 1111 1111 1111", "4111-1111-1111-1111", "378282246310005"]
)
def test_card_numbers_are_known_by_their_check_digit(number: str) -> None:
    """A number that passes Luhn's check is masked; order numbers and timestamps are not."""
    assert _scrubber.text(f"card was {number}.") == f"card was {MASK}."
    assert _scrubber.text("order 4111111111111112") == "order 4111111111111112"


@pytest.mark.parametrize(
    "text",
    [
        "error code: 404",
        "the password is wrong",
        "discard: 5, cardinal=3, author: Bob, passenger=3, spinner: 1",
        "No module named 'shop.tokens'",
        "2026-11-22 08:00:00,123 INFO shop: ready",
        "password=None",
        "{'session_length': 30, 'error_code': 5}",
        "http://localhost/x?page=2",
        "KeyError: 'name'",
    ],
)
def test_what_is_no_secret_stays_readable(text: str) -> None:
    """Words that only contain a listed one, and prose about secrets, are left as they are."""
    assert _scrubber.text(text) == text


def test_masking_twice_changes_nothing() -> None:
    """Masked text is not changed when it is scrubbed again, including its quotes."""
    once = _scrubber.text(f"password='{SECRET}' token={SECRET} {{'pin': 5}}")
    assert once == f"password='{MASK}' token={MASK} {{'pin': {MASK}}}"
    assert _scrubber.text(once) == once


@pytest.mark.parametrize(
    "evil",
    [
        "password" * 2000,
        "a." * 8000 + "password",
        "-" * 16000,
        "1 " * 8000,
        'token="' * 2000,
        "token=" + "\\" * 16000,
        "token=" + '\\"' * 8000,
        "eyJ" * 5000,
        "a://b:" * 2500,
        "a://" * 4000,
        "token=[" * 2000,
        "<" * 16000,
        "<a" * 8000,
        "<" + "a" * 16000,
        "a" + " " * 16000,
        "token:" + " " * 16000,
        "bearer " * 2000,
        "é" * 16000,
    ],
)
def test_no_text_takes_long(evil: str) -> None:
    """Scrubbing takes time in proportion to the text, whatever is in it."""
    begun = time.process_time()
    _scrubber.text(evil)
    assert time.process_time() - begun < 0.3
