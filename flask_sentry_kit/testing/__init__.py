"""For the test suites of apps that use the kit: the pytest plugin's fixtures and their types.

A name is loaded at its first use, so that pytest's start pays for none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .collected import Reports, collect_reports
    from .reported import ReportedEvent, ReportedWords
    from .running_inbox import RunningInbox, run_inbox
    from .seen_page import FormRefused, SeenPage

__all__ = [
    "FormRefused",
    "ReportedEvent",
    "ReportedWords",
    "Reports",
    "RunningInbox",
    "SeenPage",
    "collect_reports",
    "run_inbox",
]

_HOMES: Final = {
    "FormRefused": "seen_page",
    "ReportedEvent": "reported",
    "ReportedWords": "reported",
    "Reports": "collected",
    "RunningInbox": "running_inbox",
    "SeenPage": "seen_page",
    "collect_reports": "collected",
    "run_inbox": "running_inbox",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{home}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
