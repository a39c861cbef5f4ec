"""One attack of each kind of ``make attacks``, and that the judge sees harm."""

from __future__ import annotations

import pytest

from .book import Attack, Visit
from .runner import ATTACKS, play, play_best
from .site import Site

CHOSEN = (
    "250 kB of a token's beginning in the query",
    "a form drips into a crash: threads",
    "eight clicks on one report: Sentry hangs",
    "an envelope of 232 bytes: gzip of newlines",
)


@pytest.mark.alone
@pytest.mark.parametrize("title", CHOSEN)
def test_an_attack_keeps_nobody_else_waiting(title: str) -> None:
    """Meanwhile a healthy request waits at most 0.1 s, memory stays, the attacker is answered."""
    (attack,) = (one for one in ATTACKS if one.title == title)
    verdict = play_best(attack, "kit")
    assert not verdict.missed, (verdict.missed, verdict.measured, verdict.said)


@pytest.mark.beside
def test_the_judge_sees_harm() -> None:
    """Views that keep the interpreter, take memory or answer otherwise are seen as such."""

    def visit(site: Site) -> list[Visit]:
        paths = ("/hold?count=60000000", "/swell?size=200000000", "/missing")
        return [site.get(path) for path in paths]

    attack = Attack("harm", visit, (), "waitress", "takes", (200,), True, 0.1, 60.0, 100, ())
    missed = "; ".join(play(attack, "kit").missed)
    assert "a healthy request waited" in missed
    assert "MB more memory" in missed
    assert "answered 404" in missed
