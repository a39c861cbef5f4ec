"""The pytest plugin: two fixtures. Flask, the kit and its clients are imported when one is used."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from .collected import Reports
    from .running_inbox import RunningInbox

_PACKAGE: Final = f"{__name__.partition('.')[0]}."
_sessions: Final[list[pytest.Config]] = []


@pytest.fixture
def sentry_kit_reports(request: pytest.FixtureRequest) -> Iterator[Reports]:
    """What the app reports to Sentry in this test, in memory: nothing is sent. See Reports."""
    from .collected import collect_reports

    node = request.node
    with collect_reports(on_event=lambda said: _show(node, said)) as reports:
        yield reports


@pytest.fixture
def sentry_kit_inbox(tmp_path: Path) -> Iterator[RunningInbox]:
    """A real inbox on a free port of this machine, for this test. See RunningInbox."""
    from ..inbox.errors import InboxError
    from .running_inbox import run_inbox

    problem = ""
    with ExitStack() as stack:
        try:
            inbox = stack.enter_context(run_inbox(tmp_path / "sentry-kit-inbox.sqlite"))
        except InboxError as error:
            problem = str(error)
        if problem:
            pytest.fail(problem, pytrace=False)
        yield inbox


class _PlainImports:
    """Imports the kit's modules as they are compiled already.

    pytest rewrites the ``assert`` statements of each package that brings a plugin, for which it
    compiles all of it anew. The kit has none that a test would see.
    """

    @staticmethod
    def find_spec(
        fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.startswith(_PACKAGE):
            return PathFinder.find_spec(fullname, path, target)
        return None


def pytest_configure(config: pytest.Config) -> None:
    if not _sessions:
        sys.meta_path.insert(0, _PlainImports)
    _sessions.append(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """When the last session ends, see to it that nothing is sent while the process ends."""
    if config in _sessions:
        _sessions.remove(config)
    if not _sessions and _PlainImports in sys.meta_path:
        sys.meta_path.remove(_PlainImports)
    collected = sys.modules.get(f"{__package__}.collected")
    if collected is not None and not _sessions:
        collected.drop_at_exit()


def _show(node: pytest.Item, said: str) -> None:
    """Show what was reported where pytest shows the log of a test that fails."""
    node.add_report_section("call", "reports", said)
