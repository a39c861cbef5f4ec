"""Any value of a crashing program becomes bounded JSON: nothing raises, nothing grows."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from enum import IntEnum
from typing import Any

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_sentry_kit.event.scrub import MASK, Scrubber
from flask_sentry_kit.event.serialize import Serializer, safe_repr, safe_str

_scrubber = Scrubber()


def _serializer(**options: Any) -> Serializer:
    return Serializer(_scrubber, **options)


_leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.complex_numbers()
    | st.decimals()
    | st.datetimes()
    | st.uuids()
    | st.characters()
)
_values = st.recursive(
    _leaves,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers() | st.binary() | st.tuples(st.text()), inner)
        | st.frozensets(st.text())
    ),
    max_leaves=30,
)


@settings(max_examples=60, deadline=None)
@given(_values)
def test_every_value_becomes_json(value: Any) -> None:
    """Every value becomes strict JSON."""
    json.dumps(_serializer().value(value), allow_nan=False)


@settings(max_examples=30, deadline=None)
@given(st.lists(_values, max_size=30), st.integers(100, 3_000))
def test_the_budget_bounds_it(values: list[Any], budget: int) -> None:
    """All values of an event together stay near the budget, however many there are."""
    shown = _serializer(budget=budget).value(values * 20)
    assert len(json.dumps(shown, ensure_ascii=False)) < 8 * budget + 8_000


class _Hostile:
    """A value that raises an exception on every access."""

    def __init__(self, error: BaseException) -> None:
        object.__setattr__(self, "_error", error)

    def _raise(self, *args: Any) -> Any:
        raise object.__getattribute__(self, "_error")

    __repr__ = __str__ = __len__ = __iter__ = __bool__ = __hash__ = __eq__ = _raise
    __getattr__ = __setattr__ = __getitem__ = __format__ = _raise


class _HostileDict(dict[str, Any]):
    def items(self) -> Any:
        raise SystemExit

    __repr__ = __str__ = __len__ = items


class _EndlessDict(dict[str, Any]):
    def items(self) -> Any:
        while True:
            yield "key", "value"

    def __len__(self) -> int:
        return 10**9


class _WrongItems(dict[str, Any]):
    def items(self) -> Any:
        return [1, 2, 3]


class _EndlessList(list[Any]):
    def __iter__(self) -> Any:
        while True:
            yield self

    def __len__(self) -> int:
        return 5


class _LyingStr(str):
    def __str__(self) -> Any:
        return self

    def __getitem__(self, key: Any) -> Any:
        raise KeyboardInterrupt


class _StrOfStr:
    def __str__(self) -> str:
        return _LyingStr("sub")

    __repr__ = __str__


class _Meta(type):
    def __repr__(cls) -> str:
        raise RuntimeError

    def __eq__(cls, other: object) -> bool:
        raise RuntimeError

    __hash__ = type.__hash__


class _OfMeta(metaclass=_Meta):
    def __repr__(self) -> str:
        raise RuntimeError


class _Named(IntEnum):
    ONE = 1


_loop: list[Any] = []
_loop.append(_loop)
_self_dict: dict[str, Any] = {}
_self_dict["me"] = _self_dict

HOSTILE_VALUES = {
    "raises": _Hostile(RuntimeError("no")),
    "exits": _Hostile(SystemExit(1)),
    "interrupts": _Hostile(KeyboardInterrupt()),
    "recurses": _Hostile(RecursionError()),
    "generator exit": _Hostile(GeneratorExit()),
    "memory": _Hostile(MemoryError()),
    "dict that exits": _HostileDict(a=1),
    "dict without end": _EndlessDict(a=1),
    "dict of no pairs": _WrongItems(a=1),
    "list without end": _EndlessList([1]),
    "lying str": _LyingStr("text"),
    "str of a str": _StrOfStr(),
    "metaclass": _OfMeta(),
    "class": _OfMeta,
    "enum": _Named.ONE,
    "itself": _loop,
    "itself in a dict": _self_dict,
    "huge int": 10**100_000,
    "negative": -(10**30),
    "nan": [float("nan"), float("inf"), -float("inf")],
    "surrogates": "\ud800 \udfff",
    "nulls": "a\0b",
    "huge text": "x" * 2_000_000,
    "huge bytes": b"\xff" * 2_000_000,
    "deep": None,
    "wide": [{"a": [1] * 1000}] * 1000,
    "keys": {_Hostile: 1, (1, 2): 2, None: 3, 1.5: 4, b"b": 5},
    "decimal": Decimal("NaN"),
    "memoryview": memoryview(b"x" * 1000),
    "generator": (x for x in [1]),
}
_deep: Any = []
for _ in range(5_000):
    _deep = [_deep]
HOSTILE_VALUES["deep"] = _deep


@pytest.mark.parametrize("name", HOSTILE_VALUES)
def test_hostile_values_are_shown_or_named(name: str) -> None:
    """If a value raises, exits, lies or never ends, only that value is missing from the event."""
    serializer = _serializer(budget=4_000)
    body = json.dumps(serializer.value(HOSTILE_VALUES[name]), allow_nan=False)
    assert len(body) < 40_000
    body = json.dumps(serializer.named("anything", HOSTILE_VALUES[name]), allow_nan=False)
    assert len(body) < 40_000
    assert isinstance(safe_str(HOSTILE_VALUES[name]), str)
    assert isinstance(safe_repr(HOSTILE_VALUES[name]), str)


def test_bounds_of_raven_hold() -> None:
    """string_max and list_max cut texts and containers, and the result is marked as cut."""
    serializer = _serializer(string_max=10, list_max=3)
    assert serializer.value("0123456789abcdef") == "0123456..."
    assert serializer.value([1, 2, 3, 4, 5]) == [1, 2, 3, "... 2 more"]
    assert serializer.value({1: 1, 2: 2, 3: 3, 4: 4}) == {"1": 1, "2": 2, "3": 3, "...": "1 more"}


def test_a_secret_cut_in_half_is_still_masked() -> None:
    """The text is scrubbed before its last cut: half a secret is a secret."""
    serializer = _serializer(string_max=30)
    shown = serializer.value("x" * 15 + " password=" + "hunter2" * 20)
    assert "hunter" not in shown


def test_hostile_locals_do_not_cost_the_event(
    make_app: Callable[..., Flask], crash_event: Callable[..., dict[str, Any]]
) -> None:
    """A frame full of hostile values still makes an event within its bound, over the wire."""
    app = make_app()

    @app.get("/hostile")
    def hostile() -> str:
        values = HOSTILE_VALUES  # noqa: F841  # read from the frame
        first = HOSTILE_VALUES["exits"]  # noqa: F841
        wide = HOSTILE_VALUES["wide"]  # noqa: F841
        plain = "seen"  # noqa: F841
        raise ValueError("the real one")

    event = crash_event(app, "/hostile")
    assert event["exception"]["values"][-1]["value"] == "the real one"
    variables = event["exception"]["values"][-1]["stacktrace"]["frames"][-1]["vars"]
    assert variables["plain"] == "seen"
    assert "failed" in variables["first"]
    assert len(json.dumps(event)) < 200_000


def test_a_container_that_is_met_again_is_shown_again() -> None:
    """A value that many frames share is complete in each, and uses the budget each time."""
    basket = {"lamp": [1, 2], "password": "hunter2"}
    serializer = Serializer(Scrubber())
    first = serializer.named("basket", basket)
    spent = 64_000 - serializer.left
    assert serializer.named("basket", basket) == first == {"lamp": [1, 2], "password": MASK}
    assert serializer.left == 64_000 - 2 * spent


def test_a_container_that_no_longer_fits_is_cut() -> None:
    """A container that was complete before is cut when the budget is nearly used up."""
    numbers = list(range(40))
    serializer = Serializer(Scrubber())
    assert serializer.value(numbers) == numbers
    serializer.left = 100
    assert serializer.value(numbers)[-1].endswith("more")
