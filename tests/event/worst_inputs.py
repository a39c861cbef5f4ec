"""Makes the slowest inputs for a regular expression from its own repeats."""

from __future__ import annotations

import importlib
import pkgutil
import re
import warnings
from collections.abc import Iterator
from typing import Any

import flask_sentry_kit

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import sre_constants as names
    import sre_parse

_LONG = 30
"""From this many repetitions on a repeat may make a search slow."""
_CHARACTERS = "a0A_-.:/ =%\\\"'<([{@,;&\té"
"""Tried where a set of characters leaves the choice."""


def patterns() -> dict[str, re.Pattern[str]]:
    """Every compiled pattern in a module of the kit, by its location."""
    found: dict[str, re.Pattern[str]] = {}
    for info in pkgutil.walk_packages(flask_sentry_kit.__path__, "flask_sentry_kit."):
        if info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            owner = [value, *vars(value).values()] if isinstance(value, type) else [value]
            for one in owner:
                for place, pattern in enumerate(_patterns_in(one)):
                    found.setdefault(f"{info.name}.{name}[{place}]", pattern)
    return found


def _patterns_in(value: Any) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _patterns_in(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _patterns_in(one)


def worst_inputs(pattern: re.Pattern[Any]) -> list[tuple[str, str]]:
    """Pairs of an input's beginning and the text that is repeated after it."""
    text = (
        pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    )
    flags = pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else pattern.flags
    tree = sre_parse.parse(text, flags & ~re.DEBUG)
    found: dict[tuple[str, str], None] = {}
    for before, body in _repeats(tree, "", []):
        for unit in body:
            found[before, unit] = None
            found["", unit] = None
            found["", before + unit] = None
            found["", before + unit * 9] = None
            found["", before + unit + " "] = None
    if before_all := _sample(tree):
        found["", before_all[:-1] or before_all] = None
        found["", before_all] = None
        found["", before_all + "-"] = None
    return [(begin, unit) for begin, unit in found if unit]


def _repeats(tree: Any, before: str, outer: list[str]) -> Iterator[tuple[str, list[str]]]:
    for op, args in tree:
        if op in (names.MAX_REPEAT, names.MIN_REPEAT) or "POSSESSIVE" in str(op):
            low, high, body = args
            if high >= _LONG:
                yield before, _choices(body)
            yield from _repeats(body, before, outer)
        elif op is names.SUBPATTERN:
            yield from _repeats(args[3], before, outer)
        elif op is names.BRANCH:
            for branch in args[1]:
                yield from _repeats(branch, before, outer)
        elif op in (names.ASSERT, names.ASSERT_NOT):
            yield from _repeats(args[1], before, outer)
        elif op is getattr(names, "ATOMIC_GROUP", None):
            yield from _repeats(args, before, outer)
        before += _sample([(op, args)])


def _choices(body: Any) -> list[str]:
    """The possible texts of one repetition."""
    items = list(body)
    if len(items) == 1:
        op, args = items[0]
        if op in (names.IN, names.ANY, names.NOT_LITERAL, names.CATEGORY):
            return [char for char in _CHARACTERS if _fits(items, char)][:8]
        if op is names.SUBPATTERN:
            return _choices(args[3])
        if op is names.BRANCH:
            return [choice for branch in args[1] for choice in _choices(branch)][:12]
    return [_sample(items)]


def _fits(items: Any, char: str) -> bool:
    [(op, args)] = items
    if op is names.ANY:
        return True
    if op is names.NOT_LITERAL:
        return chr(args) != char
    if op is names.CATEGORY:
        args = [(op, args)]
    negated = False
    for kind, value in args:
        if kind is names.NEGATE:
            negated = True
        elif (
            (kind is names.LITERAL and chr(value) == char)
            or (kind is names.RANGE and value[0] <= ord(char) <= value[1])
            or (kind is names.CATEGORY and _in_category(value, char))
        ):
            return not negated
    return negated


def _in_category(category: Any, char: str) -> bool:
    name = str(category).lower()
    inside = (
        char.isdigit()
        if "digit" in name
        else char.isspace()
        if "space" in name
        else char.isalnum() or char == "_"
    )
    return inside != ("not_" in name)


def _sample(tree: Any) -> str:
    """A short text that matches the tree, without its look-arounds."""
    found = ""
    for op, args in tree:
        if op is names.LITERAL:
            found += chr(args)
        elif op in (names.IN, names.ANY, names.NOT_LITERAL, names.CATEGORY):
            found += next((char for char in _CHARACTERS if _fits([(op, args)], char)), "")
            if not found and op is names.IN:
                kind, value = args[0]
                found += chr(value if kind is names.LITERAL else value[0])
        elif op is names.SUBPATTERN:
            found += _sample(args[3])
        elif op is names.BRANCH:
            found += _sample(args[1][0])
        elif op in (names.MAX_REPEAT, names.MIN_REPEAT) or "POSSESSIVE" in str(op):
            low = args[0]
            found += _sample(args[2]) * max(1, min(low, 12)) if low else ""
        elif op is getattr(names, "ATOMIC_GROUP", None):
            found += _sample(args)
    return found
