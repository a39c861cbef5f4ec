"""Writes what several threads hand in at about the same time in one transaction."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final, Generic, TypeVar, cast

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

_MOST: Final = 64


class _Job(Generic[T]):
    def __init__(self, work: Work[T]) -> None:
        self.work = work
        self.done = False
        self.result: T | None = None
        self.error: BaseException | None = None


class BatchWriter:
    """Runs pieces of work in transactions, as many at a time as are waiting.

    A transaction costs more than what is written in it. The thread that gets to write does so for
    all that wait.

    :param transaction: opens one; its errors are those of all pieces in it.
    """

    def __init__(
        self, transaction: Callable[[], AbstractContextManager[sqlite3.Connection]]
    ) -> None:
        self._transaction = transaction
        self._waiting: list[_Job[Any]] = []
        self._turn = threading.Lock()

    @property
    def waiting(self) -> int:
        """How many pieces of work are not written yet."""
        return len(self._waiting)

    def run(self, work: Work[T]) -> T:
        """Run a piece of work in a transaction. It is committed when this returns.

        :param work: is called again if what was written with it fails.
        """
        job = _Job(work)
        self._waiting.append(job)
        with self._turn:
            while not job.done:
                self._write_waiting()
        if job.error is not None:
            raise job.error
        return cast(T, job.result)

    def _write_waiting(self) -> None:
        jobs = self._waiting[:_MOST]
        del self._waiting[: len(jobs)]
        try:
            with self._transaction() as db:
                for job in jobs:
                    job.result = job.work(db)
        except BaseException as error:
            if len(jobs) == 1:
                jobs[0].error = error
            else:
                for job in jobs:
                    self._write_alone(job)
        for job in jobs:
            job.done = True

    def _write_alone(self, job: _Job[Any]) -> None:
        try:
            with self._transaction() as db:
                job.result = job.work(db)
        except BaseException as error:
            job.error = error
