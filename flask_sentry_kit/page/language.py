"""The page's words in one language: which one, how it runs, and how a sentence is looked up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _as_it_is(message: str, **values: object) -> str:
    return message % values if values else message


@dataclass(frozen=True, slots=True)
class Language:
    """One language of the page."""

    tag: str = "en"
    """BCP 47, for ``lang`` and Content-Language."""

    direction: str = "ltr"
    """``"ltr"`` or ``"rtl"``."""

    say: Callable[..., str] = _as_it_is
    """``say("Some words with %(name)s", name=…)``: the words in this language, as plain text."""


ENGLISH = Language()
