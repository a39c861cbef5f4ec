"""Plays the scenarios that a session wants, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from tests.support.beside import BESIDE, ENVIRONMENT

from .book import Scenario
from .runner import Verdict, Verdicts

ROOT = Path(__file__).parents[2]

PLAYED = pytest.StashKey[Future[Verdicts]]()


def pytest_collection_finish(session: pytest.Session) -> None:
    chosen = {
        place: item.callspec.params
        for place, item in enumerate(session.items)
        if isinstance(item, pytest.Function) and item.originalname == "test_fault"
    }
    if chosen:
        wanted = [f"{one['who']}:{cast(Scenario, one['scenario']).row}" for one in chosen.values()]
        session.stash[PLAYED] = session.stash[BESIDE].add(min(chosen), partial(_played, wanted))


def _played(wanted: list[str]) -> Verdicts:
    playing = subprocess.run(
        [sys.executable, "-m", "tests.faults", "--json", *wanted],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found = [Verdict(**json.loads(line)) for line in playing.stdout.splitlines()]
    return {(one.row, one.who): one for one in found}


@pytest.fixture(scope="session")
def verdicts(request: pytest.FixtureRequest) -> Verdicts:
    """How each scenario ended, once all have."""
    played: Verdicts = request.session.stash[PLAYED].result()
    return played
