"""Bounds the time of each step, also where a library or the resolver has no time-out of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

NETWORK_SECONDS: Final = 20.0
"""For all that is asked over the network."""

STEP_SECONDS: Final = 5.0
"""For one request over the network."""

CRASH_SECONDS: Final = 10.0
"""For one marked crash in the app."""

CRASHES_SECONDS: Final = 30.0
"""For all of them."""


class OutOfTime(Exception):
    """A step did not end in its time."""


def within(seconds: float, work: Callable[[], T]) -> T:
    """The result of some work, which is given up after so many seconds.

    It runs in a thread of its own, which does not keep the process from ending.

    :raises OutOfTime: it did not end in time.
    :raises BaseException: what the work raised.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="sentry-kit-check", daemon=True)
    thread.start()
    thread.join(max(0.0, seconds))
    if errors:
        raise errors[0]
    if not results:
        raise OutOfTime(f"no answer within {seconds:.0f} s")
    return results[0]


class Budget:
    """The time that is left for several steps."""

    def __init__(self, seconds: float = NETWORK_SECONDS) -> None:
        self._at = time.monotonic() + seconds

    def step(self, most: float | None = None) -> float:
        """Seconds for the next step.

        :param most: by default those for one request over the network.
        :raises OutOfTime: there are none left.
        """
        left = min(STEP_SECONDS if most is None else most, self._at - time.monotonic())
        if left <= 0:
            raise OutOfTime("the time for all of this is over")
        return left
