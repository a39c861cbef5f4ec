"""Renders an app's template within bounds: a size, a time, a number of steps.

No thread, signal or trace function is used, so it works under every server. The template is
compiled a second time, in an overlay of the app's own environment. A check runs at the start of
every template, block, macro and loop round, and for each piece of output. A single call that does
not return (a query that hangs, ``range(10**9)|list``) cannot be bounded.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Final

from jinja2 import Environment, Template, nodes
from jinja2.compiler import CodeGenerator, Frame

SECONDS: Final = 3.0
"""Short, because the visitor has already waited for the request that failed."""

CHARACTERS: Final = 2_000_000
"""Enough for a page with its images inlined."""

STEPS: Final = 1_000_000
"""Loop rounds and calls. Bounds the memory that a macro can fill before it yields any output."""


class RenderLimitExceeded(BaseException):
    """A template went over a bound.

    Not an ``Exception``: it must pass through ``except Exception`` in an app's filters.
    """


class _Budget:
    __slots__ = ("deadline", "name", "steps")

    def __init__(self, name: str) -> None:
        self.name = name
        self.steps = 0
        self.deadline = time.monotonic() + SECONDS

    def step(self) -> None:
        self.steps += 1
        if self.steps > STEPS:
            raise RenderLimitExceeded(f"{self.name} took more than {STEPS:,} steps")
        if time.monotonic() > self.deadline:
            raise RenderLimitExceeded(f"{self.name} took longer than {SECONDS:g} seconds")


_budget: ContextVar[_Budget | None] = ContextVar("sentry_kit_render_budget", default=None)


def tick() -> bool:
    """Called from compiled templates. Returns True so that it can precede a loop's condition."""
    budget = _budget.get()
    if budget is not None:
        budget.step()
    return True


def _call_tick(line: int) -> nodes.Call:
    name = nodes.ImportedName(f"{__name__}.tick", lineno=line)
    return nodes.Call(name, [], [], None, None, lineno=line)


class _Ticking:
    """Mixin for the code generator of the app's environment: adds the checks."""

    def visit_Template(self, node: nodes.Template, frame: Frame | None = None) -> None:  # noqa: N802 (Jinja's name)
        for inner in node.find_all(nodes.Stmt):
            if not isinstance(inner, nodes.For | nodes.Macro | nodes.CallBlock | nodes.Block):
                continue
            line = inner.lineno
            inner.body.insert(0, nodes.ExprStmt(_call_tick(line), lineno=line))
            if isinstance(inner, nodes.For) and inner.test is not None:
                # A round whose condition is false never reaches the body.
                inner.test = nodes.And(_call_tick(line), inner.test, lineno=line)
        node.body.insert(0, nodes.ExprStmt(_call_tick(node.lineno), lineno=node.lineno))
        super().visit_Template(node, frame)  # type: ignore[misc]  # CodeGenerator comes next


def watched(environment: Environment) -> Environment:
    """An overlay of an app's environment whose templates can be bounded.

    It shares the loader, filters, globals and all settings. It does not share compiled code, so
    the app's own pages and its bytecode cache never contain a check.
    """
    overlay = environment.overlay(bytecode_cache=None)
    base: type[CodeGenerator] = environment.code_generator_class
    overlay.code_generator_class = type("Ticking" + base.__name__, (_Ticking, base), {})
    return overlay


def render(template: Template, context: Mapping[str, Any]) -> str:
    """Render a template of a :func:`watched` environment.

    :raises RenderLimitExceeded: the template went over a bound.
    """
    name = template.name or "The template"
    token = _budget.set(_Budget(name))
    try:
        return "".join(_counted(name, template.generate(context)))
    finally:
        _budget.reset(token)


def _counted(name: str, pieces: Iterator[str]) -> Iterator[str]:
    size = 0
    for piece in pieces:
        tick()
        size += len(piece)
        if size > CHARACTERS:
            raise RenderLimitExceeded(f"{name} wrote more than {CHARACTERS:,} characters")
        yield piece
