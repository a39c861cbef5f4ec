"""What is read out of an event: what broke, where in our code, and what belongs together."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_sentry_kit.inbox.content.reading import clean, read_event


def frame(module: str, function: str, line: int = 1, **more: Any) -> dict[str, Any]:
    path = f"/srv/{module.replace('.', '/')}.py"
    return {"module": module, "function": function, "lineno": line, "abs_path": path, **more}


def crash(kind: str, *frames: dict[str, Any], value: str = "no", **more: Any) -> dict[str, Any]:
    failure = {"type": kind, "value": value, "stacktrace": {"frames": list(frames)}}
    return {"exception": {"values": [failure]}, **more}


def test_the_place_is_the_innermost_frame_of_our_own() -> None:
    """What a library did with our call is below it, and not where we look first."""
    event = read_event(
        crash(
            "KeyError",
            frame("shop.views", "checkout", in_app=True),
            frame("shop.cart", "total", in_app=True),
            frame("jinja2", "render", in_app=False),
        )
    )
    assert event.where == "shop.cart.total"
    assert [found.module for found in event.failures[0].frames] == [
        "jinja2",
        "shop.cart",
        "shop.views",
    ]


def test_without_marks_the_paths_tell_what_is_ours() -> None:
    """raven marks no frame when it has no include_paths."""
    library = "/home/a/.venv/lib/python3.12/site-packages/flask/app.py"
    event = read_event(
        crash(
            "KeyError",
            frame("shop.cart", "total", in_app=False),
            frame("flask.app", "dispatch", in_app=False, abs_path=library),
        )
    )
    assert event.where == "shop.cart.total"


def test_same_type_and_place_is_the_same_crash() -> None:
    """Line, message and a library's inner calls do not part events; type and function do."""
    ours = frame("shop.cart", "total", 19, in_app=True)
    one = read_event(crash("KeyError", ours, value="'a'")).key
    assert one == read_event(crash("KeyError", {**ours, "lineno": 25}, value="'b'")).key
    assert one == read_event(crash("KeyError", ours, frame("lib", "f", in_app=False))).key
    assert one != read_event(crash("ValueError", ours)).key
    assert one != read_event(crash("KeyError", frame("shop.cart", "count", in_app=True))).key


def test_a_fingerprint_parts_or_joins() -> None:
    """The client's own wins; ``{{ default }}`` in it stands for ours."""
    ours = frame("shop.cart", "total", in_app=True)
    key = read_event(crash("KeyError", ours)).key
    assert read_event(crash("KeyError", ours, fingerprint=["{{ default }}"])).key == key
    parted = read_event(crash("KeyError", ours, fingerprint=["{{ default }}", "eu"])).key
    assert parted != key
    joined = read_event(crash("KeyError", ours, fingerprint=["db"])).key
    assert joined == read_event(crash("ValueError", frame("x", "y"), fingerprint=["db"])).key != key


def test_messages_are_told_by_their_template() -> None:
    """The arguments make no new crash of it."""

    def message(formatted: str, template: str = "stock is low: %s") -> str:
        entry = {"message": template, "formatted": formatted}
        return read_event({"logger": "shop", "logentry": entry}).key

    assert message("stock is low: tea") == message("stock is low: pots")
    assert message("stock is low: tea") != message("x", "another %s")


def test_the_exception_that_ended_the_request_comes_first() -> None:
    """On the wire it is the last; what led to it follows."""
    values = [{"type": "KeyError", "value": "'price'"}, {"type": "CartError", "value": "unpriced"}]
    event = read_event({"exception": {"values": values}})
    assert (event.type, event.value) == ("CartError", "unpriced")
    assert [failure.type for failure in event.failures] == ["CartError", "KeyError"]


def test_raven_6_messages_are_read() -> None:
    """It still sends them under the old protocol's name, with a number for the level."""
    event = read_event({"sentry.interfaces.Message": {"message": "hello"}, "level": 30})
    assert (event.type, event.value, event.level) == ("Message", "hello", "warning")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-22T07:34:14Z", 1795332854),
        ("2026-11-22T07:34:14", 1795332854),
        ("2026-11-22T07:34:14.250Z", 1795332854.25),
        ("2026-11-22T09:34:14+02:00", 1795332854),
        ("2026-11-22T04:04:14-03:30", 1795332854),
        (1795332854.5, 1795332854.5),
        ("2026-13-99T99:99:99Z", None),
        ("0001-01-01T00:00:00Z", None),
        ("yesterday", None),
        (-1, None),
        (1e300, None),
        (None, None),
    ],
)
def test_the_clients_clock_is_read(text: object, seconds: float | None) -> None:
    """RFC 3339 with or without a zone (then UTC), or seconds; anything else is unknown."""
    assert read_event({"timestamp": text}).at == seconds


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
NAMES = (
    "exception values stacktrace frames type value vars pre_context context_line post_context"
    " lineno in_app abs_path module function request headers query_string data cookies env user"
    " tags extra breadcrumbs level timestamp message logentry fingerprint sdk modules contexts"
).split()
SHAPED = st.recursive(
    ANY,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)
    ),
    max_leaves=16,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), SHAPED, max_size=8))
def test_no_event_is_too_strange_to_read(body: dict[str, Any]) -> None:
    """Any JSON under the protocol's names is read, and what comes out can be kept and shown."""
    kept = clean(body)
    event = read_event(kept)
    json.dumps(kept, allow_nan=False).encode()
    repr(event).encode()
    for text in (event.type, event.value, event.where, event.person, event.level):
        assert isinstance(text, str)
        text.encode()
    assert int(event.key, 16) >= 0


def test_depth_and_odd_numbers_are_cleaned() -> None:
    """What SQLite, UTF-8 or JSON would choke on is gone."""
    deep: Any = "end"
    for _ in range(200):
        deep = [deep]
    found = clean({"deep": deep, "nan": float("nan"), "inf": [float("inf")], "half": "\ud800"})
    assert (found["nan"], found["inf"], found["half"]) == (None, [None], "?")
    assert json.dumps(found).count("[") < 100


@pytest.mark.parametrize(
    ("event", "fact"),
    [
        ({"modules": {"python": "3.11.7"}}, ("Python", "3.11.7")),
        ({"contexts": {"runtime": {"name": "CPython", "version": "3.13.0"}}}, ("Python", "3.13.0")),
        ({"contexts": {"runtime": {"name": "node", "version": "v24.1.0"}}}, ("node", "v24.1.0")),
    ],
)
def test_what_ran_the_app_has_its_own_name(event: dict[str, Any], fact: tuple[str, str]) -> None:
    """As raven, sentry-sdk and @sentry/node say it."""
    assert fact in read_event(event).facts
