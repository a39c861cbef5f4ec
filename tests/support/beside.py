"""Runs what only waits for another process beside the tests that come before it.

Half of this suite's time is the work of other processes: a browser, pip, a Makefile's target. On
two cores such work takes no longer when the other tests run meanwhile. Two threads do it, since the
longest piece, the matrix, mostly waits for its browser. The tests that need it come last
(``order.py``).

A test with the mark ``beside`` is such a piece. It may take no fixture but its parameters, shares
no file with another piece, and gives its processes ``ENVIRONMENT``, since other tests change
``os.environ`` at the same time. A test with the mark ``alone`` comes before all others and has the
machine for itself: it measures how long somebody waits.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import pytest

T = TypeVar("T")

# Tests start hundreds of Pythons. Where the machine says that none may keep what it compiles, as
# many container images do, each would compile the package again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

ENVIRONMENT = dict(os.environ)
"""As it was before any test."""


class Beside:
    """The pieces of one session, and the threads that do them."""

    def __init__(self) -> None:
        self._pieces: list[tuple[int, Future[Any], Callable[[], Any]]] = []
        self._pool: ThreadPoolExecutor | None = None

    def add(self, place: int, work: Callable[[], T]) -> Future[T]:
        """Queue a piece; ``place`` is that of the first test which needs it."""
        future: Future[T] = Future()
        self._pieces.append((place, future, work))
        return future

    def start(self) -> None:
        """Begin, unless it has begun or there is nothing to do."""
        if self._pool is None and self._pieces:
            self._pool = ThreadPoolExecutor(2, "beside")
            for _, future, work in sorted(self._pieces, key=lambda piece: piece[0]):
                self._pool.submit(_do, future, work)

    def end(self) -> None:
        """Leave out what has not begun, and wait for the rest."""
        for _, future, _ in self._pieces:
            future.cancel()
        if self._pool is not None:
            self._pool.shutdown()


def _do(future: Future[Any], work: Callable[[], Any]) -> None:
    if future.set_running_or_notify_cancel():
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)


BESIDE = pytest.StashKey[Beside]()
_TEST = pytest.StashKey[Future[Any]]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "beside: runs in a thread, beside the tests before it")
    config.addinivalue_line("markers", "alone: comes first, while nothing else runs")


def pytest_sessionstart(session: pytest.Session) -> None:
    session.stash[BESIDE] = Beside()


def pytest_collection_finish(session: pytest.Session) -> None:
    for place, item in enumerate(session.items):
        if isinstance(item, pytest.Function) and item.get_closest_marker("beside"):
            given = dict(item.callspec.params) if hasattr(item, "callspec") else {}
            signature = item.function.__code__
            others = {*signature.co_varnames[: signature.co_argcount]} - given.keys()
            if others:
                raise pytest.UsageError(f"{item.nodeid} runs beside others: no {others} for it")
            work = partial(item.obj, **given)
            item.stash[_TEST] = session.stash[BESIDE].add(place, work)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("alone") is None:
        item.session.stash[BESIDE].start()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    test = pyfuncitem.stash.get(_TEST, None)
    if test is None:
        return None
    test.result()
    return True


def pytest_sessionfinish(session: pytest.Session) -> None:
    session.stash[BESIDE].end()
