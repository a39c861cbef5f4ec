"""Exceptions that misbehave are reported like all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest


@dataclass
class Unhashable(Exception):
    """An exception that cannot be put into a set."""

    reason: str


class _StrExits(Exception):
    def __str__(self) -> str:
        raise SystemExit

    __repr__ = __str__


class _StrInterrupts(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt


class _Closed(Exception):
    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


class _AnswersAll(Exception):
    def __getattr__(self, name: str) -> Any:
        return lambda *args: self


class _OddCause(Exception):
    @property
    def __cause__(self) -> Any:  # type: ignore[override]  # hostile
        raise RuntimeError

    @property
    def __notes__(self) -> Any:
        raise SystemExit


class _OddMembers(Exception):
    @property
    def exceptions(self) -> Any:
        raise RuntimeError


_OddMembers.__name__ = "BaseExceptionGroup"


class _Meta(type):
    __name__ = 5  # type: ignore[assignment]  # hostile
    __module__ = None  # type: ignore[assignment]  # hostile

    def __repr__(cls) -> str:
        raise RuntimeError

    def __eq__(cls, other: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]  # hostile


class _OddClass(Exception, metaclass=_Meta):
    pass


@pytest.mark.parametrize(
    "error",
    [
        Unhashable("no"),
        _StrExits(),
        _StrInterrupts(),
        _Closed(),
        _AnswersAll(),
        _OddCause(),
        _OddMembers(),
        _OddClass(),
        ValueError("\ud800"),
        ValueError("x" * 50_000_000),
        ValueError(b"\xff" * 1_000_000),
    ],
    ids=lambda error: type.__dict__["__name__"].__get__(type(error)),
)
def test_hostile_exceptions_are_reported_like_any(event_of: Any, error: Exception) -> None:
    """Exceptions that cannot be hashed, named, printed or inspected still make one full event."""

    def crash() -> str:
        raise error

    event = event_of(crash)
    [value] = event["exception"]["values"]
    assert value["type"] == type.__dict__["__name__"].__get__(type(error))
    assert value["stacktrace"]["frames"][-1]["function"] == "crash"
    assert len(value["value"]) <= 8_000


def test_recursion_is_one_bounded_event(event_of: Any) -> None:
    """A RecursionError's thousand frames are cut to the outermost and innermost ones."""

    def recurse(depth: int) -> int:
        return recurse(depth + 1) + 1

    def crash() -> str:
        return str(recurse(0))

    event = event_of(crash)
    stacktrace = event["exception"]["values"][-1]["stacktrace"]
    assert event["exception"]["values"][-1]["type"] == "RecursionError"
    assert len(stacktrace["frames"]) == 60
    assert stacktrace["frames_omitted"][1] > 500
