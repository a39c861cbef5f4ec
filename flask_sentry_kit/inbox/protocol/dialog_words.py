"""What the crash dialog says: the page's texts, and for the others the kit's own, in the visitor's
language. Knows nothing of the dialog's markup.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from flask import Request

from ... import phrases
from ...phrases import Language, Languages
from ..content.reading import clean

_LANGUAGE_MAX: Final = 35  # RFC 5646, section 4.4.1
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8})*")

_MAY_BE_EMPTY: Final = frozenset({"subtitle", "subtitle2", "noteOptional"})
"""A page leaves out such a line by an empty text. Without the others a field, a button or the
dialog has no name, or an error is not said."""

_OWN: Final = {
    "sending": (phrases.SENDING,),
    "errorConnection": (phrases.NO_CONNECTION,),
    "errorLarge": (phrases.REFUSED, phrases.REFUSALS["large"]),
    "errorRefused": (phrases.REFUSED, phrases.REFUSALS["refused"]),
    "errorNameLong": (phrases.FIELD_ERRORS["name", "long"],),
    "errorEmailLong": (phrases.FIELD_ERRORS["email", "long"],),
}
"""Sentences of the form's for which Sentry's dialog has no option."""

_GENERIC: Final = ("errorConnection", "errorLarge", "errorRefused")
"""What the page's own ``errorGeneric`` says instead."""


@dataclass(frozen=True, slots=True)
class DialogWords:
    """The texts of one dialog, none of which is trusted, and the languages they are in."""

    texts: dict[str, str]
    """By the names of showReportDialog's options, name and email included, and of ``_OWN``."""
    languages: dict[str, Any]
    """``dialog``: the dialog's ``lang`` and ``dir``; ``page`` and ``kit``: those of the page's
    texts and of the kit's, None where they are the dialog's; ``from_page``: which are the
    page's."""


@cache
def _languages() -> Languages:
    return Languages([phrases.TRANSLATIONS])


def dialog_words(asked: Request) -> DialogWords:
    """The texts for the script that a page asks for.

    A page's text wins over the kit's. The kit's are in the language of the page's ``lang``; if
    there are none in it, or without a ``lang``, in that of the browser.
    """
    tag = _tag(asked.args.get("lang", ""))
    language = _languages().best([*([tag] if tag else []), *phrases.of_browser(asked)])
    texts = {name: " ".join(map(language.say, said)) for name, said in _OWN.items()}
    from_page = []
    for name, message in phrases.DIALOG.items():
        own = language.say(message)
        given = clean(asked.args.get(name, own))
        if given.strip() or name in _MAY_BE_EMPTY:
            texts[name] = given
        else:
            texts[name] = own
        # The kit's own page gives all texts, because Sentry's dialog has them in English alone.
        if texts[name] != own:
            from_page.append(name)
    if "errorGeneric" in from_page:
        texts |= dict.fromkeys(_GENERIC, texts["errorGeneric"])
        from_page += _GENERIC
    texts |= {name: clean(asked.args.get(name, "")) for name in ("name", "email")}
    return DialogWords(texts, {**_spoken(tag, language), "from_page": from_page})


def _tag(given: str) -> str:
    """The page's ``lang`` as a language tag; empty if it is none."""
    if len(given) > _LANGUAGE_MAX or not _LANGUAGE.fullmatch(given):
        return ""
    return given.replace("_", "-")


def _spoken(tag: str, language: Language) -> dict[str, Any]:
    kit = {"lang": language.tag, "dir": language.direction}
    if not tag:
        # The page says nothing of its texts' language, which is its own as a rule: see the script.
        return {"dialog": kit, "page": {"lang": None, "dir": "auto"}, "kit": None}
    if tag.lower().partition("-")[0] == language.tag.lower().partition("-")[0]:
        return {"dialog": kit, "page": None, "kit": None}
    page = {"lang": tag, "dir": phrases.direction_of(tag)}
    return {"dialog": page, "page": None, "kit": kit}
