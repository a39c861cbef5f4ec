"""The kit's sentences outside of templates, the translations, and the choice of language.

Catalogues are gettext's (``translations/<language>/LC_MESSAGES/sentry_kit.mo``). The app's own come
before the bundled ones. Babel compiles them; reading them does not need it.
"""

from __future__ import annotations

import gettext
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from flask import Flask, Request
from markupsafe import Markup, escape

from . import headers

TRANSLATIONS: Final = os.path.realpath(os.path.join(os.path.dirname(__file__), "translations"))
DOMAIN: Final = "sentry_kit"

# A language tag from a browser, and the catalogue to use for it.
_ALIASES: Final = {
    "iw": "he",
    "pt": "pt-br",
    "zh": "zh-hans",
    "zh-cn": "zh-hans",
    "zh-sg": "zh-hans",
    "zh-my": "zh-hans",
    "zh-tw": "zh-hant",
    "zh-hk": "zh-hant",
    "zh-mo": "zh-hant",
}
_TAG_MAX: Final = 100
"""Characters. RFC 5646, section 4.4.1, has software take 35; each hyphen is one more look-up."""

_RIGHT_TO_LEFT: Final = {"ar", "arc", "ckb", "dv", "fa", "he", "ps", "sd", "syr", "ug", "ur", "yi"}


def phrase(message: str) -> str:
    """Mark a sentence that no template prints for the catalogues (``pybabel extract -k phrase``).

    ``Page.say`` and the templates' ``crash_text`` look a sentence up.
    """
    return message


DIALOG: Final = {
    "title": phrase("Something broke on our side."),
    "subtitle": phrase("We have a report of this."),
    "subtitle2": phrase("Would you like to tell us more?"),
    "labelName": phrase("Your name"),
    "labelEmail": phrase("Your email address"),
    "labelComments": phrase("What were you doing?"),
    "labelClose": phrase("Close"),
    "labelSubmit": phrase("Send"),
    "noteOptional": phrase(
        "Your name and email address let us write back to you. Both may stay empty."
    ),
    "errorComments": phrase("Please say in a few words what happened."),
    "errorEmail": phrase("This is not an email address. It may stay empty."),
    "errorGeneric": phrase("This could not be sent. Please try again."),
    "errorFormEntry": phrase("Please look at the marked fields."),
    "successMessage": phrase("Sent. Thank you."),
}
"""The hosted dialog's words, by showReportDialog's options; they are the form's own. Sentry's
dialog has no ``noteOptional``, ``errorComments`` and ``errorEmail``, and passes over them."""

ANONYMOUS_NAME: Final = "Anonymous"
ANONYMOUS_EMAIL: Final = "anonymous@example.invalid"
"""What form and dialog send for a visitor who leaves name and address empty: Sentry's form requires
both fields and checks the address's pattern. No address under ``.invalid`` exists (RFC 2606,
section 2), so that an answer reaches nobody by mistake. They are the same in every language, so
that the inbox recognises them."""

SENDING: Final = phrase("Sending …")
NO_CONNECTION: Final = phrase("This could not be sent: there is no connection. Please try again.")
"""What the form and the inbox's dialog say while and after their script sends the words."""

OUTCOMES: Final = {
    "sent": phrase("Sent. Thank you."),
    "passed": phrase("Passed on. Thank you."),
    "saved": phrase("Saved. It will be sent as soon as we can."),
}
"""What the form answers when words were taken."""

REFUSED: Final = phrase("This could not be sent:")
CHECK_FIELDS: Final = phrase("Please look at the marked fields.")

REFUSALS: Final = {
    "forged": phrase("we cannot tell which crash it belongs to."),
    "expired": phrase("this page is more than a day old. Please press Send once more."),
    "large": phrase("it is too long. Please shorten it."),
    "malformed": phrase("it did not arrive whole. Please send it again."),
    "type": phrase("it did not arrive as a form."),
    "trapped": phrase("a field that stays empty was filled in. Please send it again."),
    "again": phrase("there is a report from this page already."),
    "limited": phrase("too many came from here just now. Please try again later."),
    "full": phrase("too much is waiting already. Please try again in a few minutes."),
    "refused": phrase("the server for reports did not take it."),
    "broken": phrase("something broke again. Please try once more."),
}
"""Why words are not taken; each follows ``REFUSED``."""

FIELD_ERRORS: Final = {
    ("comments", "empty"): phrase("Please say in a few words what happened."),
    ("name", "long"): phrase("Please use at most 128 characters."),
    ("email", "long"): phrase("Please use at most 75 characters."),
    ("email", "wrong"): phrase("This is not an email address. It may stay empty."),
}
"""What is wrong with one field, by its name and the kind of error."""


def dialog_phrases(say: Callable[[str], str]) -> dict[str, str]:
    """Options that put the hosted dialog into the visitor's language."""
    return {option: say(message) for option, message in DIALOG.items()}


def _in_english(message: str, **values: object) -> str:
    return message % values if values else message


_ESCAPED_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Language:
    """One language of the page."""

    tag: str = "en"
    """BCP 47, for ``lang`` and Content-Language."""

    direction: str = "ltr"
    """``"ltr"`` or ``"rtl"``."""

    say: Callable[..., str] = _in_english
    """``say("Some words with %(name)s", name=…)``: the words in this language, as plain text."""

    _escaped: dict[str, Markup] = field(default_factory=dict, compare=False, repr=False)

    def escaped(self, message: str, **values: object) -> Markup:
        """The words as HTML. Kept for sentences without values: the bundled page says the same
        thirty at each crash."""
        if values:
            return escape(self.say(message, **values))
        found = self._escaped.get(message)
        if found is None:
            found = escape(self.say(message))
            if len(self._escaped) < _ESCAPED_MAX:
                self._escaped[message] = found
        return found


ENGLISH: Final = Language()


def _key(tag: str) -> str:
    return tag.replace("_", "-").lower()


def direction_of(tag: str) -> str:
    """How a language is written, there being a catalogue of it or not: ``"ltr"`` or ``"rtl"``."""
    key = _key(tag)
    primary = key.partition("-")[0]
    primary = _ALIASES.get(primary, primary)
    return "rtl" if primary in _RIGHT_TO_LEFT or "-arab" in key else "ltr"


class Languages:
    """The languages there are.

    :param folders: folders of catalogues; an earlier one's words win over a later one's.
    """

    def __init__(self, folders: Sequence[str]) -> None:
        self._files: dict[str, list[str]] = {}
        self._tags = {"en": "en"}
        self._known: dict[str, Language] = {"en": ENGLISH}
        for folder in folders:
            for name in _subfolders(folder):
                file = os.path.join(folder, name, "LC_MESSAGES", f"{DOMAIN}.mo")
                if os.path.isfile(file):
                    self._files.setdefault(_key(name), []).append(file)
                    self._tags.setdefault(_key(name), name.replace("_", "-"))
                    self._known.pop(_key(name), None)

    @property
    def tags(self) -> list[str]:
        """Every language's tag (BCP 47), in order."""
        return sorted(self._tags.values())

    def best(self, wanted: Iterable[str]) -> Language:
        """The first wanted language that there is; English if there is none of them.

        :param wanted: language tags or locale names, the best first.
        """
        for tag in wanted:
            key = self._find(_key(tag))
            if key is not None:
                return self._load(key)
        return self._load("en")

    def _find(self, key: str) -> str | None:
        # RFC 4647, section 3.4: the tag, then shorter and shorter.
        if len(key) > _TAG_MAX:
            return None
        while key:
            for candidate in (key, _ALIASES.get(key, key)):
                if candidate in self._tags:
                    return candidate
            if "zh-hant" in (key, _ALIASES.get(key)):
                # Cutting it to "zh" would answer in the other script.
                return None
            key = key.rpartition("-")[0]
        return None

    def _load(self, key: str) -> Language:
        language = self._known.get(key)
        if language is None:
            catalogue = gettext.NullTranslations()
            for number, path in enumerate(self._files[key]):
                with open(path, "rb") as file:
                    read = gettext.GNUTranslations(file)
                if number:
                    catalogue.add_fallback(read)
                else:
                    catalogue = read
            tag = self._tags[key]
            language = self._known[key] = Language(tag, direction_of(tag), _sayer(catalogue))
        return language


def _sayer(catalogue: gettext.NullTranslations) -> Callable[..., str]:
    def say(message: str, **values: object) -> str:
        # gettext keeps the catalogue's own header under the empty message.
        words = catalogue.gettext(message) if message else ""
        if not values:
            return words
        try:
            return words % values
        except (KeyError, TypeError, ValueError):
            # A translation with a placeholder of its own making.
            return message % values

    return say


def _subfolders(folder: str) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    except OSError:
        return []


def folders(app: Flask) -> list[str]:
    """Where an app's own words are looked for, and the bundled ones last.

    The app's are in ``translations/``, or where Flask-Babel's setting says.
    """
    names = str(app.config.get("BABEL_TRANSLATION_DIRECTORIES") or "translations")
    own = [os.path.join(app.root_path, name.strip()) for name in names.split(";") if name.strip()]
    return [*own, TRANSLATIONS]


def of_app(app: Flask) -> list[str]:
    """The locale that Flask-Babel has chosen for this request, if the app uses it.

    Calls the app's own locale selector, which may raise.
    """
    flask_babel = sys.modules.get("flask_babel")
    if flask_babel is None or "babel" not in app.extensions:
        return []
    locale = flask_babel.get_locale()
    return [str(locale)] if locale else []


def of_browser(request: Request) -> list[str]:
    """What Accept-Language asks for, the best first; what it refuses (``q=0``) is left out."""
    asked = headers.languages(request.environ)
    return [tag for tag, quality in asked if quality > 0 and tag != "*"]
