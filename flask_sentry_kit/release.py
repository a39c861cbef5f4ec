"""The git commit that an app runs from, read from the repository's files without git.

Supports worktrees, submodules, bare repositories, subdirectories, packed and symbolic refs. A
reftable repository keeps its refs in a binary format; for that it runs ``git``.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Final

_SHA: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SYMBOLIC_MAX: Final = 10


def fetch_git_sha(path: str | os.PathLike[str], head: str | None = None) -> str:
    """The commit checked out at ``path``; a drop-in for ``raven.fetch_git_sha``.

    :param path: a folder anywhere inside a work tree, or a bare repository.
    :param head: the name of a branch to read instead of the current commit.
    :returns: 40 hex digits (64 in a SHA-256 repository).
    :raises raven.exceptions.InvalidGitRepository: says what is missing.
    """
    git_dir = _git_dir(Path(path))
    common = _common_dir(git_dir)
    if (common / "reftable").is_dir():
        return _ask_git(git_dir, f"refs/heads/{head}" if head else "HEAD")
    if head is None:
        return _resolve("HEAD", git_dir, common)
    return _resolve(f"refs/heads/{head}", git_dir, common)


def _not_a_repository(message: str) -> Exception:
    # raven is loaded only here, when its exception is needed.
    from raven.exceptions import InvalidGitRepository

    error: Exception = InvalidGitRepository(message)
    return error


def _is_git_dir(path: Path) -> bool:
    return (path / "HEAD").is_file() and (
        (path / "objects").is_dir() or (path / "commondir").is_file()
    )


def _git_dir(path: Path) -> Path:
    start = path.absolute()
    for folder in (start, *start.parents):
        entry = folder / ".git"
        if entry.is_dir() and _is_git_dir(entry):
            return entry
        if entry.is_file():
            # A worktree's or submodule's .git says where the real one is (gitrepository-layout).
            target = entry.read_text(encoding="utf-8", errors="replace").strip()
            if target.startswith("gitdir: "):
                found = (folder / target.removeprefix("gitdir: ")).resolve()
                if _is_git_dir(found):
                    return found
            raise _not_a_repository(f"{entry} names no git directory that is there")
        if _is_git_dir(folder):
            return folder
    raise _not_a_repository(f"{path} is in no git repository")


def _common_dir(git_dir: Path) -> Path:
    pointer = git_dir / "commondir"
    if pointer.is_file():
        return (git_dir / pointer.read_text(encoding="utf-8").strip()).resolve()
    return git_dir


def _resolve(ref: str, git_dir: Path, common: Path) -> str:
    for _ in range(_SYMBOLIC_MAX):
        text = _loose(ref, git_dir) or _loose(ref, common) or _packed(ref, common)
        if text is None:
            raise _not_a_repository(f"{ref} is no ref of {common}, or has no commit yet")
        if not text.startswith("ref: "):
            if _SHA.fullmatch(text):
                return text
            raise _not_a_repository(f"{ref} in {common} holds no commit")
        ref = text.removeprefix("ref: ").strip()
    raise _not_a_repository(f"HEAD of {git_dir} leads through too many symbolic refs")


def _loose(ref: str, folder: Path) -> str | None:
    # git checks the names of refs, but a crafted one must not lead out of the repository either.
    if ".." in ref or ref.startswith("/"):
        return None
    try:
        return (folder / ref).read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None


def _packed(ref: str, common: Path) -> str | None:
    try:
        lines = (common / "packed-refs").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        sha, _, name = line.partition(" ")
        if name == ref:
            return sha
    return None


def _ask_git(git_dir: Path, ref: str) -> str:
    try:
        done = subprocess.run(
            ["git", f"--git-dir={git_dir}", "rev-parse", "--verify", f"{ref}^{{commit}}"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        raise _not_a_repository(
            f"{git_dir} keeps its refs as a reftable, which takes git 2.45 or newer to read"
        ) from None
    return done.stdout.strip()
