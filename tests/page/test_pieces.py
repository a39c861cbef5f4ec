"""The bundled page is joined from pieces: byte for byte as its templates render it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
from jinja2 import Environment, meta, nodes
from markupsafe import Markup

from flask_sentry_kit.crash import Crash, FeedbackForm
from flask_sentry_kit.page import facts, pieces
from flask_sentry_kit.page.pieces import BundledPages
from flask_sentry_kit.page.respond import _bundled
from flask_sentry_kit.phrases import TRANSLATIONS, Language, Languages
from flask_sentry_kit.settings import Brand

LANGUAGES = Languages([TRANSLATIONS])

PAGES = ("500.html", "flask_sentry_kit/fragment.html", "flask_sentry_kit/feedback.html")

TEXTS = (
    "",
    "ada",
    "<script>alert(1)</script>",
    "\"'&<>",
    "&amp;",
    "مرحبا",
    "a\ud800b",
    "{{ 7 * 7 }}",
    "%(address)s %s %",
    "\n\r\n\tx",
    "\x00\u2028\u202e",
    "m0x1x",
    "x" * 3000,
)


def full(name: str, context: dict[str, Any], language: Language) -> str:
    words = {**context, "crash_text": language.escaped}
    return _bundled().get_template(name).render(words)


def generated(chance: random.Random) -> tuple[dict[str, Any], Language]:
    """A context of the page, as wild as a visitor and an app can make it together."""

    def text() -> str:
        return chance.choice(TEXTS)

    language = LANGUAGES.best([chance.choice(LANGUAGES.tags)])
    scripts = [facts.Script(text(), chance.choice((None, "", "sha384-<&>"))) for _ in range(2)]
    known = facts.Facts(
        lang=language.tag,
        dir=language.direction,
        brand=Brand(name=text(), logo_url=text(), support_email=text()),
        nonce=text(),
        stylesheet=text(),
        icon=text(),
        scripts=tuple(scripts[: chance.randrange(3)]),
        dialog=Markup(text()),
        sentry_browser=chance.random() < 0.5,
        sent_by_visitor=chance.random() < 0.5,
        retry_url=text(),
        back_url=text(),
        home_url=text(),
        support_url=text(),
    )
    form = FeedbackForm(
        action=text(),
        token=text(),
        name=text(),
        email=text(),
        comments=text(),
        outcome=chance.choice(("", "", "sent", "passed", "saved", "refused")),
        errors=chance.choice(({}, {}, {"comments": text(), "": text()})),
    )
    event_id = chance.choice((None, "", "0" * 32, text()))
    feedback = None if chance.random() < 0.2 else form
    crash = Crash(event_id, refused=chance.random() < 0.3)
    return {
        "event_id": event_id,
        "feedback": feedback,
        "sentry_kit": known,
        "crash": crash,
    }, language


@pytest.mark.parametrize("name", PAGES)
def test_pieces_give_what_the_templates_give(name: str) -> None:
    """For any values, in any language: byte for byte as in a full rendering, each time."""
    chance = random.Random(f"pieces of {name}")
    pages = BundledPages(_bundled())
    for _ in range(150):
        context, language = generated(chance)
        if name == PAGES[2] and context["feedback"] is None:
            continue
        assert pages.render(name, context, language) == full(name, context, language)
        # The same branches with other values: from the pieces that were just cut.
        known, form = context["sentry_kit"], context["feedback"]
        values = {slot: "<" + getattr(known, slot) for slot in pieces.FACTS_IN_SLOTS}
        values = {slot: value if getattr(known, slot) else "" for slot, value in values.items()}
        values["dialog"] = Markup(values["dialog"])
        context["sentry_kit"] = replace(known, **values)
        typed: Any = {slot: f'"{chance.random()}' for slot in pieces.FORM_IN_SLOTS}
        context["feedback"] = form and replace(form, **typed)
        context["event_id"] = context["event_id"] and "1" * 32
        assert pages.render(name, context, language) == full(name, context, language)


def test_a_page_is_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second crash of a kind runs no template."""
    pages = BundledPages(_bundled())
    context, language = generated(random.Random(1))
    context["feedback"] = None
    expected = pages.render(PAGES[0], context, language)

    def fail(*args: object) -> None:
        raise AssertionError("rendered again")

    monkeypatch.setattr(Environment, "get_template", fail)
    assert pages.render(PAGES[0], context, language) == expected


def test_visitors_cannot_fill_the_memory() -> None:
    """The number of kept pages is bounded, even if visitors request many different ones."""
    pages = BundledPages(_bundled())
    context, language = generated(random.Random(2))
    context["feedback"] = None
    for number in range(2 * pieces.VARIANTS_MAX):
        known = replace(context["sentry_kit"], brand=Brand(name=str(number)))
        pages.render(PAGES[1], {**context, "sentry_kit": known}, language)
    assert len(pages._variants) <= pieces.VARIANTS_MAX


def test_the_bundled_templates_know_nothing_else() -> None:
    """What is not in the key of a page and has no slot cannot show in it: the bundled templates use
    the event's id, the form, the facts, the words and ``crash.refused``, and nothing else."""
    environment = _bundled()
    for name in environment.list_templates():
        assert environment.loader is not None
        source, _, _ = environment.loader.get_source(environment, name)
        tree = environment.parse(source)
        own = {one.name for one in tree.find_all(nodes.Name) if one.ctx == "store"}
        used = meta.find_undeclared_variables(tree) - own
        assert used <= {"event_id", "feedback", "sentry_kit", "crash_text", "crash"}, name
        # Of the crash itself, only the fields that are in the key.
        asked = {
            one.attr
            for one in tree.find_all(nodes.Getattr)
            if isinstance(one.node, nodes.Name) and one.node.name == "crash"
        }
        assert asked <= {"refused"}, name


def test_slots_are_fields() -> None:
    """A slot is a field of the facts or of the form, under the same name."""
    assert set(pieces.FACTS_IN_SLOTS) < {field.name for field in fields(facts.Facts)}
    assert set(pieces.FORM_IN_SLOTS) < {field.name for field in fields(FeedbackForm)}


def test_a_page_of_the_apps_own_is_rendered_each_time(stand: Callable[..., Any]) -> None:
    """A page of the app's own is rendered at each crash: pieces are for the bundled ones alone."""
    room = stand({"500.html": "{{ event_id }} {{ now() }}"})
    shown = iter(["one", "two"])
    room.app.jinja_env.globals["now"] = lambda: next(shown)
    assert "one" in room.get(Accept="text/html").text
    assert "two" in room.get(Accept="text/html").text
