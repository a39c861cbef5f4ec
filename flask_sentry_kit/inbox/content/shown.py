"""Makes values of an event into the text that a page shows, within bounds for the whole page.

Only what is shown is made into text, so that reading an event costs no more than its page shows,
whatever the client sent. Knows nothing of what the values mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

Pairs = tuple[tuple[str, str], ...]

# Characters of one value and of one name, pairs of one mapping, levels of one structure.
_TEXT: Final = 8_000
_NAME: Final = 500
_PAIRS: Final = 200
# Items of a list in which pairs are looked for.
_LOOKED: Final = 2_000
_DEPTH: Final = 8

# Characters that turn the direction of the text behind them until another one ends it.
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")


class Budget:
    """How much text one part of a page may still show. The rest is left out.

    :param characters: how many characters in all.
    :param pieces: how many names, values and lines in all, each of which costs some markup.
    """

    def __init__(self, characters: int, pieces: int) -> None:
        self._characters, self._pieces = characters, pieces
        self.full = False
        """Whether anything was left out or cut short."""

    def text(self, value: Any) -> str:
        """A string or number; empty for anything else."""
        return self._take(text(value))

    def show(self, value: Any) -> str:
        """Any value as text. Strings are not quoted: reporters send the ``repr`` of most values."""
        return "" if value is None or not self._has_any() else self._take(_whole(value))

    def pairs(self, value: Any) -> Pairs:
        """A mapping, or the list of pairs newer clients send."""
        shown: list[tuple[str, str]] = []
        for name, item in _items(value):
            if len(shown) == _PAIRS or not self._has_any():
                self.full = True
                break
            shown.append((self.text(name), "None" if item is None else self.show(item)))
        return tuple(shown)

    def _has_any(self) -> bool:
        if self._characters > 0 and self._pieces > 0:
            return True
        self.full = True
        return False

    def _take(self, shown: str) -> str:
        if not shown:
            return ""
        if not self._has_any():
            return "…"
        # They would show a line of code in another order than it runs in (CVE-2021-42574).
        shown = _TURNS.sub(lambda found: f"[U+{ord(found[0]):04X}]", shown)
        if len(shown) > self._characters:
            shown = cut(shown, self._characters)
            self.full = True
        self._characters -= len(shown)
        self._pieces -= 1
        return shown


def short(value: Any) -> str:
    """`text` for the name of a function, a file or a type."""
    return text(value, _NAME)


def text(value: Any, most: int = _TEXT) -> str:
    """A string or number, at most so many characters of it; empty for anything else."""
    if isinstance(value, str):
        return value if len(value) <= most else cut(value, most)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return ""


def cut(whole: str, most: int) -> str:
    more = len(whole) - most
    return f"{whole[:most]}… ({more:,} more characters)" if more > 0 else whole


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, dict):
        return value.items()
    if isinstance(value, list):
        pairs = (pair for pair in islice(value, _LOOKED) if isinstance(pair, list))
        return ((pair[0], pair[1]) for pair in pairs if len(pair) == 2)
    return ()


def _whole(value: Any) -> str:
    if isinstance(value, dict | list):
        return cut(_structure(value, 0, _TEXT), _TEXT)
    return _leaf(value)


def _leaf(value: Any) -> str:
    return str(value) if isinstance(value, bool) or value is None else text(value)


def _structure(value: Any, depth: int, most: int) -> str:
    """A structure as text, on several lines if it is long; `most` characters and one item more."""
    if not isinstance(value, dict | list):
        return _leaf(value)
    if not value:
        return "{}" if isinstance(value, dict) else "[]"
    if depth > _DEPTH:
        return "…"
    pad, end = "  " * (depth + 1), "  " * depth
    inner: list[str] = []
    for key in value if isinstance(value, dict) else range(len(value)):
        if most <= 0:
            inner.append(f"… ({len(value) - len(inner):,} more)")
            break
        item = _structure(value[key], depth + 1, most)
        inner.append(f"{text(key)}: {item}" if isinstance(value, dict) else item)
        most -= len(inner[-1]) + 2
    first, last = "{}" if isinstance(value, dict) else "[]"
    if sum(map(len, inner)) + 2 * len(inner) < 72 and not any("\n" in item for item in inner):
        return f"{first}{', '.join(inner)}{last}"
    return f"{first}\n" + "".join(f"{pad}{item},\n" for item in inner) + f"{end}{last}"
