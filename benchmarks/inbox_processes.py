"""The processes of the inbox's benchmark: an inbox, those who send to it, and who reads in it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from .inbox_sender import Sent

CLIENTS = ("raven", "raven", "kit", "sentry-sdk")
"""Whose requests the four senders send."""

WITHOUT_DEFLATE = ("kit", "kit", "kit", "sentry-sdk")
"""The same for Bugsink, which refuses deflate with zlib's header, as raven sends it."""


class Asked:
    """A process that answers each command with one line of JSON.

    :param first: a line that it reads before it is ready.
    """

    def __init__(self, module: str, *arguments: str, first: str = "") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"benchmarks.{module}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._ready = False
        if first:
            self._write(first)

    def _write(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def ask(self, command: str) -> None:
        """Begin what `answer` waits for."""
        self.wait_until_ready()
        self._write(command)

    def wait_until_ready(self) -> None:
        assert self._process.stdout
        if not self._ready and self._process.stdout.readline() != "ready\n":
            raise RuntimeError("a process did not start; its complaint is above")
        self._ready = True

    def answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a process ended; its complaint is above")
        return json.loads(line)

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@dataclass(frozen=True, slots=True)
class Burst:
    """What the senders did with one command, all at the same time."""

    stored: int
    refused: int
    latest: tuple[str, ...]
    """The id of each sender's latest event."""
    seconds: float
    """From the first request to the last answer."""
    cpu: float
    """Seconds of processor time of all senders."""
    slowest: float
    """Seconds of the slowest answer."""

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.stored / self.seconds


class Senders:
    """Four senders of the same events.

    :param event: as JSON, of which they make them.
    :param bodies: how many variations each of them makes.
    :param clients: whose requests each of them sends.
    """

    def __init__(self, event: str, dsn: str, bodies: int, clients: Sequence[str]) -> None:
        self._all = [
            Asked("inbox_sender", dsn, client, str(seed), str(bodies), first=event)
            for seed, client in enumerate(clients)
        ]

    def begin(self, events: int) -> None:
        for one in self._all:
            one.wait_until_ready()
        for one in self._all:
            one.ask(f"send {events // len(self._all)}")

    def end(self) -> Burst:
        sent = [Sent(**one.answer()) for one in self._all]
        return Burst(
            sum(one.stored for one in sent),
            sum(one.refused for one in sent),
            tuple(one.latest for one in sent),
            max(one.seconds for one in sent),
            sum(one.cpu for one in sent),
            max(one.slowest for one in sent),
        )

    def close(self) -> None:
        for one in self._all:
            one.close()


@contextmanager
def senders(
    event: str, dsn: str, bodies: int, clients: Sequence[str] = CLIENTS
) -> Iterator[Senders]:
    found = Senders(event, dsn, bodies, clients)
    try:
        yield found
    finally:
        found.close()


class InboxProcess:
    """``python -m flask_sentry_kit.inbox``, as a user starts it."""

    def __init__(self, file: Path, keep: int) -> None:
        began = time.perf_counter()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "flask_sentry_kit.inbox", "--port", "0"),
                *("--db", str(file), "--keep", str(keep), "--keep-bytes", "4G"),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = self._said("Inbox:").rstrip("/")
        self.dsn = self._said("DSN:")
        self.get("/")
        self.started = time.perf_counter() - began
        """Seconds from its start to its first page."""

    def _said(self, name: str) -> str:
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith(name):
                return line.split()[1]
        raise RuntimeError("the inbox did not start; its complaint is above")

    def get(self, path: str) -> bytes:
        with urlopen(self.url + path, timeout=60) as answer:
            body: bytes = answer.read()
            return body

    def cpu(self) -> float:
        """Seconds of processor time so far (Linux)."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> tuple[float, float]:
        """MB that it holds, and has held at most (Linux)."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        now, most = (
            int(re.search(rf"{name}:\s+(\d+)", status)[1])  # type: ignore[index]  # Linux has both lines
            for name in ("VmRSS", "VmHWM")
        )
        return now / 1000, most / 1000

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()


@contextmanager
def inbox_process(file: Path, keep: int) -> Iterator[InboxProcess]:
    found = InboxProcess(file, keep)
    try:
        yield found
    finally:
        found.close()


@contextmanager
def server_process(module: str) -> Iterator[str]:
    """Run a server of the benchmarks; gives the DSN that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.{module}"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


@contextmanager
def reader(address: str) -> Iterator[Asked]:
    found = Asked("inbox_reader", address)
    try:
        yield found
    finally:
        found.close()


def percentile(taken: Sequence[float], share: float) -> float:
    """The smallest figure that so large a share of all does not exceed."""
    ordered = sorted(taken)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
