"""Finds the literals in a piece of Python source that are the value of a secret.

It reads tokens, not statements, because the text is a window cut from a file and may be incomplete.
Each token is read once. The state from earlier tokens is kept for each pair of brackets.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from .error_texts import named_parameters
from .scrub import MASK, Scrubber
from .secret_looks import is_plain
from .source_comments import mask_prose, pieces
from .source_masks import USERINFO, MaskedSpans
from .source_patterns import awaits_value, compares, names_columns, takes_secret
from .source_tokens import COLON, DEFINITION, NAME_LIKE, STRING, TOKEN
from .source_words import (
    BLOCKS,
    COMPARING,
    FORMS,
    KEYWORDS,
    LOOKUPS,
    NAMING,
    NEUTRAL,
    VALUING,
    Level,
)

_DIGITS_MIN: Final = 4  # digits of a bare number; PINs have four


class Literals:
    """One pass over the tokens of a text. ``spans`` are the masked ranges, in order."""

    def __init__(
        self,
        text: str,
        scrubber: Scrubber,
        functions: Iterable[tuple[int, bool]],
        *,
        shown_from: int = 0,
        depth: int = 0,
    ) -> None:
        self._shown_from = shown_from  # text before this is read but not sent
        self._text = text
        self._scrubber = scrubber
        self._depth = depth
        self._functions = list(functions)
        self._masks = MaskedSpans(text, scrubber, shown_from)
        self.spans = self._masks.spans
        self._stack = [Level("statement")]
        self._before = ""  # the previous significant token
        self._before_kind = ""
        self._chain = False  # the name just read, or its owner, is a secret's
        self._chain_after = ""  # the operator before the chain of names
        self._name = ""  # the last name of the chain
        self._last_string: tuple[int, int] | None = None
        self._compared_literal: tuple[int, int] | None = None
        self._string_hot = False
        self._flag = False  # the last name is an option of a command line
        self._template = False  # the last literal has a secret's name, its value follows
        self._open_end = False  # "password=" "hunter2"
        self._matches = False  # inside a match statement on a secret
        self._given = False  # the value for that template comes next
        self._alternative = False  # after "or", behind a secret's name
        self._targets = False  # after a bracket with a secret's name in it

    def run(self) -> None:
        """Read the whole text."""
        at_line_start = True
        for found in TOKEN.finditer(self._text):
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
    def _level(self) -> Level:
        return self._stack[-1]

    def _start_line(self, word: str, start: int) -> None:
        if word in ("def", "class", "@", "return", "import") and len(self._stack) > 1:
            # The window cut off the closing bracket, or the text is not Python.
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
        self._stack = [Level("statement")]
        self._before = self._before_kind = self._name = ""
        self._chain = self._template = self._given = False
        self._alternative = self._targets = False
        self._last_string = self._compared_literal = None

    # tokens that can be masked

    def _string(self, start: int, end: int) -> None:
        opening = STRING.match(self._text, start, end)
        if opening is None:
            return
        quote, begin = opening["quote"], opening.end()
        closed = end - len(quote) >= begin and self._text.endswith(quote, begin, end)
        finish = end - len(quote) if closed else end
        content = self._text[begin:finish]
        level, adjacent = self._level, self._before_kind == "string"
        naming = NAME_LIKE.fullmatch(content) is not None and self._scrubber.hides(content)
        if adjacent:
            hot = self._string_hot or self._open_end
        else:
            hot = self._is_value(level, content, naming, end)
        self._string_hot = hot
        if level.kind == "call":
            level.item_before = (begin, finish)
            if names_columns(content, self._scrubber.hides):
                level.bracket_next = level.index + 1
        self._given = self._alternative = False
        self._template = not hot and awaits_value(content, self._scrubber.hides)
        self._open_end = self._template and content.rstrip().endswith(("=", ":"))
        self._last_string = (begin, finish)
        self._chain = False
        if hot and content.strip():
            self._mask_lines(begin, finish)
        elif content:
            self._masks.add_looks(begin, finish)

    def _is_value(self, level: Level, content: str, naming: bool, end: int) -> bool:
        """Whether a literal is a secret's value. Also records the names inside the literal."""
        if level.kind == "subscript":
            level.subscript_key = naming
            return False
        if level.kind == "braces" and COLON.match(self._text, end):
            level.keyword = content.lower()
            level.hot = level.base or naming or (level.names_value and level.keyword in VALUING)
            return False
        if naming and level.keyword in NAMING:
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
        own = level.keyword and level.kind != "statement"  # a keyword argument
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

    def _unpair(self, level: Level) -> None:
        # ("name", "password", "email") is a list of names, not a pair of name and value.
        if level.pair is not None and level.pair >= 0:
            end = self.spans.get(level.pair, (level.pair, ""))[0]
            if is_plain(self._text[level.pair : end]):
                self.spans.pop(level.pair, None)
        level.pair = None

    def _returns_secret(self, level: Level) -> bool:
        return (
            self._stack[0].keyword == "return"
            and bool(self._functions)
            and self._functions[-1][1]
            and level.kind in ("statement", "group")
        )

    def _mask_lines(self, begin: int, finish: int) -> None:
        level = self._level
        if level.pair == -1:
            level.pair = begin
        self._masks.add_lines(begin, finish)

    def _comment(self, start: int, end: int) -> None:
        if end < self._shown_from:
            return
        body = shown = self._text[start:end]
        if self._depth == 0 and ("'" in body or '"' in body):
            # This is commented-out code.
            inner = Literals(body[1:], self._scrubber, (), depth=1)
            inner.run()
            shown = "#" + "".join(pieces(body[1:], inner.spans))
        shown = USERINFO.sub(MASK, self._scrubber.text(mask_prose(shown, self._scrubber)))
        if shown != body:
            self._masks.add(start, end, shown.replace("\n", " "))

    def _number(self, word: str, start: int, end: int) -> None:
        self._chain = False
        level = self._level
        hot = level.hot or level.compared or (level.names_next == level.index and not level.keyword)
        digits = sum(char.isdigit() for char in word)
        if (hot and level.kind != "subscript" and digits >= _DIGITS_MIN) or digits >= 12:
            if hot or self._scrubber.text(word) != word:
                self._masks.add(start, end)

    # tokens that show whether a literal is a secret

    def _word(self, word: str) -> None:
        level = self._level
        if word in KEYWORDS:
            if word in ("in", "is"):
                level.compared = level.compared or self._chain
            elif word in ("and", "or", "if", "else", "elif", "while", "assert"):
                level.compared = False
                self._compared_literal = None
                self._alternative = word == "or" and self._chain
            if word in BLOCKS and self._before == "":
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

    def _colon(self, level: Level) -> None:
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

    def _assign(self, level: Level) -> None:
        sensitive = self._chain or level.annotated
        if level.kind == "statement":
            level.hot = level.hot or sensitive or level.named or self._targets
        elif level.kind == "call":
            level.keyword = self._name.lower()
            level.hot = (
                (level.base and level.keyword not in NEUTRAL)
                or sensitive
                or (level.keyword in VALUING and (level.named or level.names_value))
            )
        else:
            level.hot = level.hot or sensitive
        level.annotated = False

    def _open(self, sign: str) -> None:
        level = self._level
        after_value = self._before in (")", "]") or (
            self._before_kind == "name" and self._before not in KEYWORDS
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
            opened = Level("call", hot, self._chain)
            opened.compares = compares(self._name)
            defines = (
                self._stack[0].block
                and len(self._stack) == 1
                and self._chain_after in ("def", "class")
            )
            if defines or self._name in FORMS:
                opened.base = False
            elif self._name in LOOKUPS:
                opened.first_is_key = True
            elif self._name in COMPARING:
                opened.base = self._chain
            elif self._name == "format" and self._template:
                opened.base = True
            else:
                sensitive = bool(self._name) and self._scrubber.hides(self._name)
                opened.base = hot or sensitive
                takes = sensitive and takes_secret(self._name)
                opened.words_stay = not takes and self._before_kind == "name"
            opened.hot = opened.base
        elif sign == "(":
            opened = Level("group", hot)
        elif sign == "[" and (after_value or self._before_kind == "string"):
            opened = Level("subscript", False, self._chain)
        else:
            opened = Level("list" if sign == "[" else "braces", hot)
        self._stack.append(opened)
        self._chain = self._given = self._alternative = self._targets = False
        self._name = ""

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
