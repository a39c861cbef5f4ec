"""``nox``: the tests on every Python of 3.10 to 3.14 that can be found, each in its own venv.

Looks on PATH and among pyenv's; names those that are not there. ``make test`` runs the default
Python alone.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import nox

VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")

nox.options.default_venv_backend = "venv"
nox.options.reuse_venv = "yes"


def _pyenv() -> Path:
    return Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")


def _runs(python: Path | str, version: str) -> bool:
    """Whether it is that Python: a pyenv shim is there for versions that are not switched on."""
    check = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", check], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.strip() == version


def _find(version: str) -> str | None:
    """The newest interpreter of a minor version, or None."""
    on_path = shutil.which(f"python{version}")
    if on_path and _runs(on_path, version):
        return on_path
    folders = [
        folder
        for folder in _pyenv().glob(f"versions/{version}.*")
        if re.fullmatch(r"\d+\.\d+\.\d+", folder.name)
    ]
    for folder in sorted(folders, key=lambda one: int(one.name.rpartition(".")[2]), reverse=True):
        python = folder / "bin" / "python"
        if _runs(python, version):
            return str(python)
    return None


FOUND = {version: python for version in VERSIONS if (python := _find(version))}


def tests(session: nox.Session) -> None:
    """pytest on one Python. Arguments after ``--`` go to it."""
    # pip 25.1 is the first that knows dependency groups.
    session.install("--quiet", "--upgrade", "pip>=25.1")
    session.install("--quiet", "--editable", ".[inbox]", "--group", "dev")
    session.run("python", "-m", "pytest", *session.posargs)


for _version, _python in FOUND.items():
    nox.session(python=_python, name=f"tests-{_version}")(tests)


@nox.session(python=False)
def found(session: nox.Session) -> None:
    """Says which Pythons were found, and which were not."""
    for version in VERSIONS:
        session.log("Python %s: %s", version, FOUND.get(version, "not found, so not tested"))
    if not FOUND:
        session.error("No Python from 3.10 to 3.14 was found.")
