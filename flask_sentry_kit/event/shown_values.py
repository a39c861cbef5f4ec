"""Scrubs values that another program has already serialised: JSON values, and frame variables whose
values are texts made with ``repr()``.

What needs no mask stays as it is, quotes included.
"""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Callable, Iterator
from itertools import islice
from math import isfinite
from typing import Any, Final

from .error_texts import hides_parameters
from .masked_values import MaskedValues
from .scrub import MASK, Scrubber
from .serialize import Serializer, safe_repr

FILTERED: Final = "[Filtered]"
"""What sentry-sdk's own scrubber puts in place of a value (``SENSITIVE_DATA_SUBSTITUTE``)."""

STRING_MAX: Final = 10_000
"""Longest text in characters that is sent. sentry-sdk 2.0 cuts at 1,024, newer ones do not cut."""

_DEPTH_MAX: Final = 20
_LIST_MAX: Final = 2_000
_CACHED_MAX: Final = 1_000  # texts, and characters of one
_QUOTED: Final = re.compile(r"b?['\"]")
_INTEGER: Final = re.compile(r"-?[0-9]{1,40}")
_NOTHING: Final = frozenset(
    ("None", "True", "False", "''", '""', "b''", "[]", "{}", "()", "set()", "frozenset()", FILTERED)
)
# The names that sentry-sdk's integrations give to addresses and queries.
_ADDRESSES: Final = frozenset("url http.url url.full http.target uri request_url".split())
_QUERIES: Final = frozenset("http.query url.query query_string http.fragment url.fragment".split())
_PARAMETERS: Final = "db.params"
_REQUEST_LINE: Final = re.compile(r"(?P<method>[A-Z]{3,10} )?(?P<url>[a-z+]{2,12}://\S*)")


class ShownValues(Serializer):
    """Scrubs JSON values.

    :param budget: characters that may be scrubbed. What is beyond is masked or left out.
    """

    def __init__(self, scrubber: Scrubber, masked_values: MaskedValues, budget: int) -> None:
        super().__init__(
            scrubber,
            string_max=STRING_MAX,
            list_max=_LIST_MAX,
            budget=budget,
            depth_max=_DEPTH_MAX,
            masked_values=masked_values,
        )
        self._noted = masked_values
        # The same few texts stand in most frames, breadcrumbs and spans of an event.
        self._known: dict[str, str] = {}

    def text(self, text: str) -> str:
        shown = self._known.get(text)
        if shown is not None:
            self.left += len(shown)  # it is paid for
            return shown
        if self.left <= 0 and text:
            return MASK
        shown = super().text(text)
        if len(text) <= _CACHED_MAX and len(self._known) < _CACHED_MAX:
            self._known[text] = shown
        return shown

    def named(self, name: object, value: Any, depth: int = 0) -> Any:
        if type(value) is str and type(name) is str:
            if value == FILTERED:
                return value
            if name in _ADDRESSES and not self.scrubber.hides(name):
                return self.address(value)
            if name in _QUERIES:
                self._noted.note_query(value, self.scrubber)
                return self._spend(self.scrubber.short_query(value, STRING_MAX))
        return super().named(name, value, depth)

    def address(self, text: str) -> str:
        """An address, or a request as sentry-sdk describes it: ``GET https://…``."""
        line = _REQUEST_LINE.fullmatch(text[:STRING_MAX])
        if line is None:
            return self._spend(self.scrubber.path(self.text(text)))
        path, _, query = line["url"].partition("?")
        self._noted.note_path(path, self.scrubber)
        self._noted.note_query(query, self.scrubber)
        shown = self.scrubber.short_url(line["url"], STRING_MAX)
        return self._spend((line["method"] or "") + shown)

    def statement_data(self, statement: object, data: Any) -> Any:
        """The data of a breadcrumb or a span, whose parameters belong to an SQL statement."""
        if type(data) is dict and data.get(_PARAMETERS) and type(statement) is str:
            parameters = data[_PARAMETERS]
            if hides_parameters(statement, parameters, self.scrubber):
                self._noted.note(parameters)
                data = {**data, _PARAMETERS: MASK}
        return self.value(data)

    def _spend(self, text: str) -> str:
        self.left -= len(text)
        return text


class ShownVariables(ShownValues):
    """Scrubs the variables of frames, which sentry-sdk serialises with ``repr()``: the text ``x``
    is ``'x'`` there, the number 5 is ``5``, and an object is its ``repr``."""

    def __init__(self, scrubber: Scrubber, masked_values: MaskedValues, budget: int) -> None:
        super().__init__(scrubber, masked_values, budget)
        self._plain = ShownValues(scrubber, masked_values, budget)

    def value(self, value: Any, depth: int = 0) -> Any:
        if type(value) is not str:
            return super().value(value, depth)
        return self._as_it_stood(value, lambda plain: self._plain.value(plain, depth))

    def named(self, name: object, value: Any, depth: int = 0) -> Any:
        if type(value) is not str:
            return super().named(name, value, depth)
        return self._as_it_stood(value, lambda plain: self._plain.named(name, plain, depth))

    def _as_it_stood(self, text: str, scrub: Callable[[Any], Any]) -> Any:
        """The scrubbed value behind a text, in the form in which it stood in the event."""
        if text in _NOTHING:
            return text
        plain = literal(text)
        self._plain.left = self.left
        shown = scrub(plain)
        self.left = self._plain.left
        if type(shown) is not str:
            return text
        if type(plain) is not str or shown == MASK:
            return shown
        return text if shown == plain else repr(shown)

    def _introduced(self, item: object, count: int) -> str | None:
        return super()._introduced(literal(item) if type(item) is str else item, count)


class _Described:
    """An object of which only its ``repr`` is known."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def literal(text: str) -> Any:
    """The value of which ``text`` is the ``repr``: a text, bytes or a number. Any other value is an
    object with the same ``repr``."""
    if _INTEGER.fullmatch(text) is not None:
        return int(text)
    quoted = _QUOTED.match(text[:2])
    if quoted is None:
        return _Described(text)
    quote = quoted[0][-1]
    if not (text.endswith(quote) and len(text) > quoted.end()):
        # The text was cut.
        return text[1:] if quoted[0] == quote else _Described(text)
    if quoted[0] == quote and "\\" not in text:
        return text[1:-1]
    try:
        value = literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = None  # the repr of a class of the app's own
    return value if type(value) is str or type(value) is bytes else _Described(text)


def is_fact(value: Any, depth: int = 0) -> bool:
    """Whether a value is short and simple, as facts about a program are."""
    kind = type(value)
    if kind is str:
        return len(value) <= 1_000
    if kind is dict and depth < 3:
        return len(value) <= _LIST_MAX and all(
            type(name) is str and is_fact(one, depth + 1) for name, one in value.items()
        )
    if kind is list and depth < 3:
        return len(value) <= _LIST_MAX and all(is_fact(one, depth + 1) for one in value)
    if kind is int:
        return bool(-(2**63) <= value < 2**64)
    return value is None or kind is bool or (kind is float and isfinite(value))


def items_of(mapping: dict[Any, Any]) -> Iterator[tuple[str, Any]]:
    """The items of a dict, a name that is not a text as its ``repr``."""
    for name, value in islice(mapping.items(), _LIST_MAX):
        yield (name if type(name) is str else safe_repr(name)), value
