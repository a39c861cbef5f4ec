"""A spool on a disk that is full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from flask_sentry_kit.outbox import Alternative, Item, Request
from tests.support.outbox import HEADERS, count
from tests.support.sentry import RecordingSentry
from tests.support.types import MakeEvent, NewOutbox, Spawn, Until

# A full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB, mounted on a folder."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> None:
    with open(folder / "filler", "wb", buffering=0) as file:
        size = 2**16
        while size:
            try:
                file.write(b"x" * size)
            except OSError:
                size //= 2


def test_a_full_disk_sends_nothing_twice_and_passes(
    small_disk: Path,
    new_outbox: NewOutbox,
    server: RecordingSentry,
    event: MakeEvent,
    caplog: pytest.LogCaptureFixture,
    until: Until,
) -> None:
    """What is sent cannot be deleted, and yet is not sent again; room made, the spool goes on."""
    path = str(small_disk / "spool.db")
    server.answer = lambda request: (503, {}, b"")
    outbox = new_outbox(spool=path)
    for index in range(5):
        assert outbox.put(event(server, f"old-{index}", size=10_000)) is not None
    until(lambda: outbox.counters.retried)
    fill(small_disk)
    # On the full disk: it waits in memory, and that is said.
    assert outbox.put(event(server, "in-memory", size=10_000)) is not None
    assert "cannot be written now" in caplog.text
    server.received.clear()
    server.answer = lambda request: (200, {}, b"{}")
    assert outbox.flush(10)
    assert sorted(server.ids) == ["in-memory"] + [f"old-{index}" for index in range(5)]
    assert outbox.counters.queued == 0
    os.unlink(small_disk / "filler")
    assert outbox.put(event(server, "after")).wait(5) == "sent"
    until(lambda: count(path) == 0)
    assert sorted(server.ids) == ["after", "in-memory"] + [f"old-{index}" for index in range(5)]
    assert "cannot be used" not in caplog.text
    # Not in memory: what is put now survives this process.
    server.answer = lambda request: (503, {}, b"")
    outbox.put(event(server, "kept"))
    assert count(path) == 1


def test_a_file_that_may_not_grow_is_a_full_disk(
    path: str, spawn: Spawn, server: RecordingSentry
) -> None:
    """The limit on a file's size, which anybody may set for himself."""
    child = spawn(
        """
import resource
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
outbox = Outbox(spool=sys.argv[1])
assert outbox.put(event(sys.argv[2], "a")).wait(5) == "sent"
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
assert outbox.put(event(sys.argv[2], "b", size=50_000)).wait(5) == "sent"
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(outbox.put(event(sys.argv[2], "c")).wait(5), outbox._worker.spool is not None, flush=True)
""",
        path,
        server.url,
    )
    out, err = child.communicate(timeout=20)
    assert out == "sent True\n", err
    assert sorted(server.ids) == ["a", "b", "c"]


def test_the_other_way_is_remembered_where_the_disk_is_full(
    small_disk: Path, new_outbox: NewOutbox, server: RecordingSentry, event: MakeEvent, until: Until
) -> None:
    """Sent the first way, answered 404, and not noted on disk: the second way comes next."""
    path = str(small_disk / "spool.db")
    codes = {"/first/": 503}
    server.answer = lambda request: (codes.get(request.path, 200), {}, b"")
    outbox = new_outbox(spool=path)
    first, second = (Request(f"{server.url}/{way}/", HEADERS, b"{}") for way in ("first", "second"))
    outbox.put(Item("feedback", "e", first, (Alternative(second, frozenset((404,))),)))
    until(lambda: outbox.counters.retried)
    fill(small_disk)
    codes["/first/"] = 404
    server.received.clear()
    assert outbox.flush(10)
    assert [request.path for request in server.received][-2:] == ["/first/", "/second/"]
    assert [request.path for request in server.received].count("/second/") == 1
