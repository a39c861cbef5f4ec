"""Writes pages into a developer's folder, and never replaces the developer's own files.

The index ends in a comment with the digests of all written files, the index included. They identify
files that were written here and not edited since, without a separate file to record that.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

INDEX: Final = "index.html"

_COMMENT: Final = re.compile(
    rb"<!-- written by flask sentry-kit preview: (\{[^<>]*\}) ([0-9a-f]{64}) -->\n"
)


class PagesError(Exception):
    """The pages cannot be written. The text says why and what to do."""


def write_pages(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder, all of them or none.

    :param folder: created if it does not exist.
    :param files: contents by name; must include ``INDEX``.
    :raises PagesError: one of the names belongs to a file that was not written here, was edited
        since, or is a link or a folder; or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        known = _read_index(folder / INDEX)
        others = {name: content for name, content in files.items() if name != INDEX}
        foreign = [
            name for name in others if not _is_free_or_ours(folder / name, others[name], known)
        ]
        if known is None:
            foreign.insert(0, INDEX)
        if known is None or foreign:
            raise PagesError(
                f"{folder} has files that this command did not write, or that were edited since:"
                f" {', '.join(foreign)}. Nothing was written. Move them away, or name another"
                " folder."
            )
        # The index comes first and keeps the old digests: an interrupted run can be repeated.
        digests = {name: [_digest(others[name]), *known.get(name, [])[:1]] for name in others}
        _replace(folder / INDEX, _index(files[INDEX], digests))
        for name, content in others.items():
            _replace(folder / name, content)
    except OSError as error:
        raise PagesError(f"The pages cannot be written: {error}") from None


def _index(content: bytes, digests: Mapping[str, list[str]]) -> bytes:
    listed = json.dumps(digests)
    digest = _digest(content + listed.encode())
    return content + f"<!-- written by flask sentry-kit preview: {listed} {digest} -->\n".encode()


def _read_index(path: Path) -> dict[str, list[str]] | None:
    """The digests of the written files, by name; None if the index was not written here."""
    if not os.path.lexists(path):
        return {}
    if not _is_file(path):
        return None
    lines = path.read_bytes().splitlines(keepends=True)
    found = _COMMENT.fullmatch(lines[-1]) if lines else None
    if found is None or _digest(b"".join(lines[:-1]) + found[1]) != found[2].decode():
        return None
    digests: dict[str, list[str]] = json.loads(found[1])
    return digests


def _is_free_or_ours(path: Path, content: bytes, known: Mapping[str, list[str]] | None) -> bool:
    if not os.path.lexists(path):
        return True
    if not _is_file(path):
        return False
    digest = _digest(path.read_bytes())
    return digest in (*(known or {}).get(path.name, []), _digest(content))


def _is_file(path: Path) -> bool:
    return stat.S_ISREG(path.lstat().st_mode)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _replace(path: Path, content: bytes) -> None:
    # Written beside the target and renamed, so that no half page appears and no link is followed.
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("xb") as file:
        try:
            file.write(content)
            file.flush()
            os.replace(beside, path)
        except OSError:
            beside.unlink(missing_ok=True)
            raise
