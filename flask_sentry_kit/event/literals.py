"""Which literals of a piece of Python source are a secret's value, and where they stand.

Reads tokens, not statements: the text is a window cut from a file and need not be whole. Each token
is looked at once; what is known of the ones before is kept for each pair of brackets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from .error_texts import named_parameters
from .scrub import MASK, Scrubber
from .secret_looks import is_plain

_TOKEN: Final = re.compile(
    r"""
    (?P<comment>\#[^\n]*)
  | (?P<string>[A-Za-z]{0,3}(?:
        \"{3}[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*(?:\"{3})?
      | '{3}[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*(?:'{3})?
      | "[^"\\\n]*(?:\\.[^"\\\n]*)*"?
      | '[^'\\\n]*(?:\\.[^'\\\n]*)*'?
    ))
  | (?P<name>[^\W\d]\w*)
  | (?P<number>\d[\w.]*)
  | (?P<newline>\n)
  | (?P<joined>\\\n)
  | (?P<operator>:=|[=!]=|->|[-+*/|&%]?=|[^\s\w])
    """,
    re.VERBOSE | re.DOTALL,
)
_STRING: Final = re.compile(r"(?P<prefix>[A-Za-z]*)(?P<quote>\"{3}|'{3}|[\"'])", re.DOTALL)
_COLON: Final = re.compile(r"\s{0,200}:")
_NAME_LIKE: Final = re.compile(r"[\w.:-]{1,80}")
USERINFO: Final = re.compile(r"(?<=://)[^\s/@\"'<>{}]+(?=@)")
DEFINITION: Final = re.compile(r"([ \t]*)(?:async[ \t]+)?def[ \t]+(\w+)")

_BLOCKS: Final = frozenset("if elif else while for with try except match case class def".split())
_KEYWORDS: Final = _BLOCKS | frozenset(
    "and or not in is return yield lambda async await assert raise from import as del global"
    " nonlocal None True False".split()
)
# Their first argument says which value is meant; the next one is the value to fall back on.
_LOOKUPS: Final = frozenset(
    "get getenv pop getlist setdefault getattr get_or_create read load fetch encode decode".split()
)
# What these are given is about the form of a value.
_FORMS: Final = frozenset(
    "strip lstrip rstrip split rsplit partition rpartition isinstance url_for"
    " render_template".split()
)
_COMPARING: Final = frozenset("startswith endswith removeprefix removesuffix __eq__".split())
# set_password("sunshine") takes the secret, token_of("alice") takes whose it is.
_TAKES_SECRET: Final = re.compile(
    r"[A-Z]|_*(?:set|check|verify|change|update|with|validate|compare|is|has|hash|encrypt)(?:_|[A-Z])"
)
# {"name": "password", "value": "hunter2"}
_NAMING: Final = frozenset("name key field id header param option".split())
_VALUING: Final = frozenset("value val content default fallback initial const".split())

# Keywords that say where or whose a secret is.
_NEUTRAL: Final = frozenset(
    "url uri href host hostname endpoint domain realm scope user username login email label"
    " description help title doc encoding algorithm method type".split()
)
# "password=%s" and "token={}", whose value comes with % or format().
_TEMPLATE: Final = re.compile(r"([\w.-]{1,80})[\"']?\s{0,5}[=:]\s{0,5}[\"']?(?:%[^\s%]|\{|\Z)")

_SQL: Final = re.compile(r"\s{0,20}(?:insert|update|replace|select|delete|merge|with)\s", re.I)
_WORD: Final = re.compile(r"\w{1,60}")
_COMPARES: Final = re.compile(r"(?i)equal|compare|verify|check|assert|\beq\b|match")
_SPACES: Final = re.compile(r"(\s+)")
_MIXED: Final = re.compile(r"(?=\S*\d)(?=\S*[^\W\d])[^/(]+\Z")
# RFC7617, SHA-256, v2.1.0, 3600s, issue#12: none is a secret.
_REFERENCE: Final = re.compile(r"[A-Z]{2,6}-?\d+\Z|v?[\d.]+[a-z]{0,4}\Z|\w+\#\d+\Z|[a-z]+\d\Z")

_DIGITS_MIN: Final = 4  # of a bare number; PINs have four


class _Level:
    """What is known inside one pair of brackets, or of one statement."""

    __slots__ = (
        "annotated", "base", "block", "bracket_next", "chain", "compared", "compares",
        "first_is_key", "hot", "hot_items", "index", "item_before", "keyword", "kind", "named",
        "names_inside", "names_next", "names_value", "pair", "subscript_key", "words_stay",
    )  # fmt: skip

    def __init__(self, kind: str, base: bool = False, chain: bool = False) -> None:
        self.kind = kind  # "statement", "call", "group", "list", "subscript" or "braces"
        self.base = base  # a secret's name stands before the bracket
        self.hot = base  # literals of this item are a secret's value
        self.compared = False
        self.chain = chain  # what stands before the bracket has a secret's name in it
        self.annotated = False
        self.block = False
        self.index = 0
        self.keyword = ""
        self.named = False  # a string among the arguments is a secret's name
        self.names_next = -1  # the item that is the value of the name before it
        self.names_value = False
        self.pair: int | None = None  # the span masked as second of a pair
        self.first_is_key = False
        self.subscript_key = False
        self.bracket_next = -1  # the item whose literals go by names in the item before it
        self.compares = False  # assertEqual("hunter2", password)
        self.item_before: tuple[int, int] | None = None  # the literal that is an item, whole
        self.hot_items: tuple[int, ...] = ()  # arguments that the first one names: "password=%s"
        self.names_inside = False  # a group of targets holds a secret's name
        self.words_stay = False  # a plain word among the arguments says whose secret is meant


class Literals:
    """One walk over the tokens of a text; ``spans`` are what is masked, in order."""

    def __init__(
        self,
        text: str,
        scrubber: Scrubber,
        functions: Iterable[tuple[int, bool]],
        *,
        shown_from: int = 0,
        depth: int = 0,
    ) -> None:
        self._shown_from = shown_from  # what is before is read, and not sent
        self._text = text
        self._scrubber = scrubber
        self._depth = depth
        self._functions = list(functions)
        self.spans: dict[int, tuple[int, str]] = {}
        self._stack = [_Level("statement")]
        self._before = ""  # the significant token before
        self._before_kind = ""
        self._chain = False  # the name just read, or what it belongs to, is a secret's
        self._chain_after = ""  # the operator before that chain of names
        self._name = ""  # the last name of that chain
        self._last_string: tuple[int, int] | None = None
        self._compared_literal: tuple[int, int] | None = None
        self._string_hot = False
        self._flag = False  # the last name is an option of a command line
        self._template = False  # the last literal ends in a secret's name or waits for its value
        self._open_end = False  # "password=" "hunter2"
        self._matches = False  # cases of a match on a secret
        self._given = False  # that value is what comes next
        self._alternative = False  # after "or", behind a secret's name
        self._targets = False  # after a bracket with a secret's name in it
        self._key_block = False  # within a PEM block that began in an earlier literal

    def run(self) -> None:
        """Go over the whole text."""
        at_line_start = True
        for found in _TOKEN.finditer(self._text):
            kind = found.lastgroup or ""
            if kind == "joined":
                continue
            if kind == "newline":
                if len(self._stack) == 1:
                    self._new_statement()
                at_line_start = True
                continue
            if kind == "comment":
                self._comment(found.start(), found.end())
                continue
            word = found[0]
            if at_line_start:
                at_line_start = False
                self._start_line(word, found.start())
            if kind == "string":
                self._string(found.start(), found.end())
            elif kind == "name":
                self._word(word)
            elif kind == "number":
                self._number(word, found.start(), found.end())
            else:
                self._operator(word)
            self._before, self._before_kind = word, kind

    @property
    def _level(self) -> _Level:
        return self._stack[-1]

    def _start_line(self, word: str, start: int) -> None:
        if word in ("def", "class", "@", "return", "import") and len(self._stack) > 1:
            # A bracket that the window, or a language that is not Python, left open.
            self._new_statement()
        if len(self._stack) == 1:
            column = start - (self._text.rfind("\n", 0, start) + 1)
            while self._functions and self._functions[-1][0] >= column:
                self._functions.pop()
            if word in ("def", "async"):
                found = DEFINITION.match(self._text, start - column)
                if found:
                    self._functions.append((column, self._scrubber.hides(found[2])))

    def _new_statement(self) -> None:
        self._stack = [_Level("statement")]
        self._before = self._before_kind = self._name = ""
        self._chain = self._template = self._given = False
        self._alternative = self._targets = False
        self._last_string = self._compared_literal = None

    # what is masked

    def _mask(self, start: int, end: int, shown: str = MASK) -> None:
        self.spans[start] = (end, shown)

    def _string(self, start: int, end: int) -> None:
        opening = _STRING.match(self._text, start, end)
        if opening is None:
            return
        quote, begin = opening["quote"], opening.end()
        closed = end - len(quote) >= begin and self._text.endswith(quote, begin, end)
        finish = end - len(quote) if closed else end
        content = self._text[begin:finish]
        level, adjacent = self._level, self._before_kind == "string"
        naming = _NAME_LIKE.fullmatch(content) is not None and self._scrubber.hides(content)
        if adjacent:
            hot = self._string_hot or self._open_end
        else:
            hot = self._is_value(level, content, naming, end)
        self._string_hot = hot
        if level.kind == "call":
            level.item_before = (begin, finish)
            if _SQL.match(content) and any(map(self._scrubber.hides, _WORD.findall(content))):
                level.bracket_next = level.index + 1
        self._given = self._alternative = False
        self._template = not hot and any(
            self._scrubber.hides(one[1]) for one in _TEMPLATE.finditer(content[:400])
        )
        self._open_end = self._template and content.rstrip().endswith(("=", ":"))
        self._last_string = (begin, finish)
        self._chain = False
        if hot and content.strip():
            self._mask_lines(begin, finish)
        elif content:
            self._mask_looks(begin, finish)

    def _is_value(self, level: _Level, content: str, naming: bool, end: int) -> bool:
        """Whether a literal is what a secret's name stands for; notes what it names itself."""
        if level.kind == "subscript":
            level.subscript_key = naming
            return False
        if level.kind == "braces" and _COLON.match(self._text, end):
            level.keyword = content.lower()
            level.hot = level.base or naming or (level.names_value and level.keyword in _VALUING)
            return False
        if naming and level.keyword in _NAMING:
            level.names_value = True
        if level.kind == "call" and level.first_is_key and level.index == 0:
            level.names_next = 1 if naming or level.chain or level.base else -1
            level.named = naming
            return False
        sure = (
            level.compared
            or self._given
            or self._alternative
            or level.index in level.hot_items
            or self._returns_secret(level)
        )
        hot = level.hot or sure
        if level.kind == "call" and level.index == 0 and "%" in content:
            places = named_parameters(content, 20, self._scrubber)
            level.hot_items = tuple(place + 1 for place in places)
        if hot and not sure and level.words_stay and level.index == 0 and not level.keyword:
            if is_plain(content):
                return False
        own = level.keyword and level.kind != "statement"  # an argument with a name of its own
        if not hot and level.names_next == level.index and not own:
            if level.kind in ("group", "list") and not self._flag:
                if level.index > 1 and is_plain(content):
                    return False
                level.pair = -1
            hot = True
        if naming and not hot:
            level.named = True
            self._flag = content.startswith("-")
            level.names_next = level.index + 1
        elif level.index >= 2:
            self._unpair(level)
        return hot

    def _unpair(self, level: _Level) -> None:
        # ("name", "password", "email") is a list of names, and no pair of name and value.
        if level.pair is not None and level.pair >= 0:
            end = self.spans.get(level.pair, (level.pair, ""))[0]
            if is_plain(self._text[level.pair : end]):
                self.spans.pop(level.pair, None)
        level.pair = None

    def _returns_secret(self, level: _Level) -> bool:
        return (
            self._stack[0].keyword == "return"
            and bool(self._functions)
            and self._functions[-1][1]
            and level.kind in ("statement", "group")
        )

    def _mask_lines(self, begin: int, finish: int) -> None:
        """Mask a literal, line by line, so that the lines stay as many as they are."""
        level = self._level
        if level.pair == -1:
            level.pair = begin
        at = begin
        for line in self._text[begin:finish].split("\n"):
            end = at + len(line)
            text = line.rstrip("\\")
            indent = len(text) - len(text.lstrip()) if at > begin else 0
            if text.strip():
                self._mask(at + indent, at + len(text))
            at = end + 1

    def _mask_looks(self, begin: int, finish: int) -> None:
        at = begin
        for line in self._text[begin:finish].split("\n"):
            if "-----BEGIN" in line and "PRIVATE KEY" in line:
                self._key_block = True
            if self._key_block:
                if line.strip() and not line.lstrip().startswith("-----"):
                    self._mask(at, at + len(line))
                elif "-----END" in line or "\\n" in line or len(line) > 100:
                    self._mask(at, at + len(line))
                if "-----END" in line:
                    self._key_block = False
            elif at + len(line) >= self._shown_from:
                shown = USERINFO.sub(MASK, self._scrubber.text(line))
                if shown != line and "\n" not in shown:
                    self._mask(at, at + len(line), shown)
            at += len(line) + 1

    def _comment(self, start: int, end: int) -> None:
        if end < self._shown_from:
            return
        body = shown = self._text[start:end]
        if self._depth == 0 and ("'" in body or '"' in body):
            # Code that was commented out.
            inner = Literals(body[1:], self._scrubber, (), depth=1)
            inner.run()
            shown = "#" + "".join(pieces(body[1:], inner.spans))
        shown = USERINFO.sub(MASK, self._scrubber.text(self._prose(shown)))
        if shown != body:
            self._mask(start, end, shown.replace("\n", " "))

    def _prose(self, comment: str) -> str:
        """A comment without the value in ``# the password is hunter2``: what has letters and
        digits, after a sensitive word."""
        if not any(map(str.isdigit, comment)):
            return comment
        words = _SPACES.split(comment)
        named = False
        for at, word in enumerate(words):
            text = word.strip("`'\",.:;()")
            if named and len(text) >= 6 and _MIXED.match(text) and not _REFERENCE.match(text):
                words[at] = word.replace(text, MASK)
            named = named or (len(text) < 60 and self._scrubber.hides(text))
        return "".join(words)

    def _number(self, word: str, start: int, end: int) -> None:
        self._chain = False
        level = self._level
        hot = level.hot or level.compared or (level.names_next == level.index and not level.keyword)
        digits = sum(char.isdigit() for char in word)
        if (hot and level.kind != "subscript" and digits >= _DIGITS_MIN) or digits >= 12:
            if hot or self._scrubber.text(word) != word:
                self._mask(start, end)

    # what gives it away

    def _word(self, word: str) -> None:
        level = self._level
        if word in _KEYWORDS:
            if word in ("in", "is"):
                level.compared = level.compared or self._chain
            elif word in ("and", "or", "if", "else", "elif", "while", "assert"):
                level.compared = False
                self._compared_literal = None
                self._alternative = word == "or" and self._chain
            if word in _BLOCKS and self._before == "":
                level.block = True
                level.keyword = word if word == "match" else level.keyword
                level.compared = word == "case" and self._matches
            if word in ("return", "yield") and len(self._stack) == 1:
                level.keyword = "return"
            if word != "not":
                self._chain = False
            if word in ("def", "class"):
                level.block = True
            return
        sensitive = self._scrubber.hides(word)
        level.names_inside = level.names_inside or sensitive
        if sensitive and level.compares and level.item_before and level.index == 1:
            self._mask_lines(*level.item_before)
            level.item_before = None
        self._alternative = False
        if self._before == ".":
            self._chain = self._chain or sensitive
        else:
            self._chain, self._chain_after = sensitive, self._before
        self._name = word
        self._mask_compared()
        if level.kind in ("group", "list") and level.index >= 2:
            self._unpair(level)

    def _mask_compared(self) -> None:
        # "hunter2" == password
        if self._chain and self._compared_literal:
            self._mask_lines(*self._compared_literal)
            self._compared_literal = None

    def _operator(self, sign: str) -> None:
        level = self._level
        if sign in ("(", "[", "{"):
            self._open(sign)
            return
        if sign in (")", "]", "}"):
            self._close()
            return
        if sign in ("==", "!="):
            level.compared = level.compared or self._chain
            self._chain = False
            self._compared_literal = self._last_string if self._before_kind == "string" else None
            return
        if sign == ".":
            return
        if sign in ("%", "+") and self._before_kind == "string" and self._template:
            self._given, self._template = True, False
            return
        if sign == ",":
            if self._chain and level.kind != "braces":
                if level.kind == "statement":
                    level.named = True
                elif level.kind == "call" or level.index == 0:
                    level.names_next = level.index + 1
                    self._flag = False
            if level.kind != "statement":
                level.hot, level.keyword = level.base, ""
            level.annotated = False
            level.compared = False
            level.index += 1
        elif sign == ":":
            self._colon(level)
        elif sign == ";" and len(self._stack) == 1:
            self._new_statement()
        elif sign.endswith("=") or sign == ":=":
            self._assign(level)
        self._chain = self._targets = self._given = self._alternative = False
        self._last_string = self._compared_literal = None

    def _colon(self, level: _Level) -> None:
        level.compared = False
        if level.kind == "braces":
            if self._before_kind != "string":
                level.hot = level.base or self._chain
        elif level.kind == "statement" and level.block:
            if level.keyword == "match":
                self._matches = self._chain
            level.hot = False
            level.keyword = ""
            level.block = False
        else:
            level.annotated = self._chain

    def _assign(self, level: _Level) -> None:
        sensitive = self._chain or level.annotated
        if level.kind == "statement":
            level.hot = level.hot or sensitive or level.named or self._targets
        elif level.kind == "call":
            level.keyword = self._name.lower()
            level.hot = (
                (level.base and level.keyword not in _NEUTRAL)
                or sensitive
                or (level.keyword in _VALUING and (level.named or level.names_value))
            )
        else:
            level.hot = level.hot or sensitive
        level.annotated = False

    def _open(self, sign: str) -> None:
        level = self._level
        after_value = self._before in (")", "]") or (
            self._before_kind == "name" and self._before not in _KEYWORDS
        )
        hot = (
            level.hot
            or level.compared
            or self._returns_secret(level)
            or self._given
            or self._alternative
            or level.bracket_next == level.index
            or (level.names_next == level.index and level.kind == "call" and not level.keyword)
        )
        hot = hot and level.kind != "subscript"
        if sign == "(" and after_value:
            opened = _Level("call", hot, self._chain)
            opened.compares = _COMPARES.search(self._name) is not None
            defines = self._stack[0].block and len(self._stack) == 1 and self._defining()
            if defines or self._name in _FORMS:
                opened.base = False
            elif self._name in _LOOKUPS:
                opened.first_is_key = True
            elif self._name in _COMPARING:
                opened.base = self._chain
            elif self._name == "format" and self._template:
                opened.base = True
            else:
                sensitive = bool(self._name) and self._scrubber.hides(self._name)
                opened.base = hot or sensitive
                takes = _TAKES_SECRET.match(self._name) if sensitive else None
                opened.words_stay = not takes and self._before_kind == "name"
            opened.hot = opened.base
        elif sign == "(":
            opened = _Level("group", hot)
        elif sign == "[" and (after_value or self._before_kind == "string"):
            opened = _Level("subscript", False, self._chain)
        else:
            opened = _Level("list" if sign == "[" else "braces", hot)
        self._stack.append(opened)
        self._chain = self._given = self._alternative = self._targets = False
        self._name = ""

    def _defining(self) -> bool:
        return self._chain_after in ("def", "class")

    def _close(self) -> None:
        if len(self._stack) == 1:
            self._chain = False
            return
        closed = self._stack.pop()
        if closed.kind == "subscript":
            self._chain = closed.chain or closed.subscript_key
        else:
            self._chain = closed.kind == "call" and (
                closed.chain or (closed.first_is_key and closed.named)
            )
            if closed.kind in ("group", "list"):
                self._targets = closed.names_inside
                # (password := given) == "hunter2"
                self._chain = closed.kind == "group" and closed.names_inside
                if closed.named and self._level.kind == "call":
                    # zip(["user", "password"], ["bob", "hunter2"])
                    self._level.bracket_next = self._level.index + 1
        self._mask_compared()
        self._last_string = None


def pieces(text: str, spans: dict[int, tuple[int, str]]) -> Iterable[str]:
    """The text with its spans replaced, in pieces."""
    done = 0
    for start in sorted(spans):
        end, shown = spans[start]
        if start < done:
            continue
        yield text[done:start]
        yield shown
        done = end
    yield text[done:]
