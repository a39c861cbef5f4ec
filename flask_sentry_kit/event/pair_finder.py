"""Finds names in a text, and the value that follows each sensitive name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

from .mask import MASK
from .name_lists import SENSITIVE_NAMES
from .secret_looks import is_random
from .value_ends import SLASHES, WORD, string_end, value_end

# A name is followed by "=", ":", "=>" or "->", and may be bare, quoted or escaped. It can also be
# followed by a comma if name and value are quoted, as in pairs of a list, and no dict's next name
# follows; or by the string of a call, or be between "<" and ">". Each run of name characters is
# tried once, from its start.
_PAIR: Final = re.compile(
    r"""
    (?<![\w.%-])(?P<name>[\w.%-]+)(?=[\\"'`\]\s=:(：＝])(?!\ (?!is\ |was\ |for\ )[\w(]|,)
    (?: (?P<sep>(?P<quote>\\*["'`]?)\]?
          (?P<sign>\s{0,20}(?:={1,3}>?|:=?|->|：|＝)\s{0,20}|(?<=["']),
            (?!\s{0,20}\\{0,4}["'][\w.-]{1,80}\\{0,4}["']\s?:)\s{0,20}))
      | (?P<call>\((?=[bruBRU]{0,2}["']|\w{1,30}=))
      | (?P<space>\s{1,3})(?=["']\S)
      | (?P<gap>\t[ \t]{0,8} | \\t | [ ]{2,12} | [ ](?:is|was|for[ ][^\s:]{1,40}(?::|[ ]is))[ ])
        (?=["'`]?\w)
    )
    | <(?=(?P<tag>[\w.:-]{1,80}))(?P=tag)[^<>]{0,200}>\s{0,20}(?P<cdata><!\[CDATA\[)?(?=[^<\s])
    | (?<![\w-])-{1,2}(?P<flag>[A-Za-z][\w-]+)\s{1,20}(?=[^-\s])
    """,
    re.VERBOSE,
)
_LINE: Final = re.compile(r"[^\r\n]*")
_LINE_START: Final = re.compile(
    r"(?:\A|[\r\n]|\\[nr])[ \t]{0,40}(?:- |export |#|;|\$)?[ \t]{0,8}\Z"
)
# The rest of a line, up to the start of the next name and value.
_REST: Final = re.compile(r"(?:(?!,?[ \t]{1,4}[\w.-]{1,40}[=:]|[,;&][\w.-]{1,40}=|\\[nr])[^\r\n])*")
_WORD_REST: Final = re.compile(r"(?:(?![,;&]\s?[\w.-]{1,40}[=:])[^\s\"'<>(){}\[\]\\])*")
_BLOCK: Final = re.compile(r"[|>][+-]?[0-9]?[ \t]{0,8}(?:\r?\n|\\r\\n|\\n)")
_INDENTED: Final = re.compile(r"([ \t]*)((?:(?!\\n)[^\r\n])*)(?:\r?\n|\\n|\Z)")
_PHRASE: Final = re.compile(r"[\w ,]*")
_OAUTH: Final = re.compile(
    r"[?&#](?:client_id|code|redirect_uri|response_type|id_token|code_challenge|access_token)="
)
_EMPTY: Final = frozenset(
    """None none null NULL nil True False true false TRUE FALSE undefined '' "" [] {} () b'' b""
    'None' "null" 'null' 'True' "true" 'False' "false" """.split()
) | {"", MASK, f"'{MASK}'", f'"{MASK}"'}
_LITERAL_START: Final = re.compile(r"[rbfuRBFU]{0,2}[\"']")
# A complete number. "code=0~hunter2" is not one.
_STATUS: Final = re.compile(r"""(?:-?[0-9]{1,3}|-[0-9]{1,12}):?(?=[\s,;&()\[\]{}"'<>|!?\\]|\Z)""")
_MEASURE: Final = re.compile(
    r"[0-9.]{1,12} ?(?:ms|s|sec|seconds|min|minutes|h|%|kB|MB|bytes|of|/)\b"
)
_HEADERS: Final = ("cookie", "authorization", "authentication")
# The words before one of these belong to the name too: "API key: …", "Mot de passe : …".
_NOUNS: Final = frozenset(
    """
    key keys code codes number no answer phrase words link url by passe clave secreta seed string
    id response verifier account routing pin word no. nr card
    """.split()
)
_BEFORE: Final = re.compile(r"(?:\w{1,30}[ \xa0]){1,3}\Z")
_ADJECTIVES: Final = frozenset(
    """
    unexpected unknown missing expected next illegal unrecognized unrecognised stray reserved no
    undefined required extra first last empty without syntax duplicate
    """.split()
)
_PROSE: Final = re.compile(
    r"""(?i)(?:is|was|are|has|have|had|must|should|may|might|can|cannot|can't|could|will|would|not|no|none
    |this|that|these|the|a|an|your|you|please|too|at|in|on|of|or|and|for|from|to|with|if|as|by|it|its
    |required|missing|invalid|incorrect|wrong|expired|empty|unknown|unexpected|expected|got|unset
    |field|ensure|enter|click|does|did|do|failed|denied|value|changed|reset|update[ds]?|unable
    |mismatch|error|string|str|bytes|int|integer|optional|object|any|type|passwords?|tokens?)
    (?=[\s.,;:!?|\])]|\Z)""",
    re.VERBOSE,
)
_NAMERS: Final = frozenset(
    """
    name key field header param parameter property attribute variable setting label id k n fieldname
    keyname headername option column env var placeholder loc
    """.split()
)
_VALUERS: Final = frozenset(
    "value val v content data text default values string input raw val_ fieldvalue".split()
)
_NAMED: Final = re.compile(r"""\\*["']?([\w .\[\]-]{1,80}?)\\*["']?(?=[\s,;&<>/)}\]"'\\]|\Z)""")
_TAG_TEXT: Final = re.compile(r"""[^<>]{0,200}>\s{0,20}(?=[^<\s])""")
_PART: Final = re.compile(
    r"""(?:;[^\r\n\\]{0,200})?(?:\r?\n|\\r\\n)(?:Content-[^\r\n\\]{0,200}(?:\r?\n|\\r\\n)){0,3}(?:\r?\n|\\r\\n)"""
)
_BOUNDARY: Final = re.compile(r"(?:\r?\n|\\r\\n)--")
_MARKS: Final = ("?", "&", "#")
_WITHIN: Final = 300
"""Most characters between a name and its value if each has its own key."""

Hides = Callable[[str], bool]
"""Decides whether a name is sensitive."""


class PairFinder:
    """Reads a text once and records the ranges to mask."""

    def __init__(self, text: str, hides: Hides) -> None:
        self._text = text
        self._hides = hides
        self._found: list[tuple[int, int, str]] = []
        # For pairs with the keys name and value: the end of a sensitive name, the start of a value.
        self._named = -1
        self._valued = -1
        self._begin = 0
        self._oauth: bool | None = None

    def spans(self) -> list[tuple[int, int, str]]:
        """Start, end and replacement of each value."""
        at = 0
        text = self._text
        while match := _PAIR.search(text, at):
            at = self._pair(match)
        return self._found

    def _pair(self, match: re.Match[str]) -> int:
        start = match.end()
        self._begin = match.start()
        name = match["name"] or match["tag"] or match["flag"]
        if "%" in name:
            name = unquote(name[-300:])
        if self._text[match.start() - 1 : match.start()] == "\\" and name[0] in "nrt":
            name = name[1:]  # after a line's end in a repr
            self._begin += 1
        name = name.strip("-")
        sign = (match["sign"] or "").strip()
        bare = not match["quote"]
        hidden = self._hides(name)
        longer = "" if hidden and name.lower() not in SENSITIVE_NAMES else self._longer(match, name)
        if longer:
            if self._hides(longer) or longer.lower().endswith("identified by"):
                hidden = True
            else:
                longer = ""
        if not hidden:
            if match["flag"] or match["call"] or match["space"] or match["gap"]:
                return start
            after = self._announced(match, name.lower(), start)
            # The names of a tag's attributes come next.
            return match.end("tag") if match["tag"] and after == start else after
        if match["tag"] is not None:
            end = self._text.find("]]>" if match["cdata"] else "<", start)
            return self._mask(start, end if end >= 0 else len(self._text))
        if match["call"]:
            if (
                self._text[start] not in "bruBRU\"'"
                or _LITERAL_START.match(self._text, start) is None
            ):
                self._named = start  # Secret(value='…')
                return start
            end = value_end(self._text, start - 1)
            closed = self._text[end - 1 : end] == ")"
            return self._mask(start, end - 1 if closed else end)
        if match["space"]:
            return self._spaced(start, name, longer)
        if match["gap"]:
            start += self._text[start] in "\"'`"
            word = WORD.match(self._text, start, start + 400)
            if word is None or not is_random(word.group(), 6):
                return start
            return self._mask(start, value_end(self._text, start))
        if match["flag"]:
            if _PROSE.match(self._text, start):
                return start
            return self._mask(start, value_end(self._text, start))
        if sign == ",":
            return self._listed(match, start)
        if bare and sign in (":", "：") and self._is_prose(match, name, longer, start):
            return start
        if name[-1:] == "s" and self._is_count(start):
            return start
        if name.lower() == "code" and not longer and _STATUS.match(self._text, start):
            return start
        return self._mask(start, self._end(match, name, sign, bare, start))

    def _longer(self, match: re.Match[str], name: str) -> str:
        """The name together with the words before it, if it is a noun that needs them."""
        start = match.start()
        if start == 0 or self._text[start - 1] not in " \xa0":
            return ""
        if match["tag"] or match["flag"]:
            return ""
        if name.lower() not in _NOUNS and name.isascii() and not match["quote"]:
            if name.lower() not in SENSITIVE_NAMES:
                return ""
        before = _BEFORE.search(self._text[max(0, start - 40) : start])
        return f"{before.group()}{name}" if before else ""

    def _announced(self, match: re.Match[str], name: str, start: int) -> int:
        """Pairs with separate keys for name and value: ``{"key": "password", "value": …}``."""
        last = re.split(r"[.:_-]", name)[-1] if len(name) < 40 else ""
        if last in _NAMERS or name in _NAMERS:
            if last != "id":
                self._named = -1
            said = _NAMED.match(self._text, start)
            if said is None or not self._hides(said[1].strip()):
                self._valued = -1
                return start
            end = said.end()
            if 0 <= self._valued and start - self._valued < _WITHIN:
                done = self._mask(self._valued, value_end(self._text, self._valued))
                self._valued = -1
                return max(done, end)
            part = _PART.match(self._text, end)
            if part is not None:
                return self._mask_part(part.end())
            self._named = end
            if match["sep"] and (inner := _TAG_TEXT.match(self._text, end)) is not None:
                if "=" not in inner.group():
                    after = self._text.find("<", inner.end())
                    return self._mask(inner.end(), after if after >= 0 else len(self._text))
            return end
        if name in ("state", "nonce") and self._text[match.start() - 1 : match.start()] in _MARKS:
            if self._oauth is None:
                self._oauth = _OAUTH.search(self._text) is not None
            if self._oauth:
                return self._mask(start, value_end(self._text, start))
        if name in ("netloc", "authority"):
            end = start + value_end(self._text[start : start + _WITHIN], 0)
            at = self._text.rfind("@", start, end)
            return self._mask(start + (self._text[start] in "'\""), at) if at > start else start
        if last in _VALUERS or name in _VALUERS:
            if 0 <= self._named and start - self._named < _WITHIN:
                self._named = -1
                if match["tag"]:
                    end = self._text.find("<", start)
                    return self._mask(start, end if end >= 0 else len(self._text))
                return self._mask(start, value_end(self._text, start))
            self._valued = start
        return start

    def _mask_part(self, start: int) -> int:
        boundary = _BOUNDARY.search(self._text, start)
        return self._mask(start, boundary.start() if boundary else len(self._text))

    def _spaced(self, start: int, name: str, longer: str) -> int:
        """``PASSWORD 'x'`` as in SQL. ``Unexpected token 'x'`` is not such a pair."""
        end = string_end(self._text, start)
        inside = self._text[start + 1 : end - 1]
        strong = longer.lower().endswith(" by") or "pass" in name.lower() or "pwd" in name.lower()
        if strong:
            if _PROSE.match(inside) or " " in inside or self._is_name(end):
                return start
        elif not is_random(inside, 12):
            return start
        return self._mask(start, end)

    def _listed(self, match: re.Match[str], start: int) -> int:
        """``("password", "x")``. In a longer list of names the next item is not a value."""
        paired = self._opens(match) or match["name"][:1] == "-"
        if not paired and _LITERAL_START.match(self._text, start) is None:
            return start
        end = value_end(self._text, start)
        value = self._text[start:end].strip("bruBRU").strip("\"'")
        if _LITERAL_START.match(self._text, start) and self._is_name(end):
            return start
        if not paired and not (len(value) < 400 and is_random(value, 6)):
            return start
        return self._mask(start, end)

    def _opens(self, match: re.Match[str]) -> bool:
        before = self._text[max(0, match.start() - 12) : match.start()]
        return before.rstrip("bruBRU\"'\\").endswith(("(", "["))

    def _is_name(self, end: int) -> bool:
        after = self._text[end : end + 8].lstrip()
        return after[:1] in (":", "=")

    def _is_prose(self, match: re.Match[str], name: str, longer: str, start: int) -> bool:
        text = self._text
        value = WORD.match(text, start, start + 400)
        word = value.group() if value else ""
        if name.lower() in SENSITIVE_NAMES and not longer:
            # "exit code: 3" in a sentence; "signature: 9f8e…" in a list of settings.
            return not (is_random(word, 12) and self._begins_line())
        if text[start : start + 1] in ("'", '"', "\\", "[", "{", "("):
            return False
        if (
            match["sign"][-1:] in " \t\n"
            and not name.lower().endswith(_HEADERS)
            and _PROSE.match(text, start)
        ):
            return True
        if _MEASURE.match(text, start):
            return True  # "auth: 12 ms"
        before = text[max(0, match.start() - 20) : match.start()].split()
        if before and before[-1].lower() in _ADJECTIVES and text[match.start() - 1] == " ":
            return not is_random(word, 8)
        return False

    def _is_count(self, start: int) -> bool:
        """Whether the value is a count, as in ``tokens=1500``."""
        word = WORD.match(self._text, start, start + 20)
        return word is not None and word.group().isdigit() and len(word.group()) < 8

    def _begins_line(self) -> bool:
        begin = max(0, self._begin - 40)
        found = _LINE_START.search(self._text[begin : self._begin])
        return found is not None and (begin == 0 or found.group()[:1] in "\r\n\\")

    def _end(self, match: re.Match[str], name: str, sign: str, bare: bool, start: int) -> int:
        text = self._text
        first = text[start : start + 1]
        if first in "\"'\\[({<":
            return value_end(text, start)
        if sign == ":" and name.lower().endswith(_HEADERS):
            # A header in wire format: its value may contain spaces and semicolons.
            line = _LINE.match(text, start)
            return line.end() if line else start
        if any(word in name.lower() for word in ("phrase", "mnemonic", "words")):
            words = _PHRASE.match(text, start)
            return max(value_end(text, start), words.end() if words else start)
        if bare and self._begins_line():
            block = _BLOCK.match(text, start)
            if block is not None:
                return self._block_end(block.end())
            spaced = match["sign"][:1] in " \t" or sign == ":" or name.isupper() or "\n" in text
            line = _REST.match(text, start) if spaced else _WORD_REST.match(text, start)
            end = value_end(text, start)
            return max(end, line.end()) if line else end
        return value_end(text, start)

    def _block_end(self, at: int) -> int:
        """The end of a YAML text block: the first line that is not indented further."""
        text = self._text
        before = text[max(0, self._begin - 40) : self._begin]
        indent = len(before) - len(before.rstrip(" \t-"))
        end = at
        while end < len(text):
            line = _INDENTED.match(text, end)
            if line is None or (line[2] and len(line[1]) <= indent) or line.end() == end:
                break
            end = line.end()
        for mark in ("\n", "\\n"):
            if end < len(text) and text.endswith(mark, at, end):
                return end - len(mark)
        return end

    def _mask(self, start: int, end: int) -> int:
        value = self._text[start:end]
        if end <= start or (len(value) < 20 and value in _EMPTY):
            return max(start, end)
        mark = ""
        slashes = SLASHES.match(value)
        run = slashes.end() if slashes else 0
        if value[run : run + 1] in ("'", '"') and (closed := string_end(value, 0)) == len(value):
            opening = value[: run + 1]
            if closed > run + 1 and value.endswith(opening):
                mark = opening
            else:
                mark = opening
        self._found.append((start, end, f"{mark}{MASK}{mark}"))
        return end
