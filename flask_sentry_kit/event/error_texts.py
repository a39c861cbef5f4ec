"""Errors of well-known libraries whose text says a value's name apart from the value.

pydantic puts a field's name on the line before ``input_value=``; SQLAlchemy and the drivers put the
names into the statement and the values into a list. The scrubber alone cannot join the two.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Final

from .scrub import MASK, Scrubber

if TYPE_CHECKING:
    from .masked_values import MaskedValues

_WORD: Final = re.compile(r"\w+")
_INPUT: Final = "input_value="
_INPUT_END: Final = ", input_type="
_SQL: Final = "[SQL: "
_PARAMETERS: Final = "\n[parameters: "
# PostgreSQL: "Key (email, token)=(a, b) already exists."
_KEY: Final = re.compile(r"Key \((?P<names>[^()\n]{1,200})\)=\((?P<values>[^\n]{0,200}?)\) ")
_ROW: Final = "Failing row contains ("
# MySQL: "Duplicate entry 'a' for key 'users.token'"
_ENTRY: Final = re.compile(r"Duplicate entry '(?P<values>[^'\n]{0,1000})' for key '(?P<names>[^'\n]{1,200})'")  # fmt: skip  # noqa: E501

# A word that stands directly before a placeholder of logging says what it is: "password %s".
_PLACEHOLDER: Final = re.compile(r"%(?:%|(?P<one>[-#0 +]{0,5}\d{0,5}(?:\.\d{0,5})?[a-zA-Z]))")
_NAME_BEFORE: Final = re.compile(r"(\w{1,60})(?:\W{1,3}|\sis\s|\swas\s)\Z")


def without_named_values(text: str, scrubber: Scrubber, noted: MaskedValues) -> str:
    """An error's text with the values masked whose names stand elsewhere in it.

    :param noted: takes note of the values.
    """
    if _INPUT in text:
        text = _pydantic(text, scrubber, noted)
    if _SQL in text:
        text = _sqlalchemy(text, scrubber)
    if "Key (" in text or "Duplicate entry" in text:
        for pattern in (_KEY, _ENTRY):
            for found in islice(pattern.finditer(text), 5):
                if _names_secret(found["names"], scrubber):
                    noted.note(found["values"])
                    text = text.replace(found["values"], MASK) if found["values"] else text
    begin = text.find(_ROW)
    if begin >= 0:
        begin += len(_ROW)
        line_end = text.find("\n", begin)
        end = text.rfind(")", begin, line_end if line_end >= 0 else len(text))
        text = text[:begin] + MASK + (text[end:] if end >= 0 else "")
    return text


def _names_secret(text: str, scrubber: Scrubber) -> bool:
    return any(map(scrubber.hides, _WORD.findall(text[:4_000])))


def _pydantic(text: str, scrubber: Scrubber, noted: MaskedValues) -> str:
    lines = text.split("\n")
    for at, line in enumerate(lines[1:], start=1):
        begin = line.find(_INPUT)
        if begin < 0 or not _names_secret(lines[at - 1], scrubber):
            continue
        begin += len(_INPUT)
        end = line.rfind(_INPUT_END)
        end = end if end >= begin else len(line)
        noted.note(line[begin:end])
        lines[at] = line[:begin] + MASK + line[end:]
    return "\n".join(lines)


def _sqlalchemy(text: str, scrubber: Scrubber) -> str:
    begin = text.find(_SQL)
    at = text.find(_PARAMETERS, begin)
    if at < 0:
        return text
    at += len(_PARAMETERS)
    # Parameters in a dict go by their names.
    if text.startswith(("{", "[{"), at) or not _names_secret(text[begin:at], scrubber):
        return text
    end = text.find("]\n", at)
    return text[:at] + MASK + (text[end:] if end >= 0 else "")


def named_parameters(template: str, count: int, scrubber: Scrubber) -> list[int]:
    """Which parameters of a log message its text names as secrets: the second of
    ``"%s has the password %s"``.

    :param count: how many parameters there are.
    """
    found: list[int] = []
    place = 0
    for one in _PLACEHOLDER.finditer(template[:4_000]):
        if one["one"] is None:
            continue
        if place >= count:
            break
        name = _NAME_BEFORE.search(template[max(0, one.start() - 70) : one.start()])
        if name and scrubber.hides(name[1]):
            found.append(place)
        place += 1
    return found
