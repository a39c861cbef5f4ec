"""Waits for a condition, and says which one never came."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.error import HTTPError, URLError
from urllib.request import urlopen


def until(condition: Callable[[], bool], what: str, seconds: float) -> None:
    """Wait until the condition holds.

    :raises TimeoutError: it does not within so many seconds.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(0.05)


def answers(address: str) -> bool:
    """Whether a server answers there with a 200."""
    try:
        with urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except (HTTPError, URLError, OSError):
        return False
