"""``python -m flask_sentry_kit.inbox``: what it prints, and how it refuses."""

from __future__ import annotations

import json
import os
import platform
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import urllib3

from flask_sentry_kit.dsn import Dsn
from flask_sentry_kit.inbox import command
from flask_sentry_kit.inbox.command import main

COMMAND = [sys.executable, "-m", "flask_sentry_kit.inbox"]


@pytest.fixture
def http() -> Iterator[urllib3.PoolManager]:
    pool = urllib3.PoolManager(timeout=10, retries=False)
    yield pool
    pool.clear()


@pytest.fixture
def refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """What the command says on stderr when it will not start."""

    def run(*arguments: str) -> str:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
        try:
            status = main(arguments)
        except SystemExit as left:
            # argparse's way of refusing an argument.
            assert left.code == 2
        else:
            assert status == 1
        said = capsys.readouterr()
        assert said.out == ""
        return said.err

    return run


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT], ids=lambda sign: sign.name)
def test_it_prints_its_address_and_a_dsn_that_works(
    tmp_path: Path, http: urllib3.PoolManager, sign: signal.Signals
) -> None:
    """Port 0 prints the port it got; ended by either signal it leaves with 0 and no noise."""
    with subprocess.Popen(
        [*COMMAND, "--port", "0", "--project", "shop", "--db", "inbox.sqlite"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout and process.stderr
        lines = [process.stdout.readline().split() for _ in range(2)]
        try:
            assert [line[0] for line in lines] == ["Inbox:", "DSN:"]
            dsn = Dsn.parse(lines[1][1])
            assert lines[0][1] == f"{dsn.origin}/" and dsn.project == "shop"
            answer = http.request(
                "POST",
                dsn.store_url,
                body=json.dumps({"message": "hello"}),
                headers={"X-Sentry-Auth": f"Sentry sentry_key={dsn.public_key}"},
            )
            assert answer.status == 200
            assert http.request("GET", lines[0][1]).status == 200
        finally:
            process.send_signal(sign)
            try:
                assert process.wait(20) == 0
            except subprocess.TimeoutExpired:
                process.kill()  # leaving the with block waits for it, without a limit
                raise
        assert process.stderr.read() == ""
    assert (tmp_path / "inbox.sqlite").exists()


@pytest.mark.parametrize("port", ["-1", "65536", "x", "", "8_0"])
def test_a_bad_port_is_refused(refusal: Callable[..., str], port: str) -> None:
    """With what a port is."""
    assert "a number from 0 to 65535" in refusal(f"--port={port}")


def test_a_port_in_use_is_said(refusal: Callable[..., str]) -> None:
    """With the way out of it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = refusal("--port", port)
    assert done == (
        f"inbox: Port {port} of 127.0.0.1 is in use. Take another with --port, or 0 for a free"
        " one.\n"
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_the_network_needs_a_password(refusal: Callable[..., str], host: str) -> None:
    """What other machines can reach is not read without one; the line says how to give it."""
    assert "--password-file" in refusal("--host", host, "--port", "0", "--db", "inbox.sqlite")


def test_a_host_that_is_not_there_is_said(refusal: Callable[..., str]) -> None:
    """A name that cannot be one, so that nothing is looked up."""
    assert "There is no host" in refusal("--host", "a" * 70)


def test_an_unusable_file_is_said(refusal: Callable[..., str], tmp_path: Path) -> None:
    """By its path and the reason, on one line."""
    done = refusal("--db", "no/where/inbox.sqlite", "--port", "0")
    assert done == (
        f"inbox: Cannot write {tmp_path}/no/where/inbox.sqlite: No such file or directory\n"
    )


@pytest.mark.parametrize("option", ["--project=a/b", "--key=k:s", "--key=a b", "--project="])
def test_project_and_key_must_make_a_dsn(refusal: Callable[..., str], option: str) -> None:
    """What a client could not read back is refused here."""
    assert "DSN" in refusal(option, "--port", "0")


def start(
    command: list[str], folder: Path, http: urllib3.PoolManager, **env: str
) -> dict[str, str]:
    """Start an inbox, ask for its page, stop it. Returns what it printed, by its names."""
    with subprocess.Popen(
        [*command, "--port", "0"],
        cwd=folder,
        env={**os.environ, "XDG_DATA_HOME": str(folder / "data"), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout and process.stderr
        said = {}
        for line in iter(process.stdout.readline, ""):
            name, _, value = line.strip().partition(":")
            said[name] = value.strip()
            if name == "Access":
                break
        try:
            assert said, process.stderr.read()
            said["status"] = str(http.request("GET", said["Inbox"]).status)
        finally:
            process.terminate()
            assert process.wait(20) == 0
        assert process.stderr.read() == ""
    return said


@pytest.mark.skipif(sys.platform != "linux", reason="XDG_DATA_HOME is Linux's")
def test_the_file_has_a_fixed_place_so_that_the_dsn_stays(
    tmp_path: Path, http: urllib3.PoolManager
) -> None:
    """The user's data folder, private whatever the umask says, and said at the start."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    data = str(tmp_path / "data")
    first, second = (
        start(COMMAND, tmp_path / folder, http, XDG_DATA_HOME=data) for folder in ("a", "b")
    )
    assert first["DSN"].partition("@")[0] == second["DSN"].partition("@")[0]
    path = Path(first["File"])
    assert path == tmp_path / "data" / "flask-sentry-kit" / "inbox.sqlite"
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600
    assert first["Kept"] == "0 crashes; of all events the newest 1,000, up to 256M"
    assert first["Access"] == "from this machine only, without a password"
    assert not list((tmp_path / "a").iterdir())


def test_flask_starts_the_same_command_also_without_an_app(
    tmp_path: Path, http: urllib3.PoolManager
) -> None:
    """`flask sentry-kit inbox` takes the same options; an app may fail to import."""
    (tmp_path / "broken.py").write_text("raise RuntimeError('this app does not import')\n")
    (tmp_path / "word").touch(0o600)
    (tmp_path / "word").write_text("opensesame")
    flask = [sys.executable, "-m", "flask", "--app", "broken", "sentry-kit", "inbox"]
    options = ["--db", "mine.sqlite", "--keep", "50000", "--keep-bytes", "4g"]
    said = start([*flask, *options, "--password-file", "word"], tmp_path, http)
    assert said["File"] == str(tmp_path / "mine.sqlite")
    assert said["Kept"] == "0 crashes; of all events the newest 50,000, up to 4G"
    assert (said["Access"], said["status"]) == ("from this machine only, with the password", "401")


@pytest.mark.parametrize(
    ("text", "size"),
    [("1000", 1_000), ("500K", 512_000), ("256m", 2**28), ("4GiB", 2**32), ("1TB", 2**40)],
)
def test_a_size_has_a_unit_or_none(text: str, size: int) -> None:
    """In units of 1,024; it is printed as it is read."""
    assert command._bytes(text) == size
    assert command._bytes(command._size(size)) == size


@pytest.mark.parametrize("text", ["", "0", "-1", "4X", "1.5G", "4 G", "G", "9" * 12, "４G"])
def test_what_is_no_size_is_refused(refusal: Callable[..., str], text: str) -> None:
    """With examples of one."""
    assert "256M" in refusal(f"--keep-bytes={text}")


@pytest.mark.parametrize("name", ["https://inbox.example", "inbox.example:80", "a/b", "", "*.x"])
def test_an_allowed_host_is_a_name(refusal: Callable[..., str], name: str) -> None:
    """What would never match is refused at the start."""
    assert "inbox.example, without" in refusal(f"--allow-host={name}")


@pytest.mark.skipif(sys.platform != "linux", reason="XDG_DATA_HOME is Linux's")
def test_a_data_folder_that_cannot_be_made_is_said(
    refusal: Callable[..., str], tmp_path: Path
) -> None:
    """With the option that names another place."""
    (tmp_path / "data").write_text("a file")
    said = refusal("--port", "0")
    assert said.startswith(f"inbox: Cannot make the folder {tmp_path}/data/flask-sentry-kit: ")
    assert "--db" in said


HEAPS = """
import ctypes, threading
from flask_sentry_kit.inbox.command import _share_one_heap
_share_one_heap()
all_there = threading.Barrier(8)
def use():
    kept = bytearray(100_000)
    all_there.wait(10)
threads = [threading.Thread(target=use) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
ctypes.CDLL(None).malloc_stats()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has several heaps")
def test_all_threads_share_one_heap() -> None:
    """What one thread needed for a large event is there for the next one, not kept by each."""
    done = subprocess.run([sys.executable, "-c", HEAPS], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and done.stderr.count("Arena ") == 1
