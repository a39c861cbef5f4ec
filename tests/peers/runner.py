"""Brings servers up, and plays settings on them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask_sentry_kit.settings import Settings

from . import plays  # noqa: F401  # fills SETTINGS
from .book import SETTINGS, Peer, Setting
from .glitchtip import GlitchTip5, GlitchTip6
from .plays import NAMED
from .stage import play
from .standins import Old, Redirecting, SelfHosted

if TYPE_CHECKING:
    pass

__all__ = ["PEERS", "SETTINGS", "STANDINS", "brought_up", "play", "settings_for"]


def _inbox(folder: Path) -> Any:
    from .inbox import Inbox

    return Inbox(folder)


def _bugsink(folder: Path) -> Any:
    from .bugsink import Bugsink

    return Bugsink(folder)


def _spotlight(folder: Path) -> Any:
    from .spotlight import Spotlight

    return Spotlight()


def _standin(make: Callable[[], Any]) -> Callable[[Path], Any]:
    return lambda folder: make()


STANDINS = (Redirecting, SelfHosted, Old, GlitchTip5, GlitchTip6)
PEERS: dict[str, Callable[[Path], Any]] = {
    **{one.name: _standin(one) for one in STANDINS},
    "bugsink": _bugsink,
    "spotlight": _spotlight,
    "inbox": _inbox,
}
"""What makes each server, by its name on the command line, in the order of the table."""


@contextmanager
def brought_up(name: str) -> Iterator[Peer]:
    """A server that is up and empty, and its end."""
    folder = Path(tempfile.mkdtemp(prefix=f"peers-{name}-"))
    try:
        peer = PEERS[name](folder)
        try:
            peer.start()
            peer.fresh()
            yield peer
        finally:
            peer.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def settings_for(peer: Peer, words: list[str]) -> list[Setting]:
    """The settings that one server is asked, with one of the words in their title."""
    known = any(field.name == "server" for field in fields(Settings))
    return [
        one
        for one in SETTINGS
        if (not words or any(word in one.title for word in words))
        and (one.title != NAMED or (known and peer.server))
    ]
