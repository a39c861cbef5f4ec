"""Turns any Python value into bounded, scrubbed JSON values.

Values of a crashing program cannot be trusted: their ``repr`` may raise, recurse, exit or be huge.
Exceptions that a value raises are contained here, and every size has a bound.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence, Set
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from ..containment import FOREIGN_ERRORS
from .error_texts import without_named_values
from .scrub import MASK, NAMERS, VALUERS, Scrubber, is_card
from .scrub import cut as cut
from .secret_looks import is_random
from .secret_names import joined

if TYPE_CHECKING:
    from .masked_values import MaskedValues

_DEPTH: Final = 5
_READ: Final = (dict, list, tuple, set, frozenset)
# Compared by identity, because a metaclass may override "==" and hash().
_CONTAINERS: Final = frozenset(map(id, (bytes, list, tuple, dict, set, frozenset)))
# Words that need no masking. A text that looks like a secret contains a digit, a capital or a
# sign, or is longer.
_WORD: Final = re.compile(r"[a-z]+|[a-z_]{1,11}")
_SERIALIZED_MAX: Final = 200  # containers
_AUTHORITIES: Final = ("netloc", "authority", "userinfo")
_USER_FLAGS: Final = frozenset(("-u", "-U", "--user", "--proxy-user"))


def type_name(cls: type) -> str:
    """A class's name, even if its metaclass overrides ``__name__``."""
    name: str = type.__dict__["__name__"].__get__(cls)
    return name


def safe_str(value: object) -> str:
    """``str(value)``, or a note that it failed."""
    try:
        text = str(value)
    except FOREIGN_ERRORS:
        return f"<{type_name(type(value))}: str() failed>"
    return text if type(text) is str else str.__str__(text)


def safe_repr(value: object) -> str:
    """``repr(value)``, or a note that it failed."""
    try:
        text = repr(value)
    except FOREIGN_ERRORS:
        return f"<{type_name(type(value))}: repr() failed>"
    return text if type(text) is str else str.__str__(text)


class Serializer:
    """Turns values into JSON values within a budget.

    The parts of an event share one serializer, so that the whole event stays small.

    :param scrubber: masks secrets.
    :param string_max: most characters of one text.
    :param list_max: most items of one container.
    :param budget: approximate number of characters that all values together may take.
    :param depth_max: containers inside each other. Deeper ones are only counted.
    :param masked_values: collects the values that were masked for their names.
    """

    def __init__(
        self,
        scrubber: Scrubber,
        *,
        string_max: int = 400,
        list_max: int = 50,
        budget: int = 64_000,
        depth_max: int = _DEPTH,
        masked_values: MaskedValues | None = None,
    ) -> None:
        self.masked_values = masked_values
        self.scrubber = scrubber
        self.string_max = string_max
        self.list_max = list_max
        self._depth_max = depth_max
        self.left = budget
        # Serialized containers by identity: a recursive function passes the same ones down. The
        # object is kept, so that no new object gets the same identity.
        self._serialized: dict[tuple[int, int], tuple[Any, Any, int]] = {}

    def text(self, text: str) -> str:
        """A text after cutting and scrubbing."""
        if len(text) <= self.string_max and _WORD.fullmatch(text) is not None:
            return text
        if self.masked_values is not None:
            text = text[: self.string_max + 600]  # longer than the part that short() reads
            text = without_named_values(text, self.scrubber, self.masked_values)
        shown = self.scrubber.short(text, self.string_max)
        if self.masked_values is not None and MASK in shown:
            self.masked_values.note_text(text, shown)
        return shown

    def named(self, name: object, value: Any, depth: int = 0) -> Any:
        """A value with a name. It is masked if the name is sensitive."""
        kind = type(value)
        if value is None or kind is bool or (kind is str and not value):
            return value
        if id(kind) in _CONTAINERS and not value:
            return self.value(value, depth)
        if isinstance(name, str):
            if self.scrubber.hides(name):
                if (kind is int or kind is float) and name[-1:] in "sS" and abs(value) < 10**7:
                    return self.value(value, depth)  # "tokens": 1500 is a count
                if kind is int and name.lower() == "code" and value < 1000:
                    return self.value(value, depth)  # an error's
                return self._masked(value)
            if kind is str and "@" in value and joined(name) in _AUTHORITIES:
                return f"{MASK}@{self.text(value.rpartition('@')[2])}"
        return self.value(value, depth)

    def _masked(self, value: Any) -> str:
        self.left -= len(MASK)
        if self.masked_values is not None:
            self.masked_values.note(value)
        return MASK

    def value(self, value: Any, depth: int = 0) -> Any:
        """A value without a name."""
        kind = type(value)
        if kind is str:
            text = self.text(value)
        elif value is None or kind is bool:
            self.left -= 5
            return value
        elif kind is int:
            if -(2**63) <= value < 2**64:
                self.left -= 10
                return MASK if 10**11 <= value < 10**19 and is_card(str(value)) else value
            # str() refuses more than 4,300 digits and takes quadratic time below that.
            text = cut(hex(value), self.string_max) if value.bit_length() < 4096 else "<huge int>"
        elif kind is float:
            self.left -= 10
            return value if math.isfinite(value) else repr(value)
        elif self.left <= 0:
            return "..."
        elif issubclass(kind, _READ):
            return self._container(value, depth)
        elif issubclass(kind, (bytes, bytearray)):
            # Longer than the shown part, so that a secret at the cut is recognised.
            text = self.text(safe_repr(bytes(value[: self.string_max + 400])))
        elif (row := _row(value)) is not None:
            return self._mapping(row, depth)
        else:
            text = self.text(safe_repr(value))
        self.left -= len(text)
        return text

    def _container(self, value: Any, depth: int) -> Any:
        known = self._serialized.get((id(value), depth))
        if known is not None and self.left > known[2]:
            self.left -= known[2]
            return known[1]
        left = self.left
        try:
            if isinstance(value, dict):
                found = self._mapping(value, depth)
            else:
                found = self._items(value, len(value), depth)
        except FOREIGN_ERRORS:
            found = f"<{type_name(type(value))}: could not be read>"
            self.left -= len(found)
            return found
        if self.left > 0 and len(self._serialized) < _SERIALIZED_MAX:
            self._serialized[id(value), depth] = value, found, left - self.left
        return found

    def _mapping(self, mapping: dict[Any, Any], depth: int) -> Any:
        # Containers cost too: nested lists grow exponentially without a single leaf.
        self.left -= 20
        if depth >= self._depth_max:
            return f"<{type_name(type(mapping))} of {len(mapping)}>"
        found: dict[str, Any] = {}
        items = list(islice(mapping.items(), self.list_max))
        secret = self.secret_keys(items)
        for key, value in items:
            if self.left <= 0:
                break
            if type(key) is bytes:
                key = key.decode("latin-1")
            name = key if type(key) is str else safe_repr(key)
            label = self.text(name)
            self.left -= len(label)
            if value and name in secret:
                found[label] = self._masked(value)
            else:
                found[label] = self.named(name, value, depth + 1)
        if len(found) < len(mapping):
            found["..."] = f"{len(mapping) - len(found)} more"
        return found

    def secret_keys(self, items: list[tuple[Any, Any]]) -> frozenset[object]:
        """Keys that are secret because of the other keys beside them."""
        keys = [key for key, _ in items if type(key) is str]
        found = self.scrubber.named_by(keys)
        # {"name": "password", "value": "hunter2"}, as scripts send forms.
        values = frozenset(key for key in keys if key.lower() in VALUERS)
        if values and any(
            type(key) is str
            and type(value) is str
            and key.lower() in NAMERS
            and self.scrubber.hides(value)
            for key, value in items
        ):
            found |= values
        return found

    def _items(self, items: Sequence[Any] | Set[Any], count: int, depth: int) -> Any:
        self.left -= 20
        if depth >= self._depth_max:
            return f"<{type_name(type(items))} of {count}>"
        fields = _fields(items)
        if fields is not None:
            return self._mapping(dict(zip(fields, items, strict=True)), depth)
        found: list[Any] = []
        name: str | None = None
        for item in islice(items, self.list_max):
            if self.left <= 0:
                break
            if name in _USER_FLAGS and type(item) is str and ":" in item:
                found.append(f"{self.text(item.partition(':')[0])}:{MASK}")  # curl -u user:word
            elif name is not None and count > 2 and not name.startswith("-"):
                # In a longer row, plain words stay: ("user", "password", "email").
                shown = type(item) is not str or is_random(item, 6)
                found.append(self.named(name if shown else None, item, depth + 1))
            else:
                found.append(self.named(name, item, depth + 1))
            # ["password", "hunter2"] is a header, a form field or a command line option, written as
            # a list.
            name = self._introduced(item, count)
        if len(found) < count:
            found.append(f"... {count - len(found)} more")
        return found

    def _introduced(self, item: object, count: int) -> str | None:
        """The name that an item of a row gives to the next item, or None."""
        if type(item) is bytes and len(item) < 200:
            item = item.decode("latin-1")
        if type(item) is not str or len(item) > 200:
            return None
        if count == 2 or item[:1] == "-":
            return item
        return item if " " not in item and self.scrubber.hides(item) else None


def _row(value: Any) -> dict[str, Any] | None:
    # SQLAlchemy's Row looks like a tuple, and only the Row has the names of its columns.
    module = type.__dict__["__module__"].__get__(type(value))
    if not (isinstance(module, str) and module.startswith("sqlalchemy.engine.")):
        return None
    try:
        names = value._fields
        return dict(zip(names, value, strict=True)) if isinstance(names, tuple) else None
    except FOREIGN_ERRORS:
        return None


def _fields(items: Any) -> tuple[str, ...] | None:
    # The values of a named tuple have the names of its fields.
    if not isinstance(items, tuple):
        return None
    fields = getattr(type(items), "_fields", None)
    if type(fields) is tuple and len(fields) == len(items):
        return fields
    return None
