"""What a request and a crash cost, beside bare Flask and raven's recipe, in turn, in one run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

from .contender import NAMES
from .sink import sink
from .verdict import verdict

HEALTHY_GOAL = 1.02  # × bare
SDK_HEALTHY_GOAL = 1.01  # × sentry-sdk, of the kit on it
CRASH_GOAL = 0.25  # × raven's recipe
SDK_CRASH_GOAL = 1.2  # × sentry-sdk's recipe, of the kit on it: the same capture, and a page that
# has a form and languages instead of a template of eight lines.
ON_SDK = ("sentry-sdk, kit", "sentry-sdk")
KIT_ON_SDK = "the kit on sentry-sdk, × sentry-sdk"
ENVIRONMENT = (
    "processes of their own, WSGI calls without a socket, perf_counter_ns, collector on"
    " (gc.freeze() before the first call), events delivered to a server on loopback"
)


class Contender:
    """A process that measures itself. Several start side by side: the first command waits."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin and process.stdout
        self._in, self._out = process.stdin, process.stdout
        self._ready = False

    def _ask(self, command: str) -> Any:
        if not self._ready:
            if self._out.readline() != "ready\n":
                raise RuntimeError("a contender did not start; its complaint is above")
            self._ready = True
        self._in.write(f"{command}\n")
        self._in.flush()
        return json.loads(self._out.readline())

    def times(self, path: str, calls: int) -> list[int]:
        taken: list[int] = self._ask(f"time {path} {calls}")
        return taken

    def rss(self) -> int:
        held: int = self._ask("rss")
        return held


@contextmanager
def contender(name: str, dsn: str) -> Iterator[Contender]:
    """Start a contender; it is killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.contender", name, dsn],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Contender(process)
    finally:
        process.kill()
        process.communicate()


@dataclass
class Result:
    """Microseconds of one call."""

    rounds: list[float]
    """The median of each round."""
    processes: list[list[float]]
    """Every single one, by process."""

    @property
    def median(self) -> float:
        return median(self.rounds)

    @property
    def quiet(self) -> float:
        """What the call costs undisturbed, which goals are compared with: the 2nd percentile of a
        process, and the median of all processes.

        On a busy machine a median depends more on the other processes than on the call. And of two
        processes of the same program one is up to 2 % faster, by where its memory happens to lie.
        """
        return median(quantiles(calls, n=50)[0] for calls in self.processes)

    @property
    def spread(self) -> str:
        low, _, high = quantiles(self.rounds, n=4)
        return f"{low:.0f}–{high:.0f}"


def race(path: str, calls: int, rounds: int, processes: int, dsn: str) -> dict[str, Result]:
    """All contenders, in turn, and then again with fresh processes.

    :param rounds: in each process.
    :param processes: of each contender, one after the other.
    """
    results = {name: Result([], []) for name in NAMES}
    for _ in range(processes):
        _run(results, path, calls, rounds, dsn)
    return results


def _run(results: dict[str, Result], path: str, calls: int, rounds: int, dsn: str) -> None:
    """Add one process of each contender to the results."""
    for result in results.values():
        result.processes.append([])
    with ExitStack() as stack:
        racers = {name: stack.enter_context(contender(name, dsn)) for name in NAMES}
        for racer in racers.values():
            racer.times("/", 20)
            racer.times(path, 20)
        for turn in range(rounds):
            # The first of one round is the last of the next.
            names = NAMES if turn % 2 else tuple(reversed(NAMES))
            for name in names:
                taken = [each / 1000 for each in racers[name].times(path, calls)]
                results[name].rounds.append(median(taken))
                results[name].processes[-1] += taken


def _table(title: str, results: dict[str, Result]) -> None:
    print(f"\n{title}, µs")
    print("                    median   middle half   undisturbed, and its ratios")
    bare, raven, sdk = (results[name].quiet for name in ("bare", "raven", "sentry-sdk"))
    for name, result in results.items():
        print(
            f"  {name:17}{result.median:7.0f}  {result.spread:>12}  {result.quiet:8.0f}"
            f"  {result.quiet / bare:6.2f} × bare  {result.quiet / raven:5.2f} × raven"
            f"  {result.quiet / sdk:6.3f} × sentry-sdk"
        )


def _ratio(results: dict[str, Result], name: str, base: str) -> float:
    return results[name].quiet / results[base].quiet


def healthy(short: bool = False) -> bool:
    """A request that does not crash."""
    with sink() as dsn:
        rounds, processes = (4, 1) if short else (20, 9)
        results = race("/", calls=100, rounds=rounds, processes=processes, dsn=dsn)
    _table("Healthy request", results)
    reached = verdict("ours, × bare", _ratio(results, "ours", "bare"), HEALTHY_GOAL)
    return verdict(KIT_ON_SDK, _ratio(results, *ON_SDK), SDK_HEALTHY_GOAL) and reached


def crash(short: bool = False) -> bool:
    """A crash in the view, one 42 frames deep, and the first crash of a process."""
    reached = True
    races = (("/crash", "Crash in the view"), ("/deep", "Crash 42 frames deep"))
    for path, title in races[:1] if short else races:
        with sink() as dsn:
            rounds, processes = (4, 1) if short else (30, 3)
            results = race(path, calls=10, rounds=rounds, processes=processes, dsn=dsn)
        _table(title, results)
        reached &= verdict("ours, × raven", _ratio(results, "ours", "raven"), CRASH_GOAL)
        reached &= verdict(KIT_ON_SDK, _ratio(results, *ON_SDK), SDK_CRASH_GOAL)
    return first_crash(1 if short else 9) and reached


def first_crash(repetitions: int) -> bool:
    """The first crash of a fresh process, against a later one of raven's: no visitor of the kit
    waits longer than every visitor of raven's."""
    print(f"\nFirst crash of a process (µs, median of {repetitions} processes)")
    firsts, later = {}, {}
    with sink() as dsn:
        figures: dict[str, list[list[int]]] = {name: [] for name in NAMES}
        for _ in range(repetitions):
            for name in NAMES:
                with contender(name, dsn) as fresh:
                    fresh.times("/", 20)
                    figures[name].append(fresh.times("/crash", 4))
    for name, taken in figures.items():
        firsts[name] = median(one[0] for one in taken) / 1000
        later[name] = median(sum(one[1:]) / 3 for one in taken) / 1000
        print(f"  {name:17}{firsts[name]:9.0f}, one of the three after it {later[name]:7.0f}")
    return verdict("ours, first × a later one of raven's", firsts["ours"] / later["raven"], 1.0)
