"""Sentences that no template prints, where Babel's extraction finds them.

``phrase`` only marks; :meth:`Page.say` and the templates' ``crash_text`` look a sentence up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final


def phrase(message: str) -> str:
    """Mark a sentence for the catalogues (``pybabel extract -k phrase``)."""
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
    "errorGeneric": phrase("This could not be sent. Please try again."),
    "errorFormEntry": phrase("Please look at the marked fields."),
    "successMessage": phrase("Sent. Thank you."),
}
"""The hosted dialog's words, by showReportDialog's options."""

FORM: Final = (
    # What follows "This could not be sent:".
    phrase("we cannot tell which crash it belongs to."),
    phrase("the crash was more than 30 minutes ago."),
    phrase("it is too long. Please shorten it."),
    phrase("it did not arrive whole. Please send it again."),
    phrase("it did not arrive as a form."),
    phrase("a field that stays empty was filled in. Please send it again."),
    phrase("there is a report from this page already."),
    phrase("too many came from here just now. Please try again later."),
    phrase("too much is waiting already. Please try again in a few minutes."),
    phrase("the server for reports did not take it."),
    phrase("something broke again. Please try once more."),
    # What stands at one field.
    phrase("Please say in a few words what happened."),
    phrase("Please use at most 128 characters."),
    phrase("Please use at most 75 characters."),
    phrase("This is not an email address. It may stay empty."),
)
"""What the form's route says (feedback/routes.py); a test holds the two together."""


def dialog_words(say: Callable[[str], str]) -> dict[str, str]:
    """Options that put the hosted dialog into the visitor's language."""
    return {option: say(message) for option, message in DIALOG.items()}
