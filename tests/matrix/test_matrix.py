"""The kit's half of the matrix: the words arrive in every setting, by the road that is open."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from . import stage as stages
from .__main__ import BEGIN, END
from .book import Lost, Setting, Verdicts
from .runner import SETTINGS
from .shop import ROOT, Who
from .visitor import Words

# Older Flasks answer 404 on every host but SERVER_NAME.
FROM_FLASK_3_1 = {"`SERVER_NAME` is another than the visitor's"}
OLDER = "MAX_FORM_PARTS" not in Flask.default_config

OURS = [
    pytest.param(
        setting,
        who,
        id=f"{setting.title}-{who}",
        marks=pytest.mark.skipif(OLDER and setting.title in FROM_FLASK_3_1, reason="Flask < 3.1"),
    )
    for setting in SETTINGS
    for who in setting.whose
    if who != "raven"
]


# Waits for a process that plays all settings.
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("setting", "who"), OURS)
def test_the_words_arrive_with_their_event(setting: Setting, who: Who, verdicts: Verdicts) -> None:
    """Event and words are in the inbox, tied together; by the dialog only where it can open."""
    verdict = verdicts[setting.title, who]
    expected = "form" if who == "kit, form alone" else setting.road
    assert verdict.road == expected, verdict.text or "by the other road"


def test_the_readme_has_the_table() -> None:
    """Every setting is in it, and the kit's columns say what the tests here hold it to."""
    table = (ROOT / "README.md").read_text("utf-8").partition(BEGIN)[2].partition(END)[0]
    cells = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    assert [(title, kit, own) for title, _, kit, own in cells[1:-1]] == [
        (
            one.title,
            f"arrives ({'dialog, form' if 'kit, form alone' in one.whose else one.road})",
            f"arrives ({one.road})",
        )
        for one in SETTINGS
    ], "the README's table is out of date: run `make matrix`"


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("setting", "who", "road", "text"),
    [
        (next(one for one in SETTINGS if one.title == title), "raven", road, text)
        for title, road, text in (
            ("nothing in the way", "dialog", ""),
            ("JavaScript off", "", "nothing to write into"),
        )
    ],
)
def test_the_same_course_with_ravens_recipe(
    setting: Setting, who: Who, road: str, text: str, verdicts: Verdicts
) -> None:
    """The visitor and the judge know nothing of the kit: by the recipe words arrive where nothing
    is in the way, and without JavaScript there is nothing to write into."""
    verdict = verdicts[setting.title, who]
    assert (verdict.road, verdict.text) == (road, text)


def test_words_of_another_crash_do_not_count(
    chromium: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The judge wants the words at the event of this very crash."""
    monkeypatch.setattr(stages, "PATIENCE", 1.0)
    with stages.stage("kit, form alone", chromium) as on:
        on.sentry.start()
        address, visitor, words = on.serve(on.shop()), on.visitor(), Words.new()
        first, second = visitor.crash(address), visitor.crash(address)
        first.tab.write(words)
        first.tab.send(words)
        on.judge(first, words)
        with pytest.raises(Lost, match="event, words not tied to it"):
            on.judge(second, words)
