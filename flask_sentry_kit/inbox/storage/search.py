"""The search's language: a line of text becomes terms. Knows nothing of SQL; see ``search_sql.py``.

    is:unread user:ada -type:KeyError after:2d "gift card" 4f2a91c0

All terms must hold; a ``-`` in front says "not". Values with spaces are quoted, and in quotes
``\\"`` is a quotation mark and ``\\\\`` a backslash.
"""

from __future__ import annotations

import re
import time
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timezone
from difflib import get_close_matches
from typing import Final

MAX_LENGTH: Final = 500
"""Characters of a search."""

MAX_TERMS: Final = 20
"""So many of the commonest words, some of them in visitors' words, keep SQLite busy for 1.5 s where
50,000 events are kept; one such word for 0.03 s."""

# The field's name, and an example of it for messages.
FIELDS: Final = {
    "is": "is:unread",
    "has": "has:words",
    "type": "type:KeyError",
    "value": 'value:"no sum"',
    "where": "where:shop.cart",
    "user": "user:ada",
    "release": "release:1.2*",
    "environment": "environment:production",
    "url": "url:/checkout",
    "method": "method:POST",
    "server": "server:web-1",
    "app": "app:shop",
    "level": "level:warning",
    "before": "before:2026-11-01",
    "after": "after:2h",
}

VALUES: Final = {
    "is": ("unread", "resolved", "kept"),
    "has": ("words", "user", "attachment"),
}
"""The values of the fields that accept only some."""

WITH_WILDCARD: Final = frozenset({"release", "environment", "level", "method"})
"""Fields of which the whole value is compared, with ``*`` at either end for anything."""

REFERENCE: Final = "reference"
"""The field of a term that is the beginning of an event's id, or all of it."""

_ACCEPTED: Final = ", ".join(f"{name}:" for name in (*FIELDS, "tag.NAME"))
_NAME = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*):")
_TAG = re.compile(r"tag\.([A-Za-z0-9_.-]{1,64})", re.IGNORECASE)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
# Only where it is needed, so that the normal form is never longer than what was typed.
_TO_ESCAPE = re.compile(r'"|\\(?=["\\]|\Z)')
_ESCAPED: Final = r"\\\g<0>"
_ESCAPE = re.compile(r'\\(["\\])')
_BARE = re.compile(r"\S*")
_GAP = re.compile(r"\s*")
_REFERENCE = re.compile(r"[0-9a-f]+(?:-[0-9a-f]+)*", re.IGNORECASE)
_PORT = re.compile(r"[0-9]+(?:[/:]|\Z)")
_AGE = re.compile(r"([0-9]{1,5})([mhdw])")
_SECONDS: Final = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DATE = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(Z|[+-][0-9]{2}:[0-9]{2})?)?",
    re.IGNORECASE,
)


class SearchError(ValueError):
    """The text is no search. The message is a sentence for the person who typed it."""


@dataclass(frozen=True, slots=True)
class Term:
    """One condition."""

    field: str
    """A name of `FIELDS`, ``tag.NAME``, `REFERENCE`, or empty for free text."""
    value: str
    negated: bool = False
    quoted: bool = False
    """Whether the value was in quotes, where ``*`` stands for itself."""

    def __str__(self) -> str:
        value = self.value
        if self.quoted:
            value = f'"{_TO_ESCAPE.sub(_ESCAPED, value)}"'
        name = f"{self.field}:" if self.field not in ("", REFERENCE) else ""
        return f"{'-' if self.negated else ''}{name}{value}"


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for: all of its terms hold. `str` gives the text in its normal form."""

    terms: tuple[Term, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether everything is found."""
        return not self.terms

    def __str__(self) -> str:
        return " ".join(map(str, self.terms))


def parse(text: str) -> Search:
    """Read a search.

    :param text: up to 500 characters with up to 20 terms.
    :raises SearchError: says which word is wrong and what is accepted.
    """
    if len(text) > MAX_LENGTH:
        raise SearchError(
            f"The search has {len(text):,} characters; at most {MAX_LENGTH} are accepted."
        )
    # SQLite takes neither half surrogates nor, in a full-text query, NUL.
    text = text.encode("utf-8", "replace").decode().replace("\0", " ")
    terms: list[Term] = []
    at = _end(_GAP, text, 0)
    while at < len(text):
        if len(terms) == MAX_TERMS:
            raise SearchError(f"The search has more than {MAX_TERMS} terms.")
        term, at = _term(text, at)
        terms.append(term)
        at = _end(_GAP, text, at)
    return Search(tuple(terms))


def moment_of(value: str, now: float) -> float:
    """The moment that the value of ``before:`` or ``after:`` means, in seconds since 1970.

    A date is the beginning of its day, and a time without an offset is in this machine's zone, as
    the pages show times; an age such as ``2h``
    (``m``, ``h``, ``d``, ``w``) is counted back from `now`.

    :raises ValueError: it is neither.
    """
    if match := _AGE.fullmatch(value):
        return now - int(match[1]) * _SECONDS[match[2]]
    match = _DATE.fullmatch(value)
    if match is None:
        raise ValueError(value)
    day, clock, offset = match.groups()
    offset = "+00:00" if offset in ("Z", "z") else offset or ""
    moment = datetime.fromisoformat(f"{day}T{clock or '00:00'}{offset}")
    if not offset:
        moment = _in_zone(moment)
    # Not timestamp(), which a year 1 with an offset overflows on some platforms.
    return (moment - datetime(1970, 1, 1, tzinfo=timezone.utc)).total_seconds()


def _in_zone(moment: datetime) -> datetime:
    try:
        return moment.astimezone()
    except (ValueError, OverflowError, OSError):
        # In the first or the last year that there is, or one that this system's zones lack.
        return moment.replace(tzinfo=timezone.utc)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def _term(text: str, start: int) -> tuple[Term, int]:
    """The term that begins there, and where it ends."""
    word_end = _end(_BARE, text, start)
    negated = text[start] == "-" and word_end > start + 1
    at = start + negated
    name = ""
    if named := _NAME.match(text, at):
        rest = text[named.end() : word_end]
        name = _field(named[1], rest, text[start:word_end])
    if name:
        assert named
        at = named.end()
    quoted = text.startswith('"', at)
    if quoted:
        match = _QUOTED.match(text, at)
        if match is None:
            raise SearchError(
                f"The quotation mark before {_shown(text[at + 1 :])} is not closed. Inside quotes,"
                ' a quotation mark is written \\".'
            )
        value, end = _ESCAPE.sub(r"\1", match[1]), match.end()
        if end < len(text) and not text[end].isspace():
            raise SearchError(f"Behind the quotes of {_shown(value)} a space is needed.")
    else:
        value, end = text[at:word_end], word_end
    return _checked(name, value, negated, quoted), end


def _field(name: str, rest: str, word: str) -> str:
    """The field of this name; empty if the word is text that has a colon.

    :raises SearchError: it looks like a field, and there is none of this name.
    """
    lower = name.lower()
    is_address = rest.startswith("//") and lower != "url"
    if not is_address:
        if lower in FIELDS:
            return lower
        if tag := _TAG.fullmatch(name):
            return f"tag.{tag[1]}"
    nearest = _nearest(lower.partition(".")[0], (*FIELDS, "tag"))
    if (
        is_address
        or rest.startswith(":")  # Active::Record
        or len(name) == 1  # C:\shop
        or (not rest and not nearest)  # "KeyError: 'sum'", as a log has it
        or (_PORT.match(rest) and ("." in name or lower == "localhost") and nearest != "tag")
    ):
        return ""
    hint = f" Did you mean {nearest}{'.NAME' if nearest == 'tag' else ''}: ?" if nearest else ""
    raise SearchError(
        f"There is no field {_shown(name)} to search.{hint} The fields are {_ACCEPTED}."
        f" To find the text itself, put it in quotes: {_shown(word)}."
    )


def _checked(name: str, value: str, negated: bool, quoted: bool) -> Term:
    if not value and name and not quoted:
        example = FIELDS.get(name, f"{name}:value")
        raise SearchError(f"{name}: needs a value right behind the colon, such as {example}.")
    if name in VALUES:
        value = value.lower()
        if value not in VALUES[name]:
            nearest = _nearest(value, VALUES[name])
            hint = f" Did you mean {name}:{nearest}?" if nearest else ""
            accepted = ", ".join(f"{name}:{one}" for one in VALUES[name])
            raise SearchError(f"{name}: cannot be {_shown(value)}.{hint} It may be {accepted}.")
    elif name in ("before", "after"):
        try:
            moment_of(value, time.time())
        except ValueError:
            raise SearchError(
                f"{name}: cannot be {_shown(value)}. It may be a date such as 2026-11-01, a time"
                " such as 2026-11-01T13:00, or with an offset such as"
                " 2026-11-01T13:00+02:00, or an age such as 30m, 2h, 3d or 2w."
            ) from None
    elif not name:
        if not quoted and _REFERENCE.fullmatch(value) and 8 <= len(value.replace("-", "")) <= 32:
            return Term(REFERENCE, value.lower(), negated)
        if not any(unicodedata.category(letter)[0] in "LN" for letter in value):
            raise SearchError(
                f"{_shown(value)} has neither a letter nor a digit, which free text needs. To find"
                ' it in the text of an exception, write value:"…" with it in the quotes.'
            )
    return Term(name, value, negated, quoted)


def _nearest(name: str, known: tuple[str, ...]) -> str:
    longer = [one for one in known if len(name) >= 3 and one.startswith(name)]
    return next(iter(longer or get_close_matches(name, known, n=1, cutoff=0.75)), "")


def _shown(text: str) -> str:
    """A text from outside for a message: one short line, quoted as in a search."""
    line = " ".join(text.split())
    return str(Term("", f"{line[:40]}…" if len(line) > 41 else line, quoted=True))
