"""Masks the values of sensitive names inside a text, in many notations: queries, reprs, headers,
JSON within JSON, YAML, XML, command lines.

Each character is read a bounded number of times, so that no text takes long.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote

from .mask import MASK
from .pair_finder import Hides, PairFinder
from .value_ends import string_end, value_end

_MAYBE_PAIR: Final = re.compile(
    r"[=:<：＝(\t]|[\"'],|--|->|-[A-Za-z]|\s[\"']|  | is | was | for |\\t"
)

_USER_FLAG: Final = re.compile(
    r"""(?<![\w-])(?:-[uU]|--(?:proxy-)?user)(?:["']?,\s{0,4}|=|\s{1,4}|(?=[\w.]{1,40}:))["']?
    (?P<user>[^\s:"',]{0,100}):[^\s"']+""",
    re.VERBOSE,
)
_SHORT_FLAG: Final = re.compile(
    r"""(?<![\w-])-[pPaW](?:["'],\s{0,4}|\s{0,4})["']?(?=[^\s"'-])[^\s"']+"""
)
_CLIENTS: Final = re.compile(r"mysql|mariadb|sshpass|redis-cli|docker login|mongo|ldapsearch|plink")
_INSERT: Final = re.compile(
    r"(?i)\binsert[ ]{1,4}(?:into[ ]{1,4})?[\w.`\"\[\]]{1,100}\s{0,4}\(([^()]{1,2000})\)\s{0,4}"
    r"values\s{0,4}\("
)
_INPUT: Final = re.compile(
    r"(?:\A|\n|\\n)([\w.]{1,100})(?:\n|\\n) {1,4}[^\n]{0,300}?\binput_value=(?!\{)"
)
_SQL_VALUE: Final = re.compile(r"[^,()'\"\s]*")
_SQL_NEXT: Final = re.compile(r"\s{0,8}(?:,|\)\s{0,8},\s{0,8}\()")

_ESCAPES: Final = re.compile(r"\\u([0-9a-fA-F]{4})")
_ENTITIES: Final = re.compile(r"&(?:quot|#34|#39|#x27|#x22|apos);")
_ENCODED_RUN: Final = re.compile(r"""[^\s"'<>&=?#]+""")
_ENCODED_SIGN: Final = re.compile(r"%(?:25){0,3}(?:3[dDaA]|22)")


def mask_pairs(text: str, hides: Hides) -> str:
    """The text with the values of sensitive names masked.

    :param hides: decides whether a name is sensitive.
    """
    if _MAYBE_PAIR.search(text) is None and "%" not in text:
        return text
    text = _decoded(text)
    if "%" in text and _ENCODED_SIGN.search(text) is not None:
        text = _ENCODED_RUN.sub(lambda run: _mask_encoded(run.group(), hides), text)
    spans = PairFinder(text, hides).spans()
    if "input_value=" in text:
        spans += _inputs(text, hides)
    if "nsert" in text.lower():
        spans += _inserted(text, hides)
    if spans:
        found: list[str] = []
        done = 0
        for start, end, shown in sorted(spans):
            if start < done:
                continue
            found += (text[done:start], shown)
            done = end
        text = "".join(found) + text[done:]
    if "-" in text:
        text = _mask_flags(text)
    return text


def _decoded(text: str) -> str:
    """The text with JSON's escaped letters and HTML's escaped quotes decoded."""
    if "\\u" in text:
        text = _ESCAPES.sub(_letter, text)
    if "&" in text:
        text = _ENTITIES.sub(
            lambda match: '"' if "4" in match[0] or "q" in match[0] or "22" in match[0] else "'",
            text,
        )
    return text


def _letter(match: re.Match[str]) -> str:
    char = chr(int(match[1], 16))
    return char if char.isalpha() and not char.isascii() else match[0]


def unquoted(text: str) -> str:
    """The text with percent escapes decoded, up to four levels of them."""
    for _ in range(4):
        if "%" not in text:
            break
        plain = unquote(text)
        if plain == text:
            break
        text = plain
    return text


def _mask_encoded(run: str, hides: Hides) -> str:
    if "%" not in run or _ENCODED_SIGN.search(run) is None:
        return run
    plain = unquoted(run)
    shown = mask_pairs(plain, hides) if "%" not in plain else plain
    return run if shown == plain else quote(shown, safe="*/", errors="replace")


def _mask_flags(text: str) -> str:
    if "-u" in text or "-U" in text or "--user" in text or "--proxy-user" in text:
        text = _USER_FLAG.sub(
            lambda match: match[0][: match.end("user") - match.start() + 1] + MASK, text
        )
    if _CLIENTS.search(text) is not None:
        text = _SHORT_FLAG.sub(
            lambda match: match[0] if match[0].endswith(MASK) else f"{match[0][:2]} {MASK}", text
        )
    return text


def _inputs(text: str, hides: Hides) -> list[tuple[int, int, str]]:
    """Values in pydantic's messages: a field's name on one line, its input on the next one."""
    return [
        (match.end(), value_end(text, match.end()), MASK)
        for match in _INPUT.finditer(text)
        if hides(match[1])
    ]


def _inserted(text: str, hides: Hides) -> list[tuple[int, int, str]]:
    """Values in SQL listed after the columns: ``INSERT INTO t (a, password) VALUES (1, 'x')``."""
    found = []
    for match in _INSERT.finditer(text):
        columns = [column.strip().strip("`\"[]'") for column in match[1].split(",")]
        hidden = [hides(column) for column in columns]
        if True not in hidden:
            continue
        at = match.end()
        for place in range(len(columns) * 50):
            while at < len(text) and text[at] in " \t\r\n":
                at += 1
            end = string_end(text, at)
            if end == at:
                end = _SQL_VALUE.match(text, at).end()  # type: ignore[union-attr]  # matches ""
            if hidden[place % len(columns)] and text[at:end] not in ("", "NULL", "?", "%s"):
                found.append((at, end, MASK))
            after = _SQL_NEXT.match(text, end)
            if after is None:
                break
            at = after.end()
    return found
