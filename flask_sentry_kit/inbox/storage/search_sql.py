"""What a search means in SQL: conditions on crashes, events and visitors' words.

A crash is found if it fulfils the conditions on crashes (``is:``, ``has:words``) and there is one
event of it that fulfils all others. Only constants are put into the SQL; what was typed is among
the parameters.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from .facet_table import COLUMNS
from .search import REFERENCE, WITH_WILDCARD, Search, Term, moment_of

Condition = tuple[str, list[Any]]
"""An SQL expression with ``?`` for each of the parameters."""

# Columns by the field's name, where they differ.
_COLUMNS: Final = {"where": "place"}

_HAS: Final = {"user": "(e.person <> '' OR e.user <> '')", "attachment": "e.attachments > 0"}

_EVERYTHING: Final[Condition] = ("1", [])

_WORDS_ABOUT: Final = (
    "SELECT x.seq FROM report_text t JOIN reports s ON s.id = t.rowid"
    " JOIN events x ON x.event_id = s.event_id WHERE report_text MATCH ?"
)
_REPORT_WORDS: Final = "r.id IN (SELECT rowid FROM report_text WHERE report_text MATCH ?)"


@dataclass(frozen=True, slots=True)
class Scope:
    """What a search is looked for in."""

    index: tuple[str, ...]
    """The tables of the index of words; see ``word_index.py``."""
    now: float
    """Seconds since 1970 from which ages such as ``2h`` are counted back."""


def conditions(search: Search, scope: Scope) -> Condition:
    """The condition on a row ``c`` of ``crashes``."""
    of_crash, of_event = _split(search, scope)
    found = [_is(term, "c") for term in of_crash if term.field == "is"]
    found += [
        _signed(term, ("EXISTS (SELECT 1 FROM reports s WHERE s.crash = c.id)", []))
        for term in of_crash
        if term.field == "has"
    ]
    shared = [_signed(term, _facet(term)) for term in search.terms if _is_facet(term)]
    if of_event:
        sql, parameters = _all([*of_event, *_with_facets(shared)])
        found.append((f"c.id IN (SELECT e.crash FROM events e WHERE {sql})", parameters))
    elif shared:
        sql, parameters = _all(shared)
        found.append((f"c.id IN (SELECT f.crash FROM facets f WHERE {sql})", parameters))
    return _all(found)


def event_conditions(search: Search, scope: Scope) -> Condition:
    """The condition on a row ``e`` of ``events``; ``is:`` looks at its crash."""
    of_crash, found = _split(search, scope)
    found += _with_facets([_signed(term, _facet(term)) for term in search.terms if _is_facet(term)])
    for term in of_crash:
        if term.field == "is":
            sql, parameters = _is(term, "x")
            found.append((f"e.crash IN (SELECT x.id FROM crashes x WHERE {sql})", parameters))
        else:
            has_words = "e.event_id IN (SELECT s.event_id FROM reports s)"
            found.append(_signed(term, (has_words, [])))
    return _all(found)


def report_conditions(search: Search, scope: Scope) -> Condition:
    """The condition on a row ``r`` of ``reports``: of the words themselves, where they say such a
    thing, else of the event that they are about."""
    found: list[Condition] = []
    of_event: list[Condition] = []
    for term in search.terms:
        if term.field in ("before", "after"):
            found.append(_signed(term, _at("r.at", term, scope.now)))
        elif not term.field:
            found.append(_signed(term, (_REPORT_WORDS, [_match(term)])))
        elif term.field == REFERENCE:
            found.append(_signed(term, _report_reference(term)))
        elif term.field == "user":
            columns = (_text(column, term) for column in ("r.name", "r.email"))
            found.append(_signed(term, _any(columns)))
        elif term.field == "url":
            found.append(_signed(term, _text("r.url", term)))
        elif term.field == "is":
            sql, parameters = _is(term, "x")
            found.append((f"r.crash IN (SELECT x.id FROM crashes x WHERE {sql})", parameters))
        elif term.field == "has" and term.value == "words":
            found.append(_signed(term, _EVERYTHING))
        elif _is_facet(term):
            of_event += _with_facets([_signed(term, _facet(term))])
        else:
            of_event.append(_signed(term, _event(term, scope)))
    if of_event:
        sql, parameters = _all(of_event)
        about = f"SELECT 1 FROM events e WHERE e.event_id = r.event_id AND {sql}"
        found.append((f"EXISTS ({about})", parameters))
    return _all(found)


def _split(search: Search, scope: Scope) -> tuple[list[Term], list[Condition]]:
    """The terms about the crash, and the conditions on one of its events but for its facets."""
    of_crash: list[Term] = []
    of_event: list[Condition] = []
    words = [term for term in search.terms if not term.field and not term.negated]
    if words:
        of_event.append(_all_words([_match(term) for term in words], scope))
    for term in search.terms:
        if term.field == "is" or (term.field == "has" and term.value == "words"):
            of_crash.append(term)
        elif term not in words and not _is_facet(term):
            of_event.append(_signed(term, _event(term, scope)))
    return of_crash, of_event


def _event(term: Term, scope: Scope) -> Condition:
    if not term.field:
        return _words(_match(term), scope)
    if term.field == REFERENCE:
        return _event_reference(term, scope)
    if term.field == "has":
        return _HAS[term.value], []
    if term.field in ("before", "after"):
        return _at("e.at", term, scope.now)
    return _text(f"e.{term.field}", term)


def _is_facet(term: Term) -> bool:
    return term.field.startswith("tag.") or _COLUMNS.get(term.field, term.field) in COLUMNS


def _facet(term: Term) -> Condition:
    """The condition on a row ``f`` of ``facets``."""
    if term.field.startswith("tag."):
        return _tag(term)
    return _text(f"f.{_COLUMNS.get(term.field, term.field)}", term)


def _with_facets(shared: list[Condition]) -> list[Condition]:
    """The condition on an event that its facets fulfil all of these; none if there are none."""
    if not shared:
        return []
    sql, parameters = _all(shared)
    return [(f"e.facet IN (SELECT f.id FROM facets f WHERE {sql})", parameters)]


def _is(term: Term, table: str) -> Condition:
    return f"{table}.{term.value} {'=' if term.negated else '<>'} 0", []


def _at(column: str, term: Term, now: float) -> Condition:
    return f"{column} {'<' if term.field == 'before' else '>='} ?", [moment_of(term.value, now)]


def _text(column: str, term: Term) -> Condition:
    """That a column has this text: in it, or as all of it where the field has wildcards."""
    value = term.value
    if not value:
        return f"{column} = ''", []
    if not term.quoted and not value.strip("*"):
        return f"{column} <> ''", []
    if term.field in WITH_WILDCARD:
        begins = ends = ""
        if not term.quoted:
            begins = "%" if value.startswith("*") else ""
            ends = "%" if value.endswith("*") else ""
            value = value.strip("*")
        return _like(column, value, begins, ends)
    return _like(column, value if term.quoted else value.strip("*"), "%", "%")


def _like(column: str, value: str, begins: str, ends: str) -> Condition:
    # SQLite knows the case of ASCII letters only.
    forms = [value]
    if not value.isascii():
        forms = sorted({value, value.lower(), value.upper(), value.capitalize()})
    patterns = [f"{begins}{_literal(form)}{ends}" for form in forms]
    return _any((f"{column} LIKE ? ESCAPE '\\'", [pattern]) for pattern in patterns)


def _literal(value: str) -> str:
    """The text as a part of a LIKE pattern."""
    return value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _tag(term: Term) -> Condition:
    """That the tag's line, ``name=value``, has this value in it."""
    begin = f"\n{term.field[4:].lower()}="
    place = "instr(lower(f.tags), ?)"
    if not term.value:
        return f"{place} = 0", [begin]
    if not term.quoted and not term.value.strip("*"):
        return f"{place} > 0", [begin]
    sql, parameters = _text("line", term)
    # That it is all of the value, as it mostly is, costs least to find out.
    exact, whole = _like("f.tags", term.value, f"%{_literal(begin)}", "\n%")
    # Most rows are refused by this alone, at a tenth of the cost of what follows.
    near, first = _like("f.tags", term.value.strip("*"), f"%{_literal(begin)}%", "%")
    return (
        f"({exact} OR {near} AND {place} > 0 AND (SELECT {sql} FROM (SELECT"
        " substr(rest, 1, instr(rest, char(10)) - 1) AS line FROM (SELECT"
        f" substr(f.tags, {place} + {len(begin)}) AS rest))))",
        [*whole, *first, begin, *parameters, begin],
    )


def _match(term: Term) -> str:
    """FTS5's query for text, of which the last word may go on, unless it was quoted.

    In FTS5's quotes nothing is an operator. The beginning of a word is its first two letters at
    least: a tenth of all the words in the file may begin with one letter.
    """
    value = term.value if term.quoted else term.value.rstrip("*")
    escaped = value.replace('"', '""')
    goes_on = not term.quoted and len(value) > 1 and value[-2:].isalnum()
    return f'"{escaped}"' + (" *" if goes_on else "")


def _all_words(queries: list[str], scope: Scope) -> Condition:
    """That an event, or the words about it, have all of these words in them.

    The index finds the events that have all of them, much faster than SQLite compares a list for
    each of them. Such lists are needed only where a visitor used one of the words.
    """
    about, parameters = _WORDS_ABOUT, [" OR ".join(queries)]
    if len(queries) > 1:
        each = [_words(query, scope, "x.seq") for query in queries]
        about += "".join(f" AND {sql}" for sql, _ in each)
        parameters += [one for _, more in each for one in more]
    return _in_index("e.seq", " AND ".join(queries), scope, about, parameters)


def _words(query: str, scope: Scope, seq: str = "e.seq") -> Condition:
    """That an event, or the words about it, have these words in them."""
    return _in_index(seq, query, scope, _WORDS_ABOUT, [query])


def _in_index(seq: str, query: str, scope: Scope, about: str, parameters: list[Any]) -> Condition:
    """The sub-selects give row ids, by which SQLite then reads the table."""
    found = [f"SELECT rowid FROM {table} WHERE {table} MATCH ?" for table in scope.index]
    return f"{seq} IN ({' UNION ALL '.join([*found, about])})", [query] * len(found) + parameters


def _event_reference(term: Term, scope: Scope) -> Condition:
    """That the event has an id which begins so, or there are words of such an id about it.

    A number or a commit can look the same, so that the text is searched as well.
    """
    first, last = _range(term.value)
    words, parameters = _words(_match(term), scope)
    return (
        "(e.event_id BETWEEN ? AND ? OR e.event_id IN (SELECT s.event_id FROM reports s"
        f" WHERE s.feedback_id BETWEEN ? AND ?) OR {words})",
        [first, last, first, last, *parameters],
    )


def _report_reference(term: Term) -> Condition:
    first, last = _range(term.value)
    return (
        f"(r.event_id BETWEEN ? AND ? OR r.feedback_id BETWEEN ? AND ? OR {_REPORT_WORDS})",
        [first, last, first, last, _match(term)],
    )


def _range(reference: str) -> tuple[str, str]:
    """The least and the greatest id that begin so."""
    digits = reference.replace("-", "")
    return digits, digits.ljust(32, "f")


def _signed(term: Term, condition: Condition) -> Condition:
    sql, parameters = condition
    return (f"NOT ({sql})", parameters) if term.negated else condition


def _any(found: Iterable[Condition]) -> Condition:
    return _joined(" OR ", found)


def _all(found: Iterable[Condition]) -> Condition:
    return _joined(" AND ", found)


def _joined(operator: str, found: Iterable[Condition]) -> Condition:
    parts = list(found)
    if not parts:
        return _EVERYTHING
    sql = operator.join(sql for sql, _ in parts)
    return f"({sql})" if len(parts) > 1 else sql, [one for _, more in parts for one in more]
