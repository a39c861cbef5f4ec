"""The kit's half of the matrix: the words arrive in every setting, by the road that is open.

With a page of the app's own every sixth setting is played here, with the form alone every second,
and on sentry-sdk those in which the reporter has a part or that show the rule; ``make matrix``
plays all.
"""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from . import stage as stages
from .__main__ import BEGIN, END, HEADS
from .book import WORDS_ALONE, Lost, Setting, Verdicts
from .runner import SETTINGS
from .shop import ON_SDK, RECIPES, ROOT, Who
from .visitor import Words

# Older Flasks answer 404 on every host but SERVER_NAME.
FROM_FLASK_3_1 = {"`SERVER_NAME` is another than the visitor's"}
OLDER = "MAX_FORM_PARTS" not in Flask.default_config

EVERY: dict[Who, int] = {"kit, own page": 6, "kit, form alone": 2}

# By their titles; one of them with the form alone and with a page of one's own, too.
ON_SDK_HERE = {
    "nothing in the way": ("kit on sentry-sdk, form alone", "kit on sentry-sdk, own page"),
    "`abort(500)`": (),
    "captured in the view, then raised again": (),
    "behind a TLS proxy, with ProxyFix": (),
    "Sentry down at the crash, back later": (),
    "Sentry down at sending, back later": (),
    "the database is down: `before_request` raises": (),
}


def _here(setting: Setting, who: Who) -> bool:
    if who in EVERY:
        return SETTINGS.index(setting) % EVERY[who] == 0
    if who not in ON_SDK:
        return who not in RECIPES
    also = ON_SDK_HERE.get(setting.title)
    return also is not None and (who == "kit on sentry-sdk" or who in also)


KITS = [
    pytest.param(
        setting,
        who,
        id=f"{setting.title}-{who}",
        marks=pytest.mark.skipif(OLDER and setting.title in FROM_FLASK_3_1, reason="Flask < 3.1"),
    )
    for setting in SETTINGS
    for who in setting.whose
    if _here(setting, who)
]


# Waits for a process that plays all settings.
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("setting", "who"), KITS)
def test_the_words_arrive_with_their_event(setting: Setting, who: Who, verdicts: Verdicts) -> None:
    """Event and words are in the inbox, tied together; by the dialog only where it can open. An
    event that sentry-sdk drops while the server is away is not there, the words are."""
    verdict = verdicts[setting.title, who]
    assert (verdict.road or verdict.text) == setting.expected(who)


def test_the_readme_has_the_table() -> None:
    """Every setting is in it, and the kit's columns say what the tests here hold it to."""
    table = (ROOT / "README.md").read_text("utf-8").partition(BEGIN)[2].partition(END)[0]
    cells = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    assert tuple(cells[0]) == HEADS
    assert [(title, kit, on_sdk) for title, _, _, kit, on_sdk in cells[1:-1]] == [
        (one.title, _expected(one, "kit"), _expected(one, "kit on sentry-sdk")) for one in SETTINGS
    ], "the README's table is out of date: run `make matrix`"


def _expected(setting: Setting, who: Who) -> str:
    """A cell of the kit's."""
    end = setting.expected(who)
    if end == WORDS_ALONE:
        return end
    return f"arrives ({'dialog, form' if end == 'dialog' else end})"


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("setting", "who", "road", "text"),
    [
        (next(one for one in SETTINGS if one.title == title), who, road, text)
        for who, title, road, text in (
            ("raven", "nothing in the way", "dialog", ""),
            ("raven", "JavaScript off", "", "nothing to write into"),
            ("sentry-sdk", "nothing in the way", "dialog", ""),
            ("sentry-sdk", "`abort(500)`", "", "nothing to write into"),
        )
    ],
)
def test_the_same_course_with_the_recipes(
    setting: Setting, who: Who, road: str, text: str, verdicts: Verdicts
) -> None:
    """The visitor and the judge know nothing of the kit: by the recipes words arrive where nothing
    is in the way. Without JavaScript there is nothing to write into, nor with sentry-sdk where
    there is no event."""
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
