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

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+\d*|\d+")

# Inside a text: name=value, name: value, 'name': 'value' as in queries, reprs and messages.
_PAIR_NAMES = (
    r"passwords?|passwd|passphrase|passcode|pwd|secret|token|api[_-]?key|access[_-]?key"
    r"|private[_-]?key|authorization|credentials?|csrf|xsrf|session[_-]?id|cookie"
    r"|card[_-]?number|cvv2?|cvc|(?<![a-z])(?:pin|code|sig|signature)(?![a-z_-])"
)
_LOOKS = re.compile(
    r"""
    (?P<pair>(?i:[\w.-]{0,40}(?:NAMES)[\w.-]{0,40}(?:["']?\s{0,2}[=:]|["'],)\s{0,2}))
        (?!\s|["']?\*{8})
        (?P<value>(?i:(?:bearer|basic|token)\s+)?(?:"[^"]*"?|'[^']*'?|[^\s,;&)}\]"'<>]+))
    | (?P<scheme>\b(?i:bearer|basic)\s+)[A-Za-z0-9+/._~=-]{8,}
    | (?P<userinfo>\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@"'<>]*:)[^\s/@"'<>]+(?=@)
    | (?P<jwt>\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)
    | (?P<digits>(?<![\w.])\d(?:[ -]?\d){12,18}(?![\w.]))
    """.replace("NAMES", _PAIR_NAMES),
    re.VERBOSE,
)
# Most texts hold none of it; this one pass tells them apart sooner than the full pattern.
_MAYBE = re.compile(
    r"(?i:pass|pwd|secret|token|key|auth|credential|csrf|xsrf|session|cookie|card|cvv|cvc|pin"
    r"|code|sig|bearer|basic|://|eyJ)|\d[\d -]{11}"
)


def _is_card(digits: str) -> bool:
    """Luhn's check (ISO/IEC 7812-1): order numbers and timestamps stay readable."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        number = int(char) * (1 + place % 2)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


def _masked(match: re.Match[str]) -> str:
    if match["pair"] is not None:
        value = match["value"]
        quote = value[0] if value[:1] in ("'", '"') else ""
        return f"{match['pair']}{quote}{MASK}{quote}"
    if match["digits"] is not None:
        digits = re.sub(r"[ -]", "", match["digits"])
        return MASK if _is_card(digits) else match["digits"]
    return f"{match['scheme'] or match['userinfo'] or ''}{MASK}"


_LITERAL = re.compile(
    (
        r"""((?i:(?:NAMES)[\w.-]{0,40})["']?\]?\s{0,2}[=:]\s{0,2}[rbfu]{0,2})"""
        r"""(["'])(?:\\.|(?!\2).)+\2"""
    ).replace("NAMES", _PAIR_NAMES)
)
_USERINFO = re.compile(r"(?<=://)[^\s/@\"'<>{}]+(?=@)")


def source_text(line: str) -> str:
    """A line of source with the literal given to a sensitive name masked, all else as it is.

    ``password = "hunter2"`` is a secret in the wrong place; ``token = request.args["t"]`` is
    what one needs to read.
    """
    if _MAYBE.search(line) is None:
        return line
    return _USERINFO.sub(MASK, _LITERAL.sub(rf"\1\2{MASK}\2", line))


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
        return self._hides(name[:200])

    def text(self, text: str) -> str:
        """The text with what looks like a secret masked."""
        if _MAYBE.search(text) is None:
            return text
        return _LOOKS.sub(_masked, text)

    def query(self, query: str) -> str:
        """A query string or urlencoded body, with the values of sensitive names masked."""
        pairs = []
        for pair in query.split("&"):
            name, sign, value = pair.partition("=")
            pairs.append(f"{name}={MASK}" if sign and value and self.hides(name) else pair)
        return self.text("&".join(pairs))

    def url(self, url: str) -> str:
        """An address with its query scrubbed and its password gone."""
        address, sign, query = url.partition("?")
        return self.text(address) + (sign and "?" + self.query(query))
