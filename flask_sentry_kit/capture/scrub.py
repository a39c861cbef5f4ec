"""The one scrubber: what must stay home is masked here, whatever part of an event it is in.

A value is masked for the name it goes by (a header, a form field, a local variable, a key of a
dict) or for what it looks like (a card number, a bearer token, ``password=…`` inside a text).
The lists below are the documented ones; ``sanitize_keys`` adds to them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote, unquote_plus

MASK: Final = "********"  # what raven shows, so that searches and habits stay

SENSITIVE_PARTS: Final = (
    # Anywhere in a name, once its punctuation is gone: X-Api-Key and apiKey are "apikey".
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "authorization",
    "credential",
    "cookie",
    "csrf",
    "xsrf",
    "sessionid",
    "creditcard",
    "cardnumber",
    "cardno",
    "securitycode",
    "sentrydsn",
)

SENSITIVE_WORDS: Final = frozenset(
    # A whole word of a name: "card" is in card_holder, not in discard or cardinal.
    {
        "auth",
        "bearer",
        "card",
        "cvc",
        "cvv",
        "cvv2",
        "iban",
        "jwt",
        "mfa",
        "otp",
        "pan",
        "pass",
        "pin",
        "pwd",
        "pw",
        "sid",
        "ssn",
        "totp",
    }
)

SENSITIVE_NAMES: Final = frozenset(
    # The whole name: OAuth's ?code=, a session; error_code and session_length may be seen.
    {"code", "session", "sig", "signature"}
)

_HEADERS: Final = ("cookie", "authorization")

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+\d*|\d+")

# Inside a text a name is what stands before "=", ":" or "=>", bare, quoted or escaped: in queries,
# reprs, headers, JSON and JSON within JSON; before a comma where both are quoted, as in pairs of a
# list; or between "<" and ">". Each run of a name's characters is tried once, from its start.
_PAIR: Final = re.compile(
    r"""
    (?<![\w.%-])(?P<name>[\w.%-]+)
    (?P<sep>(?P<quote>\\*["']?)\]?(?P<sign>\s{0,20}(?:={1,3}>?|:)\s{0,20}|(?<=["']),\s{0,20}))
    | <(?=(?P<tag>[\w.:-]{1,80}))(?P=tag)[^<>]{0,200}>(?=[^<\s])
    | (?<![\w-])--(?P<flag>[\w-]+)\s{1,20}(?=[^-\s])
    """,
    re.VERBOSE,
)
# Inside an escaped string a quote with more backslashes before it belongs to what it holds.
_STRING: Final = re.compile(
    r"""
    (?P<plain>["'])(?:(?!(?P=plain))(?:\\.|.))*(?P=plain)?
    | (?P<escaped>\\+["'])(?:(?!(?<!\\)(?P=escaped)).)*(?P=escaped)?
    """,
    re.VERBOSE | re.DOTALL,
)
_PLAIN: Final = re.compile(
    r"""(?:(?i:bearer|basic|digest|token|apikey)\s+)?[^\s,;&<>\[\](){}"'\\]+"""
)
_INSIDE: Final = re.compile(r"""[^\[\](){}"'\\]+""")
_LINE: Final = re.compile(r"[^\r\n]*")
_EMPTY: Final = frozenset({"", "''", '""', "None", "null"})

# What gives itself away without a name.
_LOOKS: Final = re.compile(
    r"""
    (?P<scheme>\b(?i:bearer|basic)\s+)[A-Za-z0-9+/._~=-]{8,}
    | (?P<userinfo>\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@"'<>]*:)[^\s/"'<>]+(?=@)
    | (?P<jwt>\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)
    | (?P<digits>(?<![\w.])\d(?:[ -]?\d){12,18}(?!\w|\.\d))
    """,
    re.VERBOSE,
)
# Most texts hold none of it; these tell them apart sooner than the full patterns.
_MAYBE_PAIR: Final = re.compile(r"[=:<]|[\"'],|--")
_MAYBE_LOOKS: Final = re.compile(r"[Bb][Ee][Aa][Rr]|[Bb][Aa][Ss][Ii]|://|eyJ|\d[\d -]{11}")


def _is_card(digits: str) -> bool:
    """Luhn's check (ISO/IEC 7812-1): order numbers and timestamps stay readable."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        number = int(char) * (1 + place % 2)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


def _masked(match: re.Match[str]) -> str:
    if match["digits"] is not None:
        digits = re.sub(r"[ -]", "", match["digits"])
        return MASK if _is_card(digits) else match["digits"]
    return f"{match['scheme'] or match['userinfo'] or ''}{MASK}"


def _value_end(text: str, at: int) -> int:
    """Where a value that begins at ``at`` is over: a string, a bracket with all that is in it, or
    a word, which may be what stands before one of these (``b'…'``, ``Secret('…')``)."""
    if text.startswith("<", at):
        return (text.find(">", at) + 1) or len(text)
    depth = 0
    while at < len(text):
        char = text[at]
        if char in "\"'\\":
            string = _STRING.match(text, at)
            if string is None:
                at = len(text) - len(text[at:].lstrip("\\"))
                continue
            at = string.end()
            if depth == 0:
                return at
        elif char in "[({":
            depth += 1
            at += 1
        elif char in "])}":
            if depth == 0:
                return at
            depth -= 1
            at += 1
            if depth == 0:
                return at
        else:
            word = (_INSIDE if depth else _PLAIN).match(text, at)
            if word is None:
                return at
            at = word.end()
    return at


_LITERAL_START: Final = re.compile(r"[rbfuRBFU]{0,2}[\"']")


class Scrubber:
    """Decides what is masked.

    :param more: further names, each matched anywhere in a name as raven's ``sanitize_keys``
        are, whatever its case.
    """

    def __init__(self, more: Iterable[str] = ()) -> None:
        parts = SENSITIVE_PARTS
        extra = tuple(name.lower() for name in more if name)

        @lru_cache(maxsize=2048)
        def hides(name: str) -> bool:
            lowered = name.lower()
            if lowered in SENSITIVE_NAMES:
                return True
            joined = re.sub(r"[^a-z0-9]", "", lowered)
            if any(part in joined for part in parts) or any(part in lowered for part in extra):
                return True
            if joined in SENSITIVE_WORDS:
                return True
            return any(word.lower() in SENSITIVE_WORDS for word in _WORDS.findall(name))

        self._hides = hides

    def hides(self, name: str) -> bool:
        """Whether what goes by this name is masked."""
        return self._hides(name[-200:])

    def text(self, text: str) -> str:
        """The text with what looks like a secret masked."""
        if _MAYBE_PAIR.search(text) is not None:
            text = self._without_pairs(text)
        if _MAYBE_LOOKS.search(text) is not None:
            text = _LOOKS.sub(_masked, text)
        return text

    def _without_pairs(self, text: str, *, literals: bool = False) -> str:
        """The text with the values of sensitive names masked.

        :param literals: only where the value is a string literal.
        """
        found: list[str] = []
        done = at = 0
        while match := _PAIR.search(text, at):
            at = start = match.end()
            name = match["name"] or match["tag"] or match["flag"]
            name = (unquote(name) if "%" in name else name).strip("-")
            if not self.hides(name):
                continue
            sign = (match["sign"] or "").strip()
            if sign == ":" and not match["quote"] and name.lower() in SENSITIVE_NAMES:
                continue  # "exit code: 3" in a sentence
            if literals:
                if match["name"] is None or not _LITERAL_START.match(text, start):
                    continue
                at = _value_end(text, start)
            elif match["tag"] is not None:
                at = text.find("<", start) if "<" in text[start:] else len(text)
            elif (
                sign == ":"
                and name.lower().endswith(_HEADERS)
                and text[start : start + 1] not in "\"'\\"
            ):
                # A header as it is sent: its value has spaces and semicolons in it.
                line = _LINE.match(text, start)
                at = line.end() if line else start
            else:
                at = _value_end(text, start)
            value = text[start:at]
            if value in _EMPTY:
                continue
            string = _STRING.fullmatch(value)
            mark = (string["plain"] or string["escaped"]) if string else ""
            found += (text[done:start], mark, MASK, mark)
            done = at
        return "".join(found) + text[done:] if found else text

    def query(self, query: str) -> str:
        """A query string or urlencoded body, with the values of sensitive names masked."""
        return "&".join(map(self._query_pair, query.split("&")))

    def _query_pair(self, pair: str) -> str:
        name, sign, value = pair.partition("=")
        if not value:
            return self.text(pair)
        if self.hides(unquote_plus(name)):
            return f"{name}={MASK}"
        if "%" in value:
            # JSON, or an address with a query of its own.
            plain = unquote_plus(value)
            shown = self.text(plain)
            if shown != plain:
                value = quote(shown, safe="*")
        return self.text(f"{name}={value}")

    def url(self, url: str) -> str:
        """An address with its query scrubbed and its password gone."""
        address, sign, query = url.partition("?")
        return self.text(address) + (sign and "?" + self.query(query))
