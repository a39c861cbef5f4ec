"""The one scrubber: it masks secrets in every part of an event.

A value is masked for its name (of a header, a form field, a local variable, a dict key) or for
its looks (a card number, a bearer token, ``password=…`` inside a text).
The lists in ``name_lists`` are the documented ones; ``sanitize_keys`` adds to them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote_plus

from .card_numbers import is_card
from .mask import MASK
from .name_lists import SENSITIVE_NAMES, SENSITIVE_PARTS, SENSITIVE_WORDS
from .secret_looks import is_random, mask_looks, may_be_webhook
from .secret_names import hides, joined
from .secret_pairs import mask_pairs, unquoted

__all__ = [
    "MASK",
    "NAMERS",
    "SENSITIVE_NAMES",
    "SENSITIVE_PARTS",
    "SENSITIVE_WORDS",
    "VALUERS",
    "Scrubber",
    "cut",
    "is_card",
]

# Characters scrubbed beyond the shown ones, so that a secret is still recognised if the cut is
# inside it.
_MARGIN: Final = 300
# An address made of words: no part of it is long or unusual enough to be a secret.
_PLAIN_ADDRESS: Final = re.compile(
    r"https?://(?:localhost|(?:[a-z-]{1,20}\.){1,4}[a-z]{2,10}|[0-9.]{7,15})(?::[0-9]{1,5})?"
    r"(?:/[a-z_-]{0,11}){0,12}"
)
_LAST_WORD: Final = re.compile(r"\S*\Z")
# Parameters sent together with OAuth's state and nonce (RFC 6749, OpenID Connect Core).
_OAUTH: Final = frozenset(
    """
    client_id code code_challenge code_verifier id_token access_token oauth_token redirect_uri
    response_type response_mode session_state code_challenge_method
    """.split()
)
_OAUTH_SECRETS: Final = frozenset(("state", "nonce"))
NAMERS: Final = frozenset(
    "name key field header param parameter property attribute variable setting k".split()
)
VALUERS: Final = frozenset("value val v content data default".split())
# Path segments that are followed by a token for one request.
_STEPS: Final = frozenset(
    """
    reset verify verification confirm confirmation activate activation invite invites invitation
    magic unsubscribe recover recovery unlock share shared signin login sso reset-password
    password-reset bot webhook webhooks hooks callback auth download
    """.split()
)


@lru_cache(maxsize=32)
def _judge(more: tuple[str, ...]) -> Callable[[str], bool]:
    """A cached function that decides whether a name is sensitive. All scrubbers with the same
    further names share it, so that only the first app of a process fills the cache."""
    plain = tuple(filter(None, map(joined, more)))

    @lru_cache(maxsize=4096)
    def judge(name: str) -> bool:
        if more:
            lowered, letters = name.lower(), joined(name)
            if any(part in lowered for part in more) or any(part in letters for part in plain):
                return True
        return hides(name)

    return judge


class Scrubber:
    """Masks secrets by name and by looks.

    :param more: further names. Like raven's ``sanitize_keys`` they match anywhere in a name. Case
        and punctuation are ignored.
    """

    def __init__(self, more: Iterable[str] = ()) -> None:
        self._more = tuple(sorted({name.lower() for name in more if name}))
        self._hides = _judge(self._more)
        # Most requests contain the same few values.
        self._short_known = lru_cache(maxsize=512)(self.short)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scrubber) and other._more == self._more

    def __hash__(self) -> int:
        return hash(self._more)

    def hides(self, name: str) -> bool:
        """Whether the value of this name is masked."""
        return self._hides(name[-200:])

    def text(self, text: str) -> str:
        """The text with everything masked that looks like a secret."""
        return mask_looks(mask_pairs(text, self.hides))

    def short(self, text: str, length: int) -> str:
        """A scrubbed text of at most ``length`` characters, ending in ``...`` if it was cut.

        It is cut before it is scrubbed, so that a long text costs no more.
        """
        return _short(text, length, self.text)

    def short_common(self, text: str, length: int) -> str:
        """Like ``short``, for a text that many requests share. Short results are cached."""
        return self._short_known(text, length) if len(text) <= 300 else self.short(text, length)

    def short_query(self, query: str, length: int) -> str:
        """Like ``short``, for a query string."""
        return query and _short(query, length, self.query, space="&")

    def short_url(self, url: str, length: int) -> str:
        """Like ``short``, for an address."""
        return _short(url, length, self.url, space="&")

    def named_by(self, names: Iterable[object]) -> frozenset[object]:
        """The names that are secret because of the other names beside them: ``state`` and
        ``nonce`` in an OAuth address, the numbers of a private JSON web key (RFC 7518, 6)."""
        names = frozenset(names)
        found: frozenset[object] = frozenset()
        if names & _OAUTH_SECRETS and names & _OAUTH:
            found |= _OAUTH_SECRETS
        if "kty" in names:
            found |= frozenset(("d", "p", "q", "dp", "dq", "qi", "k"))
        return found

    def query(self, query: str) -> str:
        """A query string or urlencoded body, with the values of sensitive names masked."""
        pairs = query.split("&")
        names = [unquote_plus(pair.partition("=")[0][-300:]) for pair in pairs]
        secret = self.named_by(names)
        named = self._place_of_named_value(pairs, names)
        return "&".join(
            self._query_pair(pair, name, name in secret or place == named)
            for place, (pair, name) in enumerate(zip(pairs, names, strict=True))
        )

    def _place_of_named_value(self, pairs: list[str], names: list[str]) -> int:
        """The index of the pair with the value, if another pair holds its sensitive name; or -1."""
        value = namer = -1
        for place, (pair, name) in enumerate(zip(pairs[:200], names, strict=False)):
            last = joined(name.rpartition("[")[2])
            if last in VALUERS:
                value = place
            elif last in NAMERS and self.hides(unquoted(pair.partition("=")[2][:200])):
                namer = place
        return value if namer >= 0 else -1

    def _query_pair(self, pair: str, name: str, secret: bool) -> str:
        shown, sign, value = pair.partition("=")
        if not value:
            return self.text(pair)
        if secret or self.hides(unquoted(name)):
            return f"{shown}={MASK}"
        if "%" in value or "+" in value:
            # JSON, or an address with a query of its own, encoded once or more.
            plain = unquoted(unquote_plus(value))
            clean = self.text(self._address(plain) if "&" in plain or "?" in plain else plain)
            if clean != plain:
                value = quote(clean, safe="*", errors="replace")
        return self.text(f"{shown}={value}")

    def _address(self, text: str) -> str:
        """Scrub a text that may be an address. The pairs of its query are scrubbed one by one."""
        before, sign, query = text.partition("?")
        if not sign or any(char in query for char in "\"'{<% "):
            return text
        pairs = []
        for pair in query.split("&"):
            name, sign, value = pair.partition("=")
            pairs.append(f"{name}={MASK}" if value and self.hides(name) else pair)
        return f"{before}?{'&'.join(pairs)}"

    def url(self, url: str) -> str:
        """An address with its query scrubbed and its password removed."""
        if _PLAIN_ADDRESS.fullmatch(url) is not None and not may_be_webhook(url):
            return url
        rest, hash_sign, fragment = url.partition("#")
        address, sign, query = rest.partition("?")
        shown = self.path(self.text(address))
        if sign:
            shown += "?" + self.query(query)
        if hash_sign:
            before, sign, query = fragment.rpartition("?")
            shown += "#" + self.text(before) + sign + self.query(query)
        return shown

    def path(self, path: str) -> str:
        """A path or an address with the random segment masked that follows a name such as
        ``token``, ``reset`` or ``invite``."""
        if path.count("/") < 2:
            return path
        segments = path.split("/")
        left = 0
        for place, segment in enumerate(segments):
            if left and is_random(segment, 8) and any(map(str.isdigit, segment)):
                segments[place] = MASK
            named = segment.lower() in _STEPS or (
                0 < len(segment) < 40 and ":" not in segment and self.hides(segment)
            )
            left = 2 if named else left - bool(left)
        return "/".join(segments)


def _short(text: str, length: int, scrub: Callable[[str], str], space: str = " ") -> str:
    if len(text) <= length + _MARGIN:
        return cut(scrub(text), length)
    # The first cut may leave half a secret that is no longer recognised as one.
    part = text[: length + _MARGIN]
    end = max(part.rfind(space, length), part.rfind(" ", length))
    if end < 0:
        found = _LAST_WORD.search(part, length)
        end = found.start() if found else length
    shown = scrub(part[:end])
    digits = len(shown.rstrip("0123456789 -"))
    return cut(shown[:digits] + "...", length)


def cut(text: str, length: int) -> str:
    """The text cut to at most ``length`` characters, ending in ``...`` if it was cut."""
    return text if len(text) <= length else text[: length - 3] + "..."
