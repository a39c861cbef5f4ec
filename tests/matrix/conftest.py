"""Plays the settings that a session wants, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import Future
from functools import partial
from typing import cast

import pytest

from tests.support.beside import BESIDE, ENVIRONMENT

from .book import Setting, Verdict, Verdicts
from .shop import RAVEN_JS, ROOT

PLAYED = pytest.StashKey[Future[Verdicts]]()


def pytest_collection_finish(session: pytest.Session) -> None:
    chosen = {
        place: (str(item.callspec.params["who"]), cast(Setting, item.callspec.params["setting"]))
        for place, item in enumerate(session.items)
        if isinstance(item, pytest.Function) and {"who", "setting"} <= {*item.fixturenames}
    }
    if chosen:
        work = partial(_played, list(chosen.values()))
        session.stash[PLAYED] = session.stash[BESIDE].add(min(chosen), work)


def _played(wanted: list[tuple[str, Setting]]) -> Verdicts:
    assert (RAVEN_JS / "raven.min.js").exists(), "raven-js is missing: `make test` brings it"
    found: Verdicts = {}
    # A warning of ours is an error; raven has warnings of its own.
    for ravens, options in ((False, ["-W", "error"]), (True, [])):
        cases = [f"{who}:{one.title}" for who, one in wanted if (who == "raven") is ravens]
        playing = subprocess.run(
            [sys.executable, *options, "-m", "tests.matrix", "--json", *cases],
            cwd=ROOT,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        verdicts = [Verdict(**json.loads(line)) for line in playing.stdout.splitlines()]
        found |= {(one.title, one.who): one for one in verdicts}
    return found


@pytest.fixture(scope="session")
def verdicts(request: pytest.FixtureRequest) -> Verdicts:
    """How each setting ended, once all have."""
    played: Verdicts = request.session.stash[PLAYED].result()
    return played
