"""The bundled pages as constant pieces, with slots for the values that differ between crashes.

A page is rendered once with marks in its slots, then cut at the marks. A later page that takes the
same branches is joined from these pieces, with its values escaped as Jinja escapes them; the result
is byte for byte that of a full rendering. Every value without a slot is part of the key, so a page
is never joined from the pieces of a different one.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Any, Final

from jinja2 import Environment
from markupsafe import Markup, escape

from ..crash import FeedbackForm
from ..phrases import Language
from .facts import Facts, Script

VARIANTS_MAX: Final = 64
"""Pages kept for one app, about 6 kB each. An app has about eight in each of its languages."""

FACTS_IN_SLOTS: Final = (
    "nonce",
    "stylesheet",
    "icon",
    "dialog",
    "retry_url",
    "back_url",
    "home_url",
    "support_url",
)
"""Templates may only print these and test whether they are empty."""

FORM_IN_SLOTS: Final = ("action", "token", "name", "email", "comments")
"""Templates may only print these."""

# Holds digits, so that no mark is an English word. Nothing in a mark needs escaping.
_MARK: Final = f"m{secrets.token_hex(8)}x"
_MARKS: Final = re.compile(rf"{_MARK}(\d+)x")


_PLAIN: Final = re.compile("[^&<>\"']*")


def _escaped(value: object) -> str:
    # Most values have nothing to escape, and this test is faster than escaping them.
    if type(value) is str and _PLAIN.fullmatch(value) is not None:
        return value
    return str(escape(value))


def _others(kind: type[Any], slots: tuple[str, ...]) -> attrgetter[Any]:
    return attrgetter(*(one.name for one in fields(kind) if one.name not in slots))


_facts_in_slots = attrgetter(*FACTS_IN_SLOTS)
_form_in_slots = attrgetter(*FORM_IN_SLOTS)
_other_facts = _others(Facts, (*FACTS_IN_SLOTS, "scripts"))
_other_of_form = _others(FeedbackForm, (*FORM_IN_SLOTS, "errors"))


@dataclass(frozen=True, slots=True)
class _Variant:
    texts: list[str]
    """The pieces of the page; every second entry is the place of a slot."""
    slots: list[int]
    """The index of the value for each slot."""


class BundledPages:
    """The bundled pages of one app.

    :param environment: loads the bundled templates; independent of any app, and constant.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._variants: dict[object, _Variant] = {}

    def render(self, name: str, context: Mapping[str, Any], language: Language) -> str:
        """Render a bundled page.

        :param context: the templates' variables; the bundled ones use only ``event_id``,
            ``feedback``, ``sentry_kit`` and ``crash.refused``.
        :raises: Jinja's errors.
        """
        known: Facts = context["sentry_kit"]
        form: FeedbackForm | None = context["feedback"]
        if form is not None and form.errors:
            return self._full(name, context, language)
        values = (context["event_id"], *_facts_in_slots(known))
        key = (
            name,
            context["crash"].refused,
            _other_facts(known),
            *map(bool, values),
            *[script.integrity for script in known.scripts],
            None if form is None else _other_of_form(form),
        )
        values += tuple([script.url for script in known.scripts])
        if form is not None:
            values += _form_in_slots(form)
        variant = self._variants.get(key)
        if variant is None:
            variant = self._cut(name, context, language)
            if len(self._variants) >= VARIANTS_MAX:
                self._variants.clear()
            self._variants[key] = variant
        texts = variant.texts.copy()
        texts[1::2] = [_escaped(values[slot]) for slot in variant.slots]
        return "".join(texts)

    def _full(self, name: str, context: Mapping[str, Any], language: Language) -> str:
        words = {**context, "crash_text": language.escaped}
        return self._environment.get_template(name).render(words)

    def _cut(self, name: str, context: Mapping[str, Any], language: Language) -> _Variant:
        """Render a page with marks in its slots, and cut it at the marks."""
        known: Facts = context["sentry_kit"]
        form: FeedbackForm | None = context["feedback"]
        marks = iter([f"{_MARK}{number}x" for number in range(50)])
        event_id = next(marks)
        # In the same order as the values in render().
        facts: dict[str, Any] = {
            name: mark if getattr(known, name) else ""
            for name, mark in zip(FACTS_IN_SLOTS, marks, strict=False)
        }
        facts["dialog"] = Markup(facts["dialog"])
        facts["scripts"] = tuple(Script(next(marks), script.integrity) for script in known.scripts)
        typed: dict[str, Any] = dict(zip(FORM_IN_SLOTS, marks, strict=False))
        marked = {
            "event_id": event_id if context["event_id"] else context["event_id"],
            "sentry_kit": replace(known, **facts),
            "feedback": form and replace(form, **typed),
        }
        texts = _MARKS.split(self._full(name, {**context, **marked}, language))
        return _Variant(texts, [int(slot) for slot in texts[1::2]])
