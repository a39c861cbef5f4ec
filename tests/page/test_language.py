"""The page speaks the visitor's language (phrases.py, translations/)."""

from __future__ import annotations

import gettext
import json
import re
from pathlib import Path
from typing import Any

import flask_babel
import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from flask_sentry_kit import phrases
from flask_sentry_kit.crash import Crash, FeedbackForm
from scripts import translations

FOLDER = Path(phrases.TRANSLATIONS)
TAGS = "ar de en es fr he it ja ko nl pl pt-BR ru tr uk zh-Hans".split()
BUNDLED = [path.name for path in FOLDER.iterdir() if path.is_dir()]


def catalogue(locale: str) -> Catalog:
    with (FOLDER / locale / "LC_MESSAGES" / "sentry_kit.po").open("rb") as file:
        return read_po(file, locale=locale)


def test_the_languages_are_those_promised() -> None:
    """There are sixteen, including English."""
    assert phrases.Languages([str(FOLDER)]).tags == TAGS


@pytest.mark.parametrize(
    ("asked", "spoken"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT", "de"),
        ("DE-at-1996", "de"),
        ("en-GB,en;q=0.9,de;q=0.8", "en"),
        ("sv,fi;q=0.9", "en"),
        ("sv,de;q=0.5", "de"),
        ("fr;q=0.5, es;q=0.9", "es"),
        ("de;q=0, fr;q=0.1", "fr"),
        ("*", "en"),
        ("pt", "pt-BR"),
        ("pt-PT", "pt-BR"),
        ("iw", "he"),
        ("zh", "zh-Hans"),
        ("zh-CN", "zh-Hans"),
        ("zh-Hans-SG", "zh-Hans"),
        ("zh-TW,en;q=0.5", "en"),
        ("zh-Hant-HK,ja;q=0.5", "ja"),
        (";;,=q", "en"),
        ("../../etc/passwd", "en"),
    ],
)
def test_the_language_is_the_one_asked_for(stand: Any, parse: Any, asked: str, spoken: str) -> None:
    """By quality first, then the closest available; lang and Content-Language name it."""
    room = stand()
    answer = room.get(Accept_Language=asked)
    assert answer.headers["Content-Language"] == spoken
    assert parse(answer.text).one("html").attributes["lang"] == spoken
    assert "accept-language" in {part.lower() for part in answer.vary}
    assert not room.reported


@pytest.mark.parametrize("tag", TAGS)
def test_no_english_is_left_on_a_translated_page(stand: Any, parse: Any, tag: str) -> None:
    """Everything the template and the dialog say comes from the catalogue."""
    room = stand(form=True, SENTRY_KIT_BRAND={"support_email": "help@tea.example"})
    page = parse(room.get(method="POST", Accept_Language=tag, Referer="http://localhost/x").text)
    html = page.one("html")
    assert html.attributes == {"lang": tag, "dir": "rtl" if tag in ("ar", "he") else "ltr"}
    texts = [html.text, *(str(value) for one in page.elements for value in one.attributes.values())]
    english = [str(one.id) for one in translations.extracted() if one.id]
    # The tongues share these; a proper name is no English.
    english = [message for message in english if len(message) > 5 and "%" not in message]
    left = [message for message in english if any(message in text for text in texts)]
    assert bool(left) == (tag == "en"), left


@pytest.mark.parametrize("tag", ["de", "ja", "ar"])
def test_every_format_speaks_it(stand: Any, tag: str) -> None:
    """Text, problem details, fragment, and the page that answers the form."""
    room = stand()
    say = phrases.Languages([str(FOLDER)]).best([tag]).say
    title = say("Something broke on our side.")
    assert title in room.html(Accept="text/plain", Accept_Language=tag)
    problem = json.loads(room.html(Accept="application/json", Accept_Language=tag))
    assert problem["detail"].startswith(title)
    assert problem["title"] == "Internal Server Error"
    assert title in room.html(HX_Request="true", Accept="*/*", Accept_Language=tag)
    with room.app.test_request_context("/", headers={"Accept-Language": tag}):
        answer = room.page.outcome(Crash(None), FeedbackForm("/f", "t", outcome="sent"))
        assert room.page.say("Send") == say("Send")
    assert say("Sent. Thank you.") in answer.get_data(as_text=True)


def test_the_hosted_dialog_speaks_it(stand: Any, snippet_options: Any) -> None:
    """In English it has its own words; an app's own options win in every language."""
    room = stand(SENTRY_KIT_DIALOG={"title": "Mine"})
    german = snippet_options(room.html(Accept_Language="de"))
    assert german["title"] == "Mine"
    assert german["labelSubmit"] == "Senden"
    assert german["lang"] == "de"
    assert set(phrases.DIALOG) <= set(german)
    assert "labelSubmit" not in snippet_options(room.html(Accept_Language="en"))


def test_dialog_and_form_have_one_wording() -> None:
    """Each of the dialog's sentences is one that the page's form says, but for its two buttons' and
    those that stand above the form."""
    templates = FOLDER.parent / "templates" / "flask_sentry_kit"
    said = "".join((templates / name).read_text("utf-8") for name in ("form.html", "crash.html"))
    said += "".join([*phrases.FIELD_ERRORS.values(), *phrases.REFUSALS.values()])
    ours = {**phrases.DIALOG, "sending": phrases.SENDING, "connection": phrases.NO_CONNECTION}
    assert [name for name, text in ours.items() if text not in said] == [
        "labelClose",
        "errorGeneric",
    ]


def test_the_mail_speaks_it(stand: Any, parse: Any) -> None:
    """Subject and reference of the mail to support are in the visitor's language."""
    room = stand(SENTRY_KIT_BRAND={"support_email": "help@tea.example"})
    (mail,) = (
        href
        for href in parse(room.html(Accept_Language="fr")).links().values()
        if href.startswith("mailto:")
    )
    assert "Un%20probl%C3%A8me%20est%20survenu" in mail


def test_flask_babels_locale_wins(stand: Any) -> None:
    """The app's locale comes first; if it is not available, the browser's languages."""
    room = stand()
    chosen = "pt_BR"
    flask_babel.Babel(room.app, locale_selector=lambda: chosen)
    assert room.get(Accept_Language="de").headers["Content-Language"] == "pt-BR"
    chosen = "zh_Hans_CN"
    assert room.get(Accept_Language="de").headers["Content-Language"] == "zh-Hans"
    chosen = "sv"
    assert room.get(Accept_Language="de").headers["Content-Language"] == "de"


def test_a_locale_selector_that_raises(stand: Any) -> None:
    """It may query a dead database: then the browser's languages count."""
    room = stand()
    flask_babel.Babel(room.app, locale_selector=lambda: 1 // 0)
    answer = room.get(Accept_Language="de")
    assert answer.headers["Content-Language"] == "de"
    assert isinstance(room.reported[0], ZeroDivisionError)


def _write(folder: Path, locale: str, **texts: str) -> None:
    made = Catalog(locale=locale)
    for message, text in texts.items():
        made.add(message, text)
    path = folder / locale / "LC_MESSAGES" / "sentry_kit.mo"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write_mo(file, made)


@pytest.mark.parametrize("setting", [None, "lang;translations"])
def test_an_app_adds_and_changes_languages(stand: Any, tmp_path: Path, setting: str | None) -> None:
    """With catalogues of its own in translations/, and no touch to the package: a new language,
    other words in a bundled one (the rest stays), other words in English."""
    folder = tmp_path / "translations"
    title, home = "Something broke on our side.", "Home"
    _write(folder, "sv", **{title: "Något gick sönder hos oss."})
    _write(folder, "fa", **{title: "مشکلی پیش آمد."})
    _write(folder, "de", **{title: "Da hakt etwas."})
    _write(folder, "en", **{home: "Front door"})
    config = {"BABEL_TRANSLATION_DIRECTORIES": setting} if setting else {}
    room = stand(app_config=config)
    assert "Något gick sönder hos oss." in room.html(Accept_Language="sv-FI")
    persian = room.html(Accept_Language="fa")
    assert '<html lang="fa" dir="rtl">' in persian
    german = room.html(Accept_Language="de")
    assert "Da hakt etwas." in german
    assert "Startseite" in german
    assert ">Front door</a>" in room.html()


def test_a_damaged_catalogue_leaves_english(stand: Any, tmp_path: Path) -> None:
    """The page shows, and the fault is reported."""
    _write(tmp_path / "translations", "sv", Home="Hem")
    path = tmp_path / "translations" / "sv" / "LC_MESSAGES" / "sentry_kit.mo"
    path.write_bytes(path.read_bytes()[:40])
    room = stand()
    answer = room.get(Accept_Language="sv")
    assert answer.headers["Content-Language"] == "en"
    assert len(room.reported) == 1


def test_a_translation_with_a_wrong_placeholder_falls_back(stand: Any, tmp_path: Path) -> None:
    """A mistake in one sentence affects only that sentence."""
    _write(tmp_path / "translations", "sv", **{"Write to %(address)s": "Skriv till %(adress)s"})
    room = stand(SENTRY_KIT_BRAND={"support_email": "help@tea.example"})
    assert "Write to help@tea.example" in room.html(Accept_Language="sv")


@given(st.text(st.characters(min_codepoint=32, max_codepoint=255)))
def test_no_header_breaks_the_choice(asked: str) -> None:
    """Every Accept-Language header leads to a language."""
    assert phrases.Languages([str(FOLDER)]).best([asked]).tag in TAGS


@pytest.mark.parametrize("locale", BUNDLED)
def test_a_catalogue_is_whole(locale: str) -> None:
    """It has exactly the kit's sentences, none fuzzy, with the same placeholders."""
    wanted = {str(one.id) for one in translations.extracted() if one.id}
    found = {str(one.id): one for one in catalogue(locale) if one.id}
    assert set(found) == wanted
    for message, one in found.items():
        assert one.string, message
        assert not one.fuzzy, message
        assert re.findall(r"%\(\w+\)s", message) == re.findall(r"%\(\w+\)s", str(one.string))
        assert "!" not in str(one.string)


@pytest.mark.parametrize("locale", BUNDLED)
def test_a_compiled_catalogue_is_that_of_its_source(locale: str) -> None:
    """The compiled .mo holds the same texts as the .po."""
    path = FOLDER / locale / "LC_MESSAGES" / "sentry_kit.mo"
    with path.open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for one in catalogue(locale):
        if one.id:
            assert compiled.gettext(str(one.id)) == one.string


@pytest.mark.parametrize("sentence", [*phrases.REFUSALS.values(), *phrases.FIELD_ERRORS.values()])
def test_what_the_form_answers_is_in_the_catalogues(sentence: str) -> None:
    """Each sentence that the form answers can be said in another language."""
    assert phrases.Languages([phrases.TRANSLATIONS]).best(["de"]).say(sentence) != sentence


def test_every_language_fits_a_phone(stand: Any, serve: Any, page: Any) -> None:
    """At 320 px nothing runs over the edge, in either direction of writing."""
    base = serve(stand(form=True, SENTRY_KIT_DIALOG=False).app)
    page.set_viewport_size({"width": 320, "height": 640})
    outside = (
        "[...document.querySelectorAll('main *')].filter(x => x.getBoundingClientRect().x < 0)"
    )
    for tag in TAGS:
        page.set_extra_http_headers({"Accept-Language": tag})
        page.goto(f"{base}/crash")
        assert page.evaluate("document.documentElement.lang") == tag
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, tag
        assert page.evaluate(f"{outside}.length") == 0, tag
