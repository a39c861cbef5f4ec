"""Error texts of well-known libraries that keep a value apart from its name.

pydantic puts a field's name on the line before ``input_value=``. SQLAlchemy and the drivers put the
names into the statement and the values into a list. The scrubber alone cannot connect the two.
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
# SQLAlchemy's named placeholders: "%(email)s" and ":email".
_PLACE: Final = re.compile(r"%\((\w{1,80})\)s|(?<![\w:]):([a-zA-Z_]\w{0,80})")
_COLUMN_BEFORE: Final = re.compile(r"(\w{1,80})\W{1,8}(?:(?:NOT |I?LIKE |IN |IS ){1,3}\W{0,4})?\Z")
_NUMBER_AFTER: Final = re.compile(r"_{1,2}\d{1,9}\Z")
_INSERT: Final = re.compile(r"\(([^()]{1,4000})\)\s{1,9}VALUES\b", re.IGNORECASE)
# PostgreSQL: "Key (email, token)=(a, b) already exists.", also in other languages.
_IS: Final = ")=("
_KEY_ENDS: Final = (
    ") already exists", ") is not present in", ") is still referenced", ") is referenced from",
    ") conflicts with", ") is duplicated",
)  # fmt: skip
_ROW: Final = re.compile(r"Failing row contains \(|DETAIL: {1,2}[^()\n]{1,80} \((?=[^\n]{0,200},)")
_AFTER_DETAIL: Final = ("\n[SQL: ", "\nCONTEXT:", "\nHINT:", "\nSTATEMENT:", "\nLINE 1:")
# MySQL: "Duplicate entry 'a' for key 'users.token'", "… value: 'a' for column 'token' at row 1"
_ENTRIES: Final = (("Duplicate entry '", "' for key "), (" value: '", "' for column "))
# asyncpg, PostgreSQL, MySQL and SQL Server quote a value without its column in these texts.
_VALUE: Final = re.compile(
    r"query argument \$\d{1,5}: |portal parameter \$\d{1,5} = |for type [\w ]{1,40}: "
    r"|Truncated incorrect \w{1,20} value: |Truncated value: |duplicate key value is "
)

# The word directly before a logging placeholder names its value: "password %s".
_PLACEHOLDER: Final = re.compile(r"%(?:%|(?P<one>[-#0 +]{0,5}\d{0,5}(?:\.\d{0,5})?[a-zA-Z]))")
_NAME_BEFORE: Final = re.compile(r"(\w{1,60})(?:\W{1,3}|\sis\s|\swas\s)\Z")


def without_named_values(text: str, scrubber: Scrubber, noted: MaskedValues) -> str:
    """An error's text with values masked if their sensitive names are elsewhere in the text.

    :param noted: collects the masked values.
    """
    if _INPUT in text:
        text = _pydantic(text, scrubber, noted)
    if _SQL in text:
        text = _sqlalchemy(text, scrubber)
    if _IS in text:
        text = _keys(text, scrubber, noted)
    for before, between in _ENTRIES:
        if before in text:
            text = _entries(text, before, between, scrubber, noted)
    row = _ROW.search(text) if "DETAIL" in text or "Failing row" in text else None
    if row is not None and _IS not in text[row.start() : row.end() + 1_000].partition("\n")[0]:
        text = text[: row.end()] + MASK + text[_end_of_detail(text, row.end()) :]
    if "alue" in text or "argument" in text or "parameter" in text or "type" in text:
        text = _unnamed(text, scrubber, noted)
    return text


def _end_of_detail(text: str, begin: int) -> int:
    """The end of a bracket whose values may contain brackets and line ends."""
    ends = [end for mark in _AFTER_DETAIL if (end := text.find(mark, begin)) >= 0]
    limit = min(ends, default=len(text))
    end = text.rfind(")", begin, limit)
    return end if end >= 0 else limit


def _keys(text: str, scrubber: Scrubber, noted: MaskedValues) -> str:
    done = 0
    for _ in range(5):
        equal = text.find(_IS, done)
        if equal < 0:
            break
        begin = equal + len(_IS)
        names = text[max(done, equal - 400) : equal].rpartition("\n")[2]
        ends = [end for mark in _KEY_ENDS if (end := text.find(mark, begin)) >= 0]
        done = min(ends, default=-1)
        if done < 0:
            done = _end_of_detail(text, begin)
        if _names_secret(names, scrubber):
            noted.note(text[begin:done])
            text = text[:begin] + MASK + text[done:]
            done = begin + len(MASK)
    return text


def _entries(text: str, before: str, between: str, scrubber: Scrubber, noted: MaskedValues) -> str:
    done = 0
    for _ in range(5):
        begin = text.find(before, done)
        end = text.find(between, begin) if begin >= 0 else -1
        if end < 0:
            break
        begin += len(before)
        names = text[end + len(between) :][:200].partition("\n")[0].partition(" at row")[0]
        done = end
        if begin < end and _names_secret(names, scrubber):
            noted.note(text[begin:end])
            text = text[:begin] + MASK + text[end:]
            done = begin + len(MASK)
    return text


def _unnamed(text: str, scrubber: Scrubber, noted: MaskedValues) -> str:
    """Mask a value up to the end of its line if the sentence or the statement names a secret."""
    found = list(islice(_VALUE.finditer(text), 5))
    if not found or not _names_secret(text, scrubber):
        return text
    for one in reversed(found):
        end = text.find("\n", one.end())
        end = end if end >= 0 else len(text)
        if not text.startswith(MASK, one.end() + 1):
            noted.note(text[one.end() : end])
            text = text[: one.end()] + MASK + text[end:]
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


def hides_parameters(statement: str, parameters: object, scrubber: Scrubber) -> bool:
    """Whether the parameters of an SQL statement include a value of a sensitive column that their
    own names do not reveal."""
    statement = statement[:20_000]
    if not _names_secret(statement, scrubber):
        return False
    return not (isinstance(parameters, dict) and _all_named(statement, scrubber))


def _sqlalchemy(text: str, scrubber: Scrubber) -> str:
    begin = text.find(_SQL)
    at = text.find(_PARAMETERS, begin)
    if at < 0:
        return text
    at += len(_PARAMETERS)
    statement = text[begin : min(at, begin + 20_000)]
    if not _names_secret(statement, scrubber):
        return text
    if text.startswith(("{", "[{"), at) and _all_named(statement, scrubber):
        return text  # parameters in a dict are masked by their names
    end = text.find("]\n", at)
    return text[:at] + MASK + (text[end:] if end >= 0 else "")


def _all_named(statement: str, scrubber: Scrubber) -> bool:
    """Whether all placeholders of secret columns have names that reveal it, as in
    ``password = %(password_1)s``. The one in ``password = %(param_1)s`` does not."""
    places = list(islice(_PLACE.finditer(statement), 2_000))
    insert = _INSERT.search(statement)
    if insert is not None:
        columns = insert[1].split(",")
        places = [place for place in places if place.start() >= insert.end()]
        if len(places) % len(columns):
            return not _names_secret(insert[1], scrubber)
    for number, place in enumerate(places):
        if insert is not None:
            column = columns[number % len(columns)].strip(' "`[]')
        else:
            before = _COLUMN_BEFORE.search(statement[max(0, place.start() - 100) : place.start()])
            column = before[1] if before else ""
        name = _NUMBER_AFTER.sub("", place[1] or place[2])
        if scrubber.hides(column) and not scrubber.hides(name):
            return False
    return True


def named_parameters(template: str, count: int, scrubber: Scrubber) -> list[int]:
    """The indices of a log message's parameters that its text names as secrets. In
    ``"%s has the password %s"`` that is the second one.

    :param count: the number of parameters.
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
