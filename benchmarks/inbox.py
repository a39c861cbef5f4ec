"""The inbox under load: four senders of real events and one reader, beside Bugsink.

An event counts when it was answered with 200 and the API's list of crashes counts it.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

from tests.peers.bugsink import BIN, Bugsink

from .inbox_events import crash
from .inbox_processes import (
    WITHOUT_DEFLATE,
    Burst,
    InboxProcess,
    Senders,
    inbox_process,
    percentile,
    reader,
    senders,
    server_process,
)
from .verdict import verdict

RATE_GOAL = 500.0  # events a second, stored and listed
FULL_GOAL = 0.95  # × the rate into an empty file: what two runs of the same differ by
PAGE_GOAL = 50.0  # ms, the 95th percentile while events arrive
MEMORY_GOAL = 150.0  # MB, the most it ever held
START_GOAL = 0.5  # s from the start of the process to its first page, with a full file

KEPT = 50_000
EVENTS = 8_000  # into each file
ROUNDS = 5
BODIES = 1_500  # variations that each sender makes
READING = 40.0  # s

# Bugsink answers 429 to more than 1,000 events in five minutes.
BUGSINK_EVENTS = 400
_SHORT = 40

_API = "/api/v1"

_SEARCHES = {
    "a word": "visitor17",
    "a phrase": '"no lamp"',
    "words that none has": "zeppelin mutiny",
    "user:": "user:visitor42",
    "url:": "url:/stock/8",
    "release:": "release:1.3.0",
    "tag.NAME:": "tag.plan:paid",
    "a negation": "-type:KeyError",
    "is:unread": "is:unread",
    "several": 'is:unread type:ValueError -user:visitor42 release:1.2.0 "no lamp"',
}


def inbox(short: bool = False) -> bool:
    """Into an empty file, into a full one, with a reader, and with a new process."""
    events, bodies = (_SHORT, 5) if short else (EVENTS, BODIES)
    print(f"\nInbox, {KEPT:,} events kept, four senders in processes of their own, closed loop")
    event = json.dumps(crash())
    _senders_alone(event, events, bodies)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "inbox.sqlite")
        with inbox_process(file, KEPT) as server, senders(event, server.dsn, bodies) as all_senders:
            run = _Run(server, all_senders)
            run.burst("first requests", 40)
            if not short:
                run.burst("until it is full", KEPT)
            empty, full = _in_turn(run, Path(folder, "empty.sqlite"), event, events, bodies)
            seconds = 1.0 if short else READING
            pages = run.burst_with_reader(seconds, int(1.1 * seconds * full))
            memory = server.memory()
            print(f"  memory {memory[0]:.0f} MB, at most {memory[1]:.0f} MB; {_size(folder)}")
        with inbox_process(file, KEPT) as server:
            started = server.started
            run.lost += abs(_total(server) - run.stored)
        run.lost += max(0, min(KEPT, run.stored) - _rows(file))
        print(f"  a new process lists the same, and gave its first page after {started:.2f} s")
    reached = [
        verdict("into an empty file, events a second", empty, RATE_GOAL, least=True),
        verdict("into the full file, events a second", full, RATE_GOAL, least=True),
        verdict("full, × empty", full / empty, FULL_GOAL, least=True),
        *(
            verdict(f"{name}, 95th percentile, ms", percentile(taken, 0.95), PAGE_GOAL)
            for name, taken in pages.items()
        ),
        verdict("memory, MB", memory[1], MEMORY_GOAL),
        verdict("start with the full file, s", started, START_GOAL),
        verdict("events refused, or answered with 200 and not listed", run.lost, 0),
    ]
    if not short:
        _bugsink(event, full)
    return all(reached)


def _in_turn(full: _Run, file: Path, event: str, events: int, bodies: int) -> tuple[float, float]:
    """Events a second into an empty file and into the full one, in turn, so that a change of the
    machine's own speed concerns both."""
    with inbox_process(file, KEPT) as server, senders(event, server.dsn, bodies) as all_senders:
        empty = _Run(server, all_senders)
        empty.burst("first requests", 40)
        bursts = [
            (
                empty.burst("into an empty file", events // ROUNDS),
                full.burst("into the full file", events // ROUNDS),
            )
            for _ in range(ROUNDS)
        ]
        full.lost += empty.lost
    first, second = (
        sum(burst.stored for burst in those) / sum(burst.seconds for burst in those)
        for those in zip(*bursts, strict=True)
    )
    return first, second


class _Run:
    """One inbox from its first event on."""

    def __init__(self, server: InboxProcess, all_senders: Senders) -> None:
        self._server, self._senders = server, all_senders
        self.stored = 0
        self.lost = 0

    def burst(self, what: str, events: int) -> Burst:
        cpu = self._server.cpu()
        self._senders.begin(events)
        return self._end(what, cpu)

    def burst_with_reader(self, seconds: float, events: int) -> dict[str, list[float]]:
        """Milliseconds of the answers, by what was read, while events arrive."""
        paths = _paths(self._server)
        cpu = self._server.cpu()
        with reader(self._server.url) as developer:
            self._senders.begin(events)
            developer.ask(f"read {seconds} {' '.join(paths.values())}")
            taken = developer.answer()
        burst = self._end("with a reader, who opens ten pages a second", cpu)
        if burst.seconds < seconds:
            print(f"    the senders were done after {burst.seconds:.0f} of {seconds:.0f} s")
        groups: dict[str, list[float]] = {}
        for name, path in paths.items():
            print(
                f"    {name:40}{median(taken[path]):7.1f} ms,"
                f" 95th percentile {percentile(taken[path], 0.95):6.1f} ms"
            )
            groups.setdefault(name.partition(":")[0], []).extend(taken[path])
        return groups

    def _end(self, what: str, cpu_before: float) -> Burst:
        burst = self._senders.end()
        # At once: what is answered with 200 is listed.
        listed = all(self._server.get(f"{_API}/events/{found}") for found in burst.latest if found)
        cpu = self._server.cpu() - cpu_before
        self.stored += burst.stored
        self.lost += burst.refused + (not listed)
        total = _total(self._server)
        if total != self.stored:
            print(f"    {self.stored:,} were stored, and {total:,} are listed")
            self.lost = max(self.lost, abs(self.stored - total))
        if burst.stored:
            each = 1e6 / burst.stored
            print(
                f"  {what}: {burst.stored:,} events, {burst.rate:.0f} a second; the slowest"
                f" {burst.slowest * 1000:.0f} ms; processor time of an event: inbox"
                f" {cpu * each:.0f} µs, sender {burst.cpu * each:.0f} µs"
            )
        return burst


def _api(server: InboxProcess, path: str) -> Any:
    return json.loads(server.get(f"{_API}/{path}"))


def _total(server: InboxProcess) -> int:
    """How many events the list of crashes counts, including those that are no longer kept."""
    return sum(one["count"] for one in _api(server, "crashes?limit=1000")["crashes"])


def _paths(server: InboxProcess) -> dict[str, str]:
    """What the reader opens; the part before the colon has a goal of its own."""
    crashes = _api(server, "crashes?limit=1000")["crashes"]
    latest = _api(server, "events?limit=1")["events"][0]["event_id"]
    found = {"list": "/", "list: second page": "/?page=2"} if len(crashes) > 100 else {"list": "/"}
    for name, text in _SEARCHES.items():
        found[f"search: {name}"] = "/?" + urlencode({"q": text})
    for one in (crashes[0], crashes[len(crashes) // 2]):
        found[f"crash page: {one['type']}, {one['count']} times"] = f"/crashes/{one['crash']}/"
    found["API: crashes"] = f"{_API}/crashes?limit=100"
    found["API: a search"] = f"{_API}/events?" + urlencode({"q": "user:visitor42", "limit": 20})
    found["API: an event"] = f"{_API}/events/{latest}"
    return found


def _rows(file: Path) -> int:
    """How many events the file holds."""
    with closing(sqlite3.connect(file)) as db:
        return int(db.execute("SELECT count(*) FROM events").fetchone()[0])


def _size(folder: str) -> str:
    files = sorted(Path(folder).iterdir())
    return ", ".join(f"{file.name} {file.stat().st_size / 1e6:,.0f} MB" for file in files)


def _senders_alone(event: str, events: int, bodies: int) -> None:
    """What the senders cost against a server that does nothing."""
    with (
        server_process("null_server") as dsn,
        senders(event, dsn, bodies) as all_senders,
    ):
        all_senders.begin(events)
        burst = all_senders.end()
    print(
        f"  the senders alone, with a server that only answers: {burst.rate:,.0f} a second,"
        f" {burst.cpu / burst.stored * 1e6:.0f} µs of processor time for an event"
    )


def _bugsink(event: str, inbox: float) -> None:
    """The same senders and events for Bugsink, as its own template for one machine sets it up."""
    if not (BIN / "gunicorn").exists():
        print(f"  Bugsink is not in {BIN.parent}: `make bench` installs it there")
        return
    with tempfile.TemporaryDirectory() as folder:
        other = Bugsink(Path(folder))
        try:
            other.start()
            with senders(event, other.dsn, 50, WITHOUT_DEFLATE) as all_senders:
                before = other.digested
                all_senders.begin(BUGSINK_EVENTS)
                pages = []
                for _ in range(30):
                    began = time.perf_counter()
                    other.list_page()
                    pages.append((time.perf_counter() - began) * 1000)
                burst = all_senders.end()
            digested = other.digested - before
        finally:
            other.close()
    rate = digested / burst.seconds
    print(
        f"  {other.title}, the same senders: {burst.stored} events taken, {digested} digested,"
        f" {rate:.1f} a second ({inbox / rate:.0f} × as many into the full inbox);"
        f" its list meanwhile: median {median(pages):.0f} ms,"
        f" 95th percentile {percentile(pages, 0.95):.0f} ms"
    )
