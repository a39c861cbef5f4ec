"""Private names of others stand in compat.py alone, with the versions they were seen in.

A name with an underscore may be gone with the next release of its library. What is used of it all
the same is in one place, where it is found when that happens.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from functools import cache
from types import CodeType
from typing import Any, Final

import pytest

from .test_design import MODULES

COMPAT: Final = "flask_sentry_kit.compat"

DOCUMENTED: Final = {
    "_get_current_object": "Werkzeug's documentation of LocalProxy",
    "_getframe": "Python's documentation of sys",
    "_typeshed": "types alone: no module of that name is loaded",
    "_fields": "Python's documentation of namedtuple",
}

_PRIVATE: Final = re.compile(r"_[a-zA-Z]\w*\.?")

# ``x.__dict__`` of these says nothing of what a library keeps there.
_OPEN_DICTS: Final = {
    "type": "where a class's own name is read past its metaclass",
    "BaseException": "where an exception's own attributes are read past its class",
    "app": "where the kit keeps its own WSGI layer",
    "record": "a log record's documented attributes",
    "logging.makeLogRecord({})": "a log record's documented attributes",
}


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def own_names() -> set[str]:
    """The private names that the package itself gives to something."""
    found = set()
    for module in MODULES:
        for node in ast.walk(tree_of(module)):
            match node:
                case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                    found.add(name)
                case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                    found.add(name)
                case ast.Attribute(attr=name, ctx=ast.Store()):
                    found.add(name)
    return found


OWN: Final = own_names()


def is_foreign(name: str) -> bool:
    name = name.rstrip(".")
    if not _PRIVATE.fullmatch(name) or name.startswith("_sentry_kit"):
        return False
    return name not in OWN and name not in DOCUMENTED


def foreign_names(module: str) -> Iterator[str]:
    """What a module takes of others under a private name: as attribute, import, key or string."""
    for node in ast.walk(tree_of(module)):
        match node:
            case ast.Attribute(value=value, attr="__dict__"):
                if ast.unparse(value) not in _OPEN_DICTS:
                    yield ast.unparse(node)
            case ast.Constant(value="__dict__"):
                yield "'__dict__'"
            case ast.Attribute(attr=name) if is_foreign(name):
                yield ast.unparse(node)
            case ast.Constant(value=str(name)) if is_foreign(name):
                yield repr(name)
            case ast.ImportFrom(level=0, module=source, names=names):
                parts = [*(source or "").split("."), *(alias.name for alias in names)]
                yield from (f"{source}: {one}" for one in parts if is_foreign(one))


@pytest.mark.parametrize("module", sorted(MODULES.keys() - {COMPAT}))
def test_a_module_names_nothing_private_of_others(module: str) -> None:
    """Not as an attribute, an import, a key of a ``__dict__`` or a string for ``getattr``."""
    assert not list(foreign_names(module))


def codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def private_names(kind: type) -> set[str]:
    """The private names that a class's own body and methods use."""
    found = set(vars(kind))
    for value in vars(kind).values():
        for function in (value, *(getattr(value, name, None) for name in ("fget", "__func__"))):
            if inspect.isfunction(function):
                found.update(name for code in codes(function.__code__) for name in code.co_names)
    return {name for name in found if re.fullmatch(r"_[a-zA-Z]\w*", name)} - DOCUMENTED.keys()


LIBRARIES: Final = ("flask", "werkzeug", "jinja2", "raven", "urllib3", "waitress", "flask_login")


def derived_classes() -> Iterator[tuple[type, type]]:
    """Our classes that are built on a library's, each with each of those."""
    for module in MODULES:
        if module == COMPAT or module.endswith("__main__"):
            continue
        loaded: Any = importlib.import_module(module)
        for kind in vars(loaded).values():
            if inspect.isclass(kind) and kind.__module__ == module:
                for base in kind.__mro__:
                    if base.__module__.partition(".")[0] in LIBRARIES:
                        yield kind, base


def test_a_class_shares_no_private_name_with_a_library() -> None:
    """What is built on a library's class neither uses nor replaces, be it by chance, what that
    class keeps to itself."""
    pairs = list(derived_classes())
    assert len(pairs) > 5
    shared = {
        f"{kind.__module__}.{kind.__name__} and {base.__module__}.{base.__name__}: {names}"
        for kind, base in pairs
        if (names := private_names(kind) & private_names(base))
    }
    assert not shared
