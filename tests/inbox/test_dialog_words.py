"""In which language the dialog's texts are, and whose they are (protocol/dialog_words.py)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from flask_sentry_kit import phrases
from flask_sentry_kit.phrases import ANONYMOUS_EMAIL, ANONYMOUS_NAME
from tests.support.inbox import RunningInbox

LANGUAGES = phrases.Languages([phrases.TRANSLATIONS])


def given(served: RunningInbox, asked: str = "", **options: str) -> tuple[Any, Any, Any]:
    """The answer, and the texts and facts that it gives to the dialog's script."""
    headers = {"Accept-Language": asked} if asked else {}
    answer = served.error_page("GET", query=options, headers=headers)
    assert answer.status == 200
    script = answer.data.decode()
    decoder = json.JSONDecoder()
    texts, end = decoder.raw_decode(script, script.index("})({") + 3)
    facts, _ = decoder.raw_decode(script, end + len(", "))
    return answer, texts, facts


@pytest.mark.parametrize("tag", LANGUAGES.tags)
def test_the_dialog_speaks_the_browsers_language(shared: RunningInbox, tag: str) -> None:
    """Each of its texts is the catalogue's, and no other language's answer is kept for it."""
    answer, texts, facts = given(shared, f"{tag},en;q=0.5")
    language = LANGUAGES.best([tag])
    assert {name: texts[name] for name in phrases.DIALOG} == phrases.dialog_phrases(language.say)
    assert facts["languages"]["dialog"] == {"lang": tag, "dir": language.direction}
    assert facts["languages"]["from_page"] == []
    if tag != "en":
        english = set(given(shared, "en")[1].values()) - {""}
        assert not english & set(texts.values())
    assert answer.headers["Content-Language"] == tag
    assert answer.headers["Vary"] == "Accept-Language"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("asked", "lang", "spoken", "title"),
    [
        ("", "", "en", "en"),
        ("sv", "", "en", "en"),
        ("sv, fr;q=0.5", "", "fr", "fr"),
        ("de;q=0, *", "", "en", "en"),
        ("de", "fr", "fr", "fr"),
        ("de", "pt_PT", "pt-BR", "pt-BR"),
        ("de", "en", "en", "en"),
        ("de", "sv", "sv", "de"),
        ("zh-CN", "zh-TW", "zh-Hans", "zh-Hans"),
        ("de", "<script>", "de", "de"),
        ("de", "x" * 36, "de", "de"),
        ("x" * 50_000 + ",de", "", "en", "en"),
    ],
)
def test_the_pages_lang_comes_before_the_browsers(
    shared: RunningInbox, asked: str, lang: str, spoken: str, title: str
) -> None:
    """If there are no texts in it, they are in the browser's language, and marked as that."""
    _, texts, facts = given(shared, asked, lang=lang)
    assert texts["title"] == LANGUAGES.best([title]).say(phrases.DIALOG["title"])
    assert facts["languages"]["dialog"]["lang"] == spoken
    assert (facts["languages"]["kit"] or {}).get("lang", spoken) == title


@pytest.mark.parametrize(
    ("lang", "direction"), [("fa", "rtl"), ("iw", "rtl"), ("az-Arab", "rtl"), ("sv", "ltr")]
)
def test_a_language_without_a_catalogue_has_its_direction(
    shared: RunningInbox, lang: str, direction: str
) -> None:
    """An app with a catalogue of its own gives all texts, and the dialog runs as they do."""
    facts = given(shared, lang=lang)[2]
    assert facts["languages"]["dialog"] == {"lang": lang, "dir": direction}


@pytest.mark.parametrize("lang", ["", "de"])
def test_the_pages_texts_win(shared: RunningInbox, lang: str) -> None:
    """In whichever language the others are. What the page gives in the kit's own words is the kit's
    text, as on the kit's page in German."""
    own = phrases.dialog_phrases(LANGUAGES.best(["de"]).say)
    _, texts, facts = given(shared, "de", **{**own, "title": "Oh dear", "lang": lang})
    assert {name: texts[name] for name in own} == {**own, "title": "Oh dear"}
    assert facts["languages"]["from_page"] == ["title"]


def test_an_empty_text_leaves_out_a_line_and_never_a_name(shared: RunningInbox) -> None:
    """Without a label, a button's text or an error a visitor cannot use the dialog."""
    _, texts, _ = given(shared, **dict.fromkeys(phrases.DIALOG, " "))
    empty = {name for name in phrases.DIALOG if not texts[name].strip()}
    assert empty == {"subtitle", "subtitle2", "noteOptional"}


def test_the_pages_own_error_stands_for_each_cause(shared: RunningInbox) -> None:
    """``errorGeneric`` is what a page wants said where sending fails, whatever the cause."""
    _, texts, facts = given(shared, errorGeneric="Not sent")
    causes = ["errorGeneric", "errorConnection", "errorLarge", "errorRefused"]
    assert {texts[name] for name in causes} == {"Not sent"}
    assert facts["languages"]["from_page"] == causes
    texts = given(shared)[1]
    assert len({texts[name] for name in causes}) == 4


def test_refusals_are_not_kept(shared: RunningInbox) -> None:
    """A DSN that was wrong once may be right tomorrow."""
    for query in ({"eventId": "x"}, {"dsn": "x"}):
        assert shared.error_page("GET", query=query).headers["Cache-Control"] == "no-store"


def test_who_gave_no_name_has_none(served: RunningInbox) -> None:
    """What form and dialog fill in is in no answer of the inbox; its pages say "Someone"."""
    filled = given(served)[2]["anonymous"]
    assert filled == {"name": ANONYMOUS_NAME, "email": ANONYMOUS_EMAIL}
    ann = {"name": "Ann", "email": "ann@shop.example"}
    for number, gave in enumerate(({}, {"name": "Ann"}, {"email": ann["email"]}, ann), 1):
        event_id = f"{number:032x}"
        served.store(served.event(event_id, kind=f"Crash{number}"))
        answer = served.error_page(
            "POST",
            query={"eventId": event_id},
            body=urlencode({**filled, **gave, "comments": "I pressed pay"}),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        assert answer.status == 200
        (words,) = served.api(f"events/{event_id}")["words"]
        assert {name: words[name] for name in ann} == {"name": "", "email": "", **gave}
        shown = served.request("GET", f"/events/{event_id}/").data.decode()
        assert ("Someone" in shown) is ("name" not in gave)
        assert ANONYMOUS_NAME not in shown
