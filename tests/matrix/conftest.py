"""Plays the settings that a session wants, in processes of their own."""

from __future__ import annotations

from concurrent.futures import Future
from functools import partial
from typing import cast

import pytest

from tests.support.beside import BESIDE, ENVIRONMENT

from .book import Case, Verdicts
from .runner import missing_scripts, play_apart
from .shop import ON_SDK, OURS, Who

PLAYED = pytest.StashKey[list[Future[Verdicts]]]()
# Each is a piece of its own. A warning of ours is an error; raven has warnings of its own.
PIECES: tuple[tuple[tuple[Who, ...], tuple[str, ...]], ...] = (
    (OURS, ("-W", "error")),
    (ON_SDK, ("-W", "error")),
    (("raven",), ()),
)


def pytest_collection_finish(session: pytest.Session) -> None:
    chosen = {
        place: cast(Case, (item.callspec.params["setting"], item.callspec.params["who"]))
        for place, item in enumerate(session.items)
        if isinstance(item, pytest.Function) and {"who", "setting"} <= {*item.fixturenames}
    }
    session.stash[PLAYED] = []
    for whose, options in PIECES:
        wanted = [(setting, who) for setting, who in chosen.values() if who in whose]
        if wanted:
            work = partial(_played, wanted, options)
            session.stash[PLAYED].append(session.stash[BESIDE].add(min(chosen), work))


def _played(wanted: list[Case], options: tuple[str, ...]) -> Verdicts:
    assert not missing_scripts(), missing_scripts()
    played = play_apart(wanted, *options, environment=ENVIRONMENT)
    return {(one.title, one.who): one for one in played}


@pytest.fixture(scope="session")
def verdicts(request: pytest.FixtureRequest) -> Verdicts:
    """How each setting ended, once all have."""
    found: Verdicts = {}
    for played in request.session.stash[PLAYED]:
        found |= played.result()
    return found
