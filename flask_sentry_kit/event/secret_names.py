"""Decides whether a name is sensitive by comparing its words with the lists.

A name is split into words (``cardNumber``, ``card-number`` and ``CARD_NUMBER`` give the same
two). A listed word makes the name sensitive, unless the words around it show that the name only
describes the secret: ``token_type``, ``max_tokens``, ``password_changed_at``.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import compress
from typing import Final

from .name_lists import (
    CARD_WORDS,
    CARDS,
    COMMON_WORDS,
    COUNTED_HEADS,
    EXPIRY,
    FOREIGN_PARTS,
    FOREIGN_WORDS,
    HEADS,
    NUMBERS,
    PLAIN_STEMS,
    QUALIFIED,
    QUALIFIED_NOUNS,
    SENSITIVE_NAMES,
    SENSITIVE_PARTS,
    SENSITIVE_WORDS,
    SIGNED,
    SPECIAL_TOKENS,
    TAILS,
    TAXES,
    UNITS,
    USERS,
    VALUE_WORDS,
)

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_a-zA-Z]+")
_SPECIAL: Final = str.maketrans("łŁıøØđĐ", "lLioOdD")
# Parts that are split off a word written together: "maxtokens", "userpassword2".
_STEMS: Final = frozenset("password passwd passphrase secret token credential cookie".split())
_GLUED: Final = re.compile("|".join(sorted(_STEMS)))


def _letters(name: str) -> str:
    """The name without accents, so that ``contraseña`` and ``contrasena`` are the same."""
    if name.isascii():
        return name
    name = unicodedata.normalize("NFKD", name.translate(_SPECIAL))
    return "".join(char for char in name if not unicodedata.combining(char))


def words_of(name: str) -> list[str]:
    """The words of a name in lower case, with digits as separate words.

    A word that is joined with a secret's word is split there.
    """
    words: list[str] = []
    for found in _WORDS.findall(_letters(name).replace("2fa", "twofa").replace("2FA", "twofa")):
        word = found.casefold()
        glued = _GLUED.search(word) if len(word) > 6 else None
        if glued is None or any(stem in word for stem in PLAIN_STEMS):
            words.append(word)
            continue
        before, after = word[: glued.start()], word[glued.end() :]
        if after[:1] == "s" and glued.group() != "pass":
            after = after[1:]
            words += [part for part in (before, glued.group() + "s", after) if part]
        else:
            words += [part for part in (before, glued.group(), after) if part]
    return words


def joined(name: str) -> str:
    """The letters and digits of a name, of any script, in lower case and without accents."""
    return "".join(filter(str.isalnum, _letters(name).casefold()))


_FOREIGN_PARTS: Final = tuple(joined(part) for part in FOREIGN_PARTS)
_FOREIGN_WORDS: Final = frozenset(joined(word) for word in FOREIGN_WORDS)
_START: Final = 4  # letters; no part in ASCII is shorter
_PARTS_STARTS: Final = frozenset(part[:_START] for part in (*SENSITIVE_PARTS, *_FOREIGN_PARTS))


def _may_contain_part(whole: str) -> bool:
    """Whether any of the parts can be in these letters. Rules out most names without a search
    for each of the parts."""
    if not whole.isascii():
        return True  # a part in Chinese may have two letters
    return not _PARTS_STARTS.isdisjoint(
        [whole[at : at + _START] for at in range(len(whole) - _START + 1)]
    )


def hides(name: str) -> bool:
    """Whether a name shows that its value is a secret."""
    whole = joined(name)
    if whole in SENSITIVE_NAMES:
        return True
    words = words_of(name)
    if len(words) > 2 and words[-2] == "m" and words[-1].isdigit():
        del words[-2:]  # SQLAlchemy's name for a column of the next row: api_key_m1
        whole = joined(name.rpartition("_")[0])
        if whole in SENSITIVE_NAMES:
            return True
    if words[:2] == ["answer", "to"]:
        return True  # the answer to a security question
    while words and (words[-1].isdigit() or words[-1] in ("x", "v")):
        words.pop()  # password2, signing_key_v2
    if not words:
        return False
    at = -1  # the last word that names a secret
    for place, word in enumerate(words):
        if _is_secret(words, place, word):
            at = place
    if at < 0:
        if not _may_contain_part(whole):
            return False
        # Across words, as in X-Api-Key, or written together, as in "usercardnumber".
        found = next(compress(SENSITIVE_PARTS, map(whole.__contains__, SENSITIVE_PARTS)), None)
        if found is None or any(stem in whole for stem in PLAIN_STEMS):
            return any(map(whole.__contains__, _FOREIGN_PARTS))
        ahead = whole[whole.rfind(found) + len(found) :].rstrip("0123456789")
        if not ahead:
            return words[0] not in HEADS or len(words) == 1
        return not (ahead in TAILS or (len(words) > 1 and words[-1] in TAILS))
    return not _is_about(words, at, words[at])


def _is_secret(words: list[str], place: int, word: str) -> bool:
    if word in SENSITIVE_WORDS:
        return word not in COMMON_WORDS or _is_meant(words, place, word)
    if word in _FOREIGN_WORDS or word in QUALIFIED_NOUNS or word.rstrip("s") in _STEMS:
        return True
    if word in QUALIFIED:
        before = place - 1
        while before >= 0 and words[before].isdigit():
            before -= 1
        if before >= 0 and words[before] in QUALIFIED[word]:
            return True
        if word in NUMBERS and not TAXES.isdisjoint(words[max(0, place - 3) : place]):
            return True
    return word.endswith(("pwd", "tkn", "paswd")) or word.startswith("pwd")


def _is_meant(words: list[str], place: int, word: str) -> bool:
    after = words[place + 1 :]
    before = words[place - 1] if place else ""
    if before in COMMON_WORDS[word]:
        return False
    return not after or after[-1] in VALUE_WORDS or after[0] in ("phrase", "code", "word", "number")


def _is_about(words: list[str], at: int, word: str) -> bool:
    """Whether the words around the secret's word show that the name only describes it."""
    before, after = words[:at], words[at + 1 :]
    if after[-1:] == ["at"] and len(after) > 1:
        return True
    if word in ("token", "tokens") and after and after[-1] in ("id", "ids"):
        if after[-1] == "ids" or (before and before[-1] in SPECIAL_TOKENS):
            return True
    while after and (after[-1] in UNITS or after[-1].isdigit()):
        unit = after.pop()
        if unit in ("at", "in", "on", "ago", "ms", "per") and not after and word != "auth":
            return True
    if word == "card":
        if before and before[-1] in CARDS:
            return True
        if after and after[-1] in EXPIRY:
            return False
        if after and after[-1] in CARD_WORDS:
            return True
    if word in ("auth", "authentication") and after and after[-1] in USERS:
        return True
    if word == "signature" and before and before[-1] in SIGNED:
        return True
    if word.endswith("tokens") and before and before[-1] in COUNTED_HEADS:
        return True
    if word in ("key", "keys") and after:
        if after[-1] == "id" and before and before[-1] == "access":
            return False  # AWS's access_key_id
        return after[-1] not in VALUE_WORDS and after[-1] not in ("base", "material", "data")
    if after:
        return after[-1] in TAILS or (after[0] in TAILS and after[-1] not in VALUE_WORDS)
    return bool(before) and before[0] in HEADS
