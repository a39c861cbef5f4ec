"""Programs that a play starts, and their end: no process group of theirs is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

_running: set[subprocess.Popen[bytes]] = set()


@contextmanager
def running(
    *command: str,
    environment: Mapping[str, str] | None = None,
    keep: tuple[int, ...] = (),
    tidies: bool = False,
) -> Iterator[subprocess.Popen[bytes]]:
    """A program in a process group of its own, which is killed at the end.

    :param environment: variables beside those of this process.
    :param keep: file descriptors that it inherits.
    :param tidies: it removes files of its own when it is asked to end, so it is asked first.
    """
    process = subprocess.Popen(
        command,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=keep,
        start_new_session=True,
    )
    _running.add(process)
    try:
        yield process
    finally:
        if tidies:
            _kill(process, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(3)
        # Also where the program itself has ended: it may have left children in its group.
        _kill(process, signal.SIGKILL)
        process.wait()
        _running.discard(process)


def run_alone(main: Callable[[], int]) -> None:
    """Run a drill as this process's work, and end the process with its status. Nothing that the
    drill has left behind can keep it from ending, and no program of ``running`` is left."""
    # As Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    try:
        status = main()
    finally:
        kill_all()
    sys.stdout.flush()
    os._exit(status)


def kill_all() -> None:
    """Kill every program that is running, with its whole group."""
    for process in list(_running):
        _kill(process, signal.SIGKILL)


def _kill(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, how)
