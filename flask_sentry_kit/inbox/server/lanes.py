"""The threads that answer, in lanes: no page waits for a flood of events, nor for what waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

from waitress.task import ThreadedTaskDispatcher

Lane = Literal["events", "pages", "waits"]

_THREADS: Final[dict[Lane, int]] = {"events": 4, "pages": 6, "waits": 80}
"""How many requests of a lane are answered at a time. Those that wait for something cost a sleeping
thread each, which is started when it is first needed."""

_PATIENCE: Final = 0.05
"""Seconds that an event waits for pages at most: 80 events a second get through in any case."""

_AT_START: Final[dict[Lane, int]] = {"events": 4, "pages": 6, "waits": 1}


class Queue(ThreadedTaskDispatcher):
    """The threads of one lane, and the requests that wait for one.

    First come, first served would make everybody wait behind a flood of requests. So if more wait
    than there are threads, the newest is served first, and pipelined requests last.

    :param most: threads at most.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def add_task(self, task: Any) -> None:
        with self.lock:
            if task.pipelines or len(self.queue) < len(self.threads):
                self.queue.append(task)
            else:
                self.queue.appendleft(task)
            self.queue_cv.notify()
            idle = len(self.threads) - self.stop_count - self.active_count
            wanted = len(self.threads) + 1
            lacks = len(self.queue) > idle and wanted <= self._most and not self.stop_count
        if lacks:
            self.set_thread_count(wanted)


class PagesFirst:
    """Has events wait while a page is made.

    All threads share one interpreter, so that a page would take as many times as long as there are
    events that are read at the same time. A person waits for a page, and nobody for an event.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._pages = 0

    @contextmanager
    def turn(self, lane: Lane) -> Iterator[None]:
        """The time in which a request of this lane is answered."""
        if lane == "events" and self._pages:
            with self._changed:
                self._changed.wait_for(lambda: not self._pages, _PATIENCE)
        if lane != "pages":
            yield
            return
        with self._changed:
            self._pages += 1
        try:
            yield
        finally:
            with self._changed:
                self._pages -= 1
                if not self._pages:
                    self._changed.notify_all()


class OneEvent:
    """Has one event read and written at a time.

    Threads that do it side by side wait for the interpreter after each statement of SQL: measured,
    one after the other takes a seventh less processor time. An event that turns out to be a large
    one lets the others go on.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: int | None = None

    @contextmanager
    def turn(self, lane: Lane) -> Iterator[None]:
        """The time in which a request of this lane is answered."""
        if lane != "events":
            yield
            return
        self._lock.acquire()
        self._thread = threading.get_ident()
        try:
            yield
        finally:
            self.leave()

    def leave(self) -> None:
        """End this thread's turn, if it has it, before its request is answered."""
        if self._thread == threading.get_ident():
            self._thread = None
            self._lock.release()


class Lanes(ThreadedTaskDispatcher):
    """waitress's dispatcher: gives each request to the threads of its lane.

    :param lane_of: the lane of a request with this path and query.
    """

    def __init__(self, lane_of: Callable[[str, str], Lane]) -> None:
        super().__init__()
        self._lane_of = lane_of
        self.pages_first = PagesFirst()
        self.one_event = OneEvent()
        self._queues = {lane: Queue(most) for lane, most in _THREADS.items()}
        for lane, count in _AT_START.items():
            self._queues[lane].set_thread_count(count)

    def waiting(self, lane: Lane) -> int:
        """How many requests of a lane wait for a thread."""
        return len(self._queues[lane].queue)

    def add_task(self, task: Any) -> None:
        request = task.requests[0]
        # A request that could not be read has no path.
        path, query = getattr(request, "path", ""), getattr(request, "query", "")
        task.lane = self._lane_of(path, query)
        self._queues[task.lane].add_task(task)

    def shutdown(self, cancel_pending: bool = True, timeout: int = 5) -> bool:
        for queue in self._queues.values():
            queue.set_thread_count(0)
        return all([queue.shutdown(cancel_pending, timeout) for queue in self._queues.values()])
