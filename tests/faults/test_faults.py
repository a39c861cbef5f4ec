"""The table of faults as tests: each scenario fails with raven's class and holds with the kit, and
with sentry-sdk alone it ends as it was measured."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .book import SCENARIOS, Scenario
from .expected import NOT_ASKED, SDK_SHOWS, expected, in_suite
from .rig import Fault
from .runner import Verdicts, cases

ROOT = Path(__file__).parents[2]


def _parameters() -> Iterator[Any]:
    chosen = [(scenario, who) for scenario, who in cases() if in_suite(scenario, who)]
    for scenario, who in sorted(chosen, key=lambda case: (case[0].place, case[1])):
        marks: tuple[pytest.MarkDecorator, ...] = ()
        if expected(scenario, who) == "fault":
            # Strict: that a reporter has the fault is a claim of ours, and proved each time. Only a
            # fault that was seen as described counts; a broken scenario is an error.
            marks = (pytest.mark.xfail(raises=Fault, strict=True, reason=scenario.fault),)
        yield pytest.param(scenario, who, id=f"{scenario.row}-{who}", marks=marks)


# Waits for a process that plays all rows, of which each may take a minute.
@pytest.mark.timeout(140)
@pytest.mark.parametrize(("scenario", "who"), list(_parameters()))
def test_fault(scenario: Scenario, who: str, verdicts: Verdicts) -> None:
    """What raven gets wrong is seen to be wrong, and the kit gets it right."""
    verdict = verdicts[scenario.row, who]
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


def test_no_row_is_left_out_for_nothing() -> None:
    """What is said about sentry-sdk's columns names rows that there are, each once."""
    rows = {scenario.row for scenario in SCENARIOS} | {"A1f", "E12a", "E12b", "V1d", "V1e"}
    for reasons in NOT_ASKED.values():
        assert not reasons.keys() - rows
    assert not SDK_SHOWS.keys() - rows
    assert not SDK_SHOWS.keys() & NOT_ASKED["sentry-sdk"].keys()
