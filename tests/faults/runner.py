"""Plays scenarios, each in a process of its own, and reports how they ended.

The modules are loaded once and the process forks for each scenario: no scenario can spoil
another one, and none pays for imports. POSIX only, as the rows about fork are.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import IO, Any

from flask import g

from . import around, delivery, ends, events, page, visitor
from .book import SCENARIOS, Scenario
from .expected import expected, seen
from .nocertifi import certifi
from .rig import Fault, Rig

LIMIT = 60.0  # seconds; a scenario that takes longer is broken, not slow

# Loaded for their scenarios.
ROOMS = (page, events, visitor, delivery, ends, around)

WHO = ("raven", "sentry-sdk", "kit", "kit on sentry-sdk")


@dataclass(frozen=True)
class Verdict:
    """How one scenario ended with one class."""

    row: str
    who: str
    outcome: str
    """``holds``, ``fault``, or ``broken`` when the scenario itself failed."""
    text: str = ""
    seconds: float = 0.0


Verdicts = dict[tuple[str, str], Verdict]
"""How each ended, by its row and by whose class was played."""


def cases() -> list[tuple[Scenario, str]]:
    """Every scenario with each column that it is asked of."""
    return [(scenario, who) for scenario in SCENARIOS for who in WHO if expected(scenario, who)]


def sentry_class(who: str) -> Any:
    if who == "raven":
        from raven.contrib.flask import Sentry

        return Sentry
    if "sentry-sdk" in who:
        with certifi():
            from . import on_sdk

        return on_sdk.SdkRecipe if who == "sentry-sdk" else on_sdk.KitOnSdk
    import flask_sentry_kit

    return flask_sentry_kit.Sentry


def play(scenario: Scenario, who: str) -> Verdict:
    """Play a scenario in this process."""
    began = time.monotonic()
    try:
        reporter = sentry_class(who)
        shown_id = getattr(reporter, "shown_id", lambda: g.sentry_event_id)
        with ExitStack() as stack:
            scenario.play(reporter, Rig(stack, shown_id), *scenario.args)
        outcome, text = "holds", ""
    except Fault as fault:
        outcome, text = "fault", str(fault)
        pattern = seen(scenario, who)
        if pattern is not None and not re.search(pattern, text):
            outcome, text = "broken", f"another failure than {pattern!r}: {text}"
    except BaseException:
        outcome, text = "broken", traceback.format_exc()
    return Verdict(scenario.row, who, outcome, text, time.monotonic() - began)


@dataclass
class _Running:
    pid: int
    answer: IO[str]
    output: IO[str]
    scenario: Scenario
    who: str
    deadline: float


def _start(scenario: Scenario, who: str) -> _Running:
    reading, writing = os.pipe()
    output = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        os.setsid()  # so that what it starts can be ended with it
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
        os.close(reading)
        verdict = play(scenario, who)
        with os.fdopen(writing, "w") as answer:
            json.dump(asdict(verdict), answer)
        # Without the interpreter's farewell: raven would wait 10 s for its queue.
        os._exit(0)
    os.close(writing)
    deadline = time.monotonic() + LIMIT
    return _Running(pid, os.fdopen(reading), output, scenario, who, deadline)


def _finish(running: _Running, text: str) -> Verdict:
    try:
        os.killpg(running.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    os.waitpid(running.pid, 0)
    running.answer.close()
    with running.output as output:
        output.seek(0)
        said = output.read()[-4000:]
    if not text:
        why = "took too long" if time.monotonic() > running.deadline else "died"
        return Verdict(running.scenario.row, running.who, "broken", f"{why}\n{said}")
    verdict = Verdict(**json.loads(text))
    if verdict.outcome == "broken":
        return Verdict(**{**asdict(verdict), "text": f"{verdict.text}\n{said}"})
    return verdict


def run(wanted: Iterable[tuple[Scenario, str]], jobs: int) -> Iterator[Verdict]:
    """Play the given cases, ``jobs`` at a time; those that measure time come last, alone."""
    waiting = sorted(wanted, key=lambda case: case[0].alone)
    for who in {who for _, who in waiting}:
        sentry_class(who)  # imported once, not in each process
    running: dict[int, _Running] = {}
    texts: dict[int, str] = {}
    while waiting or running:
        while waiting and len(running) < (1 if waiting[0][0].alone else jobs):
            if any(one.scenario.alone for one in running.values()):
                break
            one = _start(*waiting.pop(0))
            running[one.answer.fileno()] = one
            texts[one.answer.fileno()] = ""
        now = time.monotonic()
        nearest = min(one.deadline for one in running.values())
        ready, _, _ = select.select(list(running), [], [], max(0.0, nearest - now))
        for number in ready:
            piece = os.read(number, 65536).decode()
            texts[number] += piece
            if not piece:
                yield _finish(running.pop(number), texts.pop(number))
        for number in [n for n, one in running.items() if time.monotonic() > one.deadline]:
            yield _finish(running.pop(number), "")
