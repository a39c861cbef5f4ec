"""The table of faults as tests: each scenario fails with raven's class and holds with ours."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from .book import SCENARIOS, Scenario
from .rig import Fault
from .runner import Verdict, cases

ROOT = Path(__file__).parents[2]

Ask = Callable[[Scenario, str], Verdict]


def _parameters() -> Iterator[Any]:
    for scenario, who in sorted(cases(), key=lambda case: (case[0].place, case[1])):
        marks: tuple[pytest.MarkDecorator, ...] = ()
        if who == "raven":
            # Strict: that raven has the fault is a claim of ours, and proved each time. Only a
            # fault that was seen as described counts; a broken scenario is an error.
            marks = (pytest.mark.xfail(raises=Fault, strict=True, reason=scenario.fault),)
        yield pytest.param(scenario, who, id=f"{scenario.row}-{who}", marks=marks)


@pytest.fixture(scope="session")
def ask(request: pytest.FixtureRequest) -> Iterator[Ask]:
    """Tells how a scenario ended. All that this session wants are played side by side."""
    chosen = [
        item.callspec.params
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == "test_fault"
    ]
    wanted = [f"{one['who']}:{cast(Scenario, one['scenario']).row}" for one in chosen]
    playing = subprocess.Popen(
        [sys.executable, "-m", "tests.faults", "--json", *wanted],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    verdicts: dict[tuple[str, str], Verdict] = {}
    changed = threading.Condition()
    ended = False

    def read() -> None:
        nonlocal ended
        assert playing.stdout
        for line in playing.stdout:
            verdict = Verdict(**json.loads(line))
            with changed:
                verdicts[verdict.row, verdict.who] = verdict
                changed.notify_all()
        with changed:
            ended = True
            changed.notify_all()

    reader = threading.Thread(target=read)
    reader.start()

    def answer(scenario: Scenario, who: str) -> Verdict:
        key = (scenario.row, who)
        with changed:
            changed.wait_for(lambda: ended or key in verdicts)
        return verdicts[key]

    yield answer
    playing.terminate()
    playing.wait()
    reader.join()
    assert playing.stdout
    playing.stdout.close()


# Waits for a process that plays all rows, of which each may take a minute.
@pytest.mark.timeout(140)
@pytest.mark.parametrize(("scenario", "who"), list(_parameters()))
def test_fault(scenario: Scenario, who: str, ask: Ask) -> None:
    """What raven gets wrong is seen to be wrong, and ours gets it right."""
    verdict = ask(scenario, who)
    if verdict.outcome == "fault":
        raise Fault(f"{scenario.rule} Seen: {verdict.text}")
    if verdict.outcome != "holds":
        raise RuntimeError(verdict.text)


def test_every_row_has_a_scenario() -> None:
    """P1 to P5, E1 to E12, V1 to V8, D1 to D8, A1 to A6: none is left out."""
    shown = {scenario.place[:2] for scenario in SCENARIOS}
    rows = {(at, n) for at, last in enumerate((5, 12, 8, 8, 6)) for n in range(1, last + 1)}
    if sys.version_info < (3, 11):
        rows.remove((1, 12))  # no ExceptionGroup and no __notes__ yet
    assert shown == rows
