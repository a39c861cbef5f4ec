"""The short form of ``make attacks``: one attack of each kind, and that the judge sees harm."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .__main__ import SHORT
from .book import Attack, Visit
from .runner import ATTACKS, play, play_best
from .site import ROOT, Site

pytestmark = pytest.mark.alone

CHOSEN = (
    "250 kB of a token's beginning in the query",
    "a form drips into a crash: threads",
    "eight clicks on one report: Sentry hangs",
    "an envelope of 232 bytes: gzip of newlines",
)


@pytest.mark.parametrize("title", CHOSEN)
def test_an_attack_keeps_nobody_else_waiting(title: str) -> None:
    """Meanwhile a healthy request waits at most 0.1 s, memory stays, the attacker is answered."""
    (attack,) = (one for one in ATTACKS if one.title == title)
    verdict = play_best(attack, "kit")
    assert not verdict.missed, (verdict.missed, verdict.measured, verdict.said)


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


def test_the_table_shows_the_kit_beside_raven() -> None:
    """``make attacks`` prints a row for each attack: waited, memory and answer of both."""
    played = subprocess.run(
        [sys.executable, "-m", "tests.attacks", "--short"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
    )
    (row,) = (line for line in played.stdout.splitlines() if line.startswith(SHORT))
    assert row.count(" s ") >= 2 and row.count(" MB ") == 2 and row.count("500 ×6") == 2, row
    assert "1 held, 0 missed" in played.stdout, played.stdout + played.stderr
    assert played.returncode == 0
