"""The goals for planted secrets, on one in two of the corpus that ``make leaks`` plants."""

from __future__ import annotations

import pytest

from .runner import Result, run


@pytest.fixture(scope="module")
def kit() -> Result:
    """What the kit let out."""
    return run("kit", share=2)


_GOALS = {
    "name": 0.0,
    "looks": 2 / 54,
    "odd": 25 / 112,
    "harmless name": 5 / 106,
    "harmless number": 0.015,
}
"""The share of each class that may go wrong."""


@pytest.mark.parametrize("kind", _GOALS)
def test_no_more_leaves_than_the_goal_allows(kit: Result, kind: str) -> None:
    """Secrets stay home and what is harmless arrives, within the goal of each class."""
    wrong = kit.wrong(kind)
    assert len(wrong) <= _GOALS[kind] * kit.total[kind], [
        (one.name, one.place, one.value) for one in wrong
    ]


def test_the_goals_hold_for_sentry_sdk_with_the_scrubber() -> None:
    """What sentry-sdk sends of the same requests is within them too, if the kit's scrubber goes
    over it."""
    scrubbed = run("sentry-sdk-scrubbed", share=10)
    for kind, most in _GOALS.items():
        wrong = scrubbed.wrong(kind)
        assert len(wrong) <= most * scrubbed.total[kind], [(one.name, one.place) for one in wrong]


def test_the_corpus_finds_leaks() -> None:
    """The same requests with raven let secrets out, and what is harmless arrives with it too."""
    raven = run("raven", share=8)
    assert len(raven.wrong("name")) > raven.total["name"] / 3
    assert len(raven.wrong("looks")) > raven.total["looks"] / 2
    assert len(raven.wrong("harmless number")) < raven.total["harmless number"] / 10
