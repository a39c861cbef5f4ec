"""The Makefile's targets: each is run as a developer runs it, the long ones in their short form."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.support import beside

# A target may have to install what it needs, after a change of pyproject.toml.
pytestmark = pytest.mark.timeout(140)

ROOT = Path(__file__).resolve().parents[2]
# What `make test` gives to its children is not for the makes in here.
ENVIRONMENT = {
    name: value
    for name, value in beside.ENVIRONMENT.items()
    if name not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "ARGS", "SHORT", "CHECK"}
}

# What a healthy request waited, the memory and the answer: of the kit, then of raven's recipe.
ATTACKS_TABLE = re.compile(
    r"^JSON of 900 .*(?:\d s +\d+ MB +500 ×6 in .*){2}\n[\s\S]*^1 held, 0 missed", re.MULTILINE
)

# With the recipes of raven and sentry-sdk, and with the kit on either.
MATRIX_ROW = f"| keyboard only |{' arrives (dialog) |' * 2}{' arrives (dialog, form) |' * 2}"

RUNS: dict[str, str | re.Pattern[str]] = {
    "help": "make demo ",
    "lint": "Success: no issues found",
    "browser": "Browser: ",
    "browsers SHORT=1": "WebKitGTK",
    "docs CHECK=1": "",
    "translations CHECK=1": "",
    "faults SHORT=1": re.compile(r"^E1a .* shown +not shown +ok +ok$", re.MULTILINE),
    "matrix SHORT=1 CHECK=1": MATRIX_ROW,
    "peers SHORT=1 CHECK=1": "2 of 2 can be read",
    "screenshots SHORT=1 CHECK=1": "",
    "bench SHORT=1": "Outage drill",
    "test-all SHORT=1": "Python 3.1",
    "test-oldest SHORT=1": "flask==2.3.2",
    "attacks SHORT=1": ATTACKS_TABLE,
    "leaks SHORT=1": "secrets that their name gives away",
    "audit SHORT=1": "flask==2.3.2",
}
"""Arguments of make, and what is to be read when it is done."""

ELSEWHERE = {
    "test": "runs this test",
    "test-main": "needs what is not released; without it has a test of its own",
    "demo": "has a test of its own, which ends it",
    "clean": "has a test of its own, in a folder of its own",
}


ONE_AT_A_TIME = threading.Lock()
"""Each of two targets at a time would install what both need."""


def _mark(arguments: str) -> pytest.MarkDecorator:
    """What measures how long somebody waits has the machine for itself."""
    return pytest.mark.alone if arguments.startswith("attacks") else pytest.mark.beside


def make(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=cwd,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
    )


def state() -> dict[str, tuple[int, int]]:
    """When each file of the repository was last written, and its size."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    found = {name: (ROOT / name).stat() for name in listed.stdout.split("\0") if name}
    return {name: (one.st_mtime_ns, one.st_size) for name, one in found.items()}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(arguments, said, id=arguments, marks=_mark(arguments))
        for arguments, said in RUNS.items()
    ],
)
def test_a_target_runs_and_writes_nothing(arguments: str, said: str | re.Pattern[str]) -> None:
    """With status 0, and no file of the repository is touched."""
    before = state()
    with ONE_AT_A_TIME:
        done = make(*arguments.split())
    assert done.returncode == 0, done.stdout + done.stderr
    expected = re.escape(said) if isinstance(said, str) else said
    assert re.search(expected, done.stdout + done.stderr)
    assert state() == before


def targets() -> list[str]:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert phony
    return phony[1].split()


def test_every_target_is_run_by_a_test() -> None:
    """A new one gets a row in RUNS."""
    assert sorted(targets()) == sorted({*(row.split()[0] for row in RUNS), *ELSEWHERE})


def test_help_lists_every_target() -> None:
    """And says which have a short form, and which a form that writes nothing."""
    said = make("help").stdout
    assert set(re.findall(r"^make (\S+)", said, re.MULTILINE)) == {*targets()} - {"help"}
    entries = re.split(r"^make ", said.partition("\n\n")[0], flags=re.MULTILINE)[1:]
    for option in ("SHORT", "CHECK"):
        marked = {entry.split()[0] for entry in entries if f"[{option}]" in entry}
        tested = {row.split()[0] for row in RUNS if f"{option}=1" in row}
        assert marked == tested, option


@pytest.mark.beside
def test_test_main_says_what_it_needs() -> None:
    """Without checkouts of Flask and Werkzeug it asks for them, and installs nothing."""
    done = make("test-main", "FLASK=", "WERKZEUG=")
    assert done.returncode != 0
    assert "make test-main FLASK=" in done.stderr


def test_make_alone_is_help() -> None:
    assert make().stdout == make("help").stdout


def test_the_demo_runs_until_ctrl_c() -> None:
    """It prints addresses that answer; Ctrl-C, which make gets too, ends both."""
    with subprocess.Popen(
        ["make", "demo", "PORT=0", "INBOX_PORT=0"],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout
            for line in process.stdout:
                if found := re.match(r"Shop: +(http\S+)", line):
                    break
            assert found
            with urlopen(found[1], timeout=10) as answer:
                assert answer.status == 200
            os.killpg(process.pid, signal.SIGINT)
            said, _ = process.communicate(timeout=20)
            assert "Traceback" not in said
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def test_clean_removes_what_was_set_up_and_nothing_else(tmp_path: Path) -> None:
    """What it removes is what git ignores, but for a developer's own files."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    made = [
        ".venv/bin",
        ".sentry-sdk-oldest/sentry_sdk",
        ".browser/npm",
        ".nox",
        "tests/js/node_modules",
        "scripts/__pycache__",
    ]
    for folder in (*made, "flask_sentry_kit"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "file").write_text("x")
    done = make("clean", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {
        *("Makefile", "flask_sentry_kit", "scripts", "tests")
    }
    assert not list(tmp_path.rglob("__pycache__"))


@pytest.mark.parametrize("name", ["flask_sentry_kit/translations/de/LC_MESSAGES/sentry_kit.mo"])
def test_a_file_that_is_out_of_date_is_named(name: str, copy: Path) -> None:
    """CHECK fails, says which file and what to run, and leaves it as it is."""
    (copy / name).write_bytes(b"stale")
    command = (sys.executable, "-m", "scripts.translations")
    done = subprocess.run(
        [*command, "--check"], cwd=copy, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert done.stdout == f"{name} is out of date: run `make translations`\n"
    assert (copy / name).read_bytes() == b"stale"


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Path]:
    """What the scripts read, in a folder that a test may spoil."""
    for folder in ("scripts", "flask_sentry_kit", "docs"):
        ignored = shutil.ignore_patterns("__pycache__", "*.png")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    for file in ("README.md", "babel.cfg"):
        shutil.copy(ROOT / file, tmp_path)
    yield tmp_path
