"""A spool that somebody prepared or damaged, and a disk that is full."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flask_sentry_kit.outbox import Item, Request, spool_rows
from flask_sentry_kit.outbox.item import Answer
from flask_sentry_kit.outbox.memory import MemoryQueue
from flask_sentry_kit.outbox.spool import Spool
from flask_sentry_kit.outbox.spool_errors import SpoolReplaced
from tests.support.sentry import RecordingSentry
from tests.support.types import MakeEvent, NewOutbox, NewSentry, Spawn, Until, Workers

HEADERS = {"X-Sentry-Auth": "Sentry sentry_version=7, sentry_key=public"}


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "spool.db")


@pytest.fixture(autouse=True)
def new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test knows the servers of another."""
    monkeypatch.setattr(spool_rows, "_destinations", set())


def plant(path: str, url: str, **columns: Any) -> None:
    """Put a row into a spool as somebody with an editor would."""
    Spool(path, 10, 10).count()
    row = {
        "kind": "event",
        "event_id": "planted",
        "origin": url,
        "request": json.dumps({"url": f"{url}/api/1/store/", "headers": HEADERS}),
        "body": b"{}",
        "fallback": None,
        "fallback_body": None,
        "use_fallback": 0,
        "tries": 0,
        "size": 1024,
        **columns,
    }
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        names = ", ".join(row)
        marks = ", ".join("?" * len(row))
        db.execute(f"INSERT INTO items ({names}) VALUES ({marks})", tuple(row.values()))


def count(path: str) -> int:
    with closing(sqlite3.connect(path)) as db:
        found: int = db.execute("SELECT count(*) FROM items").fetchone()[0]
    return found


# Who may send what


def test_a_row_for_a_server_of_no_app_here_is_left_for_its_own_process(
    path: str,
    server: RecordingSentry,
    new_sentry: NewSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
    caplog: pytest.LogCaptureFixture,
    until: Until,
) -> None:
    """It is counted as queued, and said once; what is ours goes past it, and flush() says no."""
    stranger = new_sentry()
    plant(path, stranger.url)
    outbox = new_outbox(spool=path)
    tickets = [outbox.put(event(server, id)) for id in "ab"]
    assert [ticket.wait(5) for ticket in tickets] == ["sent", "sent"]
    assert outbox.flush(5) is False
    until(lambda: "no app of this process" in caplog.text)
    assert outbox.flush(0.2) is False
    assert outbox.counters.queued == count(path) == 1
    assert stranger.received == []
    assert caplog.text.count("no app of this process sends to") == 1
    assert f"1 for {stranger.url}" in caplog.text
    # Its own process.
    assert new_outbox(spool=path, destination=f"{stranger.url}/1").flush(5) is True
    assert len(stranger.received) == 1
    assert outbox.flush(5) is True


def test_processes_with_different_servers_do_not_hold_each_other_up(
    path: str,
    server: RecordingSentry,
    dead_port: int,
    spawn: Spawn,
    new_outbox: NewOutbox,
    event: MakeEvent,
    until: Until,
) -> None:
    """One whose server is away lets the other deliver from the same file."""
    child = spawn(
        """
outbox = Outbox(spool=sys.argv[1])
outbox.put(event(sys.argv[2], "stuck"))
while not outbox.counters.retried: time.sleep(0.01)
print("waits", flush=True)
sys.stdin.readline()
""",
        path,
        f"http://127.0.0.1:{dead_port}",
    )
    assert child.stdout.readline() == "waits\n"
    outbox = new_outbox(spool=path)
    assert [outbox.put(event(server, str(i))).wait(8) for i in range(5)] == ["sent"] * 5
    assert count(path) == 1


def test_the_address_and_not_the_column_says_where_a_row_goes(
    path: str,
    server: RecordingSentry,
    new_sentry: NewSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
) -> None:
    """A row filed under our server whose request, or second request, names another goes nowhere."""
    evil = new_sentry()
    elsewhere = json.dumps({"url": f"{evil.url}/steal", "headers": HEADERS})
    ours = json.dumps({"url": f"{server.url}/api/1/store/", "headers": HEADERS})
    plant(path, server.url, request=elsewhere)
    plant(path, server.url, request=ours, fallback=elsewhere, fallback_body=b"")
    plant(path, server.url, request=ours.replace("http://", "http://user@evil@"))
    server.answer = lambda request: (404, {}, b"")
    outbox = new_outbox(spool=path, destination=server.url)
    assert outbox.flush(5) is True
    assert evil.received == []
    assert outbox.counters.dropped == 3
    assert len(server.received) <= 1


def test_only_headers_that_are_ours_are_sent(
    path: str, server: RecordingSentry, new_outbox: NewOutbox
) -> None:
    """A row cannot make the app authorize itself elsewhere, or speak for a browser."""
    headers = {**HEADERS, "Authorization": "Bearer x", "Cookie": "a=b", "X-Forwarded-For": "::1",
               "Host": "admin.internal", "Transfer-Encoding": "chunked"}  # fmt: skip
    plant(path, server.url, request=json.dumps({"url": f"{server.url}/api/", "headers": headers}))
    assert new_outbox(spool=path, destination=server.url).flush(5)
    got = server.received[0].headers
    assert got["x-sentry-auth"] == HEADERS["X-Sentry-Auth"]
    assert not {name.lower() for name in got.keys()} & {
        "authorization",
        "cookie",
        "x-forwarded-for",
        "transfer-encoding",
    }
    assert got["host"] == f"127.0.0.1:{server.port}"


BAD: dict[str, dict[str, Any]] = {
    "no JSON": {"request": "nonsense"},
    "a list": {"request": "[]"},
    "a number": {"request": "5"},
    "no address": {"request": json.dumps({"url": None, "headers": {}})},
    "headers that are a list": {"request": json.dumps({"url": "URL", "headers": []})},
    "a header that is a number": {"request": json.dumps({"url": "URL", "headers": {"Accept": 5}})},
    "a second header in one": {
        "request": json.dumps({"url": "URL", "headers": {"Accept": "a\r\nHost: b"}})
    },
    "a second request in the address": {
        "request": json.dumps({"url": "URL/ HTTP/1.1\r\nHost: b", "headers": {}})
    },
    "deep JSON": {"request": "[" * 100_000},
    "a giant head": {"request": "x" * 2**20},
    "a body of text": {"body": "text"},
    "a body of nothing to read": {"body": 7},
    "another kind": {"kind": "secret"},
    "an id that is bytes": {"event_id": b"\xff"},
    "tries that are words": {"tries": "many"},
    "bytes that are no text": {"request": b"\xff\xfe"},
    "an otherwise without a body": {"fallback": json.dumps({"url": "URL", "headers": {}})},
    "a negative id": {"id": -5, "request": "nonsense"},
}


@pytest.mark.parametrize("name", BAD)
def test_a_row_that_is_no_request_blocks_nobody(
    name: str,
    path: str,
    server: RecordingSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
    caplog: pytest.LogCaptureFixture,
    until: Until,
) -> None:
    """It goes, is counted and said; those behind it arrive."""
    columns = {
        key: value.replace("URL", server.url) if isinstance(value, str) else value
        for key, value in BAD[name].items()
    }
    plant(path, server.url, **columns)
    outbox = new_outbox(spool=path)
    assert outbox.put(event(server, "good")).wait(5) == "sent"
    assert outbox.flush(5) is True
    assert server.ids == ["good"]
    assert outbox.counters[1:] == (1, 0, 1)
    assert count(path) == 0
    until(lambda: "a row of the spool was no item" in caplog.text)


def test_a_giant_row_is_not_read(
    path: str, server: RecordingSentry, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """Larger than the whole spool may be: it goes without passing through memory."""
    plant(path, server.url, body=b"x" * 3_000_000)
    outbox = new_outbox(spool=path, max_bytes=1_000_000)
    assert outbox.put(event(server, "good")).wait(5) == "sent"
    assert outbox.flush(5) is True
    assert server.ids == ["good"]
    assert outbox.counters.dropped == 1


# Damage


@pytest.fixture
def filled(
    path: str,
    server: RecordingSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
    until: Until,
    workers: Workers,
) -> None:
    """A spool with items that a process left, which has closed it."""
    server.answer = lambda request: (503, {}, b"")
    outbox = new_outbox(spool=path)
    for index in range(30):
        assert outbox.put(event(server, f"old-{index}", size=20_000)) is not None
    outbox.close(0)
    # Its thread closes the file, and what is in the log is written into it then.
    until(lambda: not workers())
    server.answer = lambda request: (200, {}, b"{}")
    server.received.clear()


def zero(path: str) -> None:
    size = os.path.getsize(path)
    with open(path, "wb") as file:
        file.write(bytes(size))


def garbage(path: str) -> None:
    with open(path, "wb") as file:
        file.write(bytes(range(256)) * 100)


def text_of_sqlite(path: str) -> None:
    """The name of a table becomes bytes that are no text, which SQLite repeats in its errors."""
    with open(path, "r+b") as file:
        data = file.read()
        file.seek(0)
        file.write(data.replace(b"items", b"\xff\xfe\xfd\xfc\xfb"))


def middle(path: str) -> None:
    with open(path, "r+b") as file:
        file.seek(3 * 4096)
        file.write(os.urandom(20 * 4096))


def short(path: str) -> None:
    os.truncate(path, 5 * 4096 + 17)


def header(path: str) -> None:
    with open(path, "r+b") as file:
        file.write(os.urandom(100))


def trigger(path: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("CREATE TRIGGER t AFTER DELETE ON items BEGIN INSERT INTO refused VALUES (1,'');"
                   " END")  # fmt: skip


def no_total(path: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DELETE FROM total")


def last_id(path: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE sqlite_sequence SET seq = 9223372036854775807")


@pytest.mark.parametrize(
    "damage",
    [zero, garbage, text_of_sqlite, middle, short, header, trigger, no_total, last_id],
    ids=lambda damage: damage.__name__,
)
def test_a_damaged_spool_is_set_aside_and_a_new_one_begins(
    damage: Callable[[str], None],
    filled: None,
    path: str,
    server: RecordingSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing raises, it is said once, the old one is kept, and what comes now is on disk again."""
    damage(path)
    outbox = new_outbox(spool=path, destination=server.url)
    outbox.resume()
    outbox.flush(5)
    tickets = [outbox.put(event(server, id)) for id in "ab"]
    assert [ticket.wait(5) for ticket in tickets] == ["sent", "sent"]
    assert outbox.flush(5) is True
    assert server.ids[-2:] == ["a", "b"]
    assert caplog.text.count("was damaged") == 1
    assert "cannot be used" not in caplog.text
    assert os.path.getsize(f"{path}.damaged") > 0
    assert Spool(path, 10, 10).count() == 0


@pytest.mark.parametrize("damage", [trigger, no_total, last_id], ids=lambda one: one.__name__)
def test_what_can_still_be_read_of_a_damaged_spool_is_sent(
    damage: Callable[[str], None],
    filled: None,
    path: str,
    server: RecordingSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In order, once, and before what came later."""
    damage(path)
    outbox = new_outbox(spool=path, destination=server.url)
    outbox.resume()
    assert outbox.put(event(server, "new")).wait(5) == "sent"
    assert outbox.flush(5)
    assert server.ids == [*(f"old-{index}" for index in range(30)), "new"]
    assert "30 items could be saved" in caplog.text


def test_a_ticket_of_an_item_that_was_saved_tells_what_became_of_it(
    path: str, server: RecordingSentry, event: MakeEvent
) -> None:
    """The item has another id in another file; and so has one that is under way meanwhile."""
    spool_rows.add_destination(server.url)
    spool = Spool(path, 10, 10**6)
    places = [spool.add(event(server, id)) for id in "abcd"]
    first = spool.head((), pytest.fail)
    assert first
    spool.remove(first, None)
    under_way = spool.head((), pytest.fail)
    assert under_way
    no_total(path)
    with pytest.raises(SpoolReplaced):
        spool.count()
    assert spool.count() == 3
    spool.remove(under_way, "no")
    third = spool.head((), pytest.fail)
    assert third
    spool.remove(third, None)
    assert [spool.outcome(place) for place in places[1:] if place] == [
        ("refused", "no"),
        ("sent", None),
        ("waiting", None),
    ]
    assert spool.count() == 1
    spool.close()


def test_no_damage_of_a_page_stops_the_delivery_or_repeats_it(
    filled: None,
    path: str,
    server: RecordingSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
    tmp_path: Path,
) -> None:
    """Any page in place of its neighbour: SQLite may find rows that it cannot delete."""
    data = Path(path).read_bytes()
    for at in range(0, min(len(data), 40 * 4096) - 4096, 4096):
        swapped = tmp_path / f"swapped-{at}"
        with open(swapped, "wb") as file:
            pages = data[:at], data[at + 4096 : at + 8192], data[at : at + 4096]
            file.write(b"".join((*pages, data[at + 8192 :])))
        server.received.clear()
        outbox = new_outbox(spool=str(swapped), destination=server.url)
        outbox.resume()
        assert [outbox.put(event(server, id)).wait(5) for id in "ab"] == ["sent", "sent"]
        assert outbox.flush(5)
        bodies = [request.body for request in server.received]
        assert (
            sum(body.startswith((b'{"event_id": "a"', b'{"event_id": "b"')) for body in bodies) == 2
        )
        # SQLite keeps no checksum of a body, so that half of one may be another's.
        assert len(bodies) == len(set(bodies))
        outbox.close(1)


def test_a_rubbish_wal_beside_a_good_spool_is_no_damage(
    filled: None,
    path: str,
    server: RecordingSentry,
    new_outbox: NewOutbox,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """SQLite reads no frame without a good checksum."""
    for suffix in ("-wal", "-shm"):
        with open(path + suffix, "wb") as file:
            os.chmod(path + suffix, 0o600)
            file.write(os.urandom(100_000))
    outbox = new_outbox(spool=path, destination=server.url)
    outbox.resume()
    assert outbox.flush(5)
    assert server.ids == [f"old-{index}" for index in range(30)]
    assert "damaged" not in caplog.text


def test_a_ticket_of_a_spool_that_was_set_aside_claims_nothing(
    path: str,
    server: RecordingSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
    until: Until,
    workers: Workers,
) -> None:
    """Its id is another item's in the new file, which was sent."""
    server.answer = lambda request: (503, {}, b"")
    outbox = new_outbox(spool=path)
    lost = outbox.put(event(server, "lost"))
    outbox.close(0)
    until(lambda: not workers())
    zero(path)
    server.answer = lambda request: (200, {}, b"{}")
    after = new_outbox(spool=path)
    assert after.put(event(server, "new")).wait(5) == "sent"
    assert lost.state != "sent"


def test_several_processes_set_a_damaged_spool_aside_once(
    path: str, server: RecordingSentry, spawn: Spawn, event: MakeEvent
) -> None:
    """The second must not move the new one."""
    Spool(path, 1, 1).count()
    garbage(path)
    script = """
sys.stdin.readline()
outbox = Outbox(spool=sys.argv[1])
print([outbox.put(event(sys.argv[2], sys.argv[3] + str(i))).wait(10) for i in range(5)], flush=True)
"""
    children = [spawn(script, path, server.url, name) for name in "abc"]
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    assert [child.stdout.readline() for child in children] == [f"{['sent'] * 5}\n"] * 3
    assert len(server.ids) == len(set(server.ids)) == 15
    with open(f"{path}.damaged", "rb") as file:
        assert file.read(256) == bytes(range(256))


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
    outbox.put(Item("feedback", "e", first, second))
    until(lambda: outbox.counters.retried)
    fill(small_disk)
    codes["/first/"] = 404
    server.received.clear()
    assert outbox.flush(10)
    assert [request.path for request in server.received][-2:] == ["/first/", "/second/"]
    assert [request.path for request in server.received].count("/second/") == 1


# Files of others


@pytest.mark.parametrize("suffix", ["", "-wal", ".lock"])
def test_a_spool_that_becomes_unsafe_is_not_used(
    suffix: str,
    path: str,
    server: RecordingSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A link to another file, put there after the start: memory takes over, and that is said."""
    other = f"{path}.other"
    plant(other, server.url)
    if suffix:
        Spool(path, 1, 1).count()
    os.symlink(other + suffix, path + suffix)
    outbox = new_outbox(spool=path)
    assert outbox.put(event(server, "a")).wait(5) == "sent" or suffix
    outbox.flush(5)
    assert server.ids == ["a"]
    assert "symbolic link" in caplog.text
    assert count(other) == 1


def test_a_spool_is_not_begun_through_a_link(
    path: str, server: RecordingSentry, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """What a link to nothing would make there is not made."""
    os.symlink(f"{path}.target", path)
    assert new_outbox(spool=path).put(event(server, "a")).wait(5) == "sent"
    assert not os.path.exists(f"{path}.target")


def test_flush_says_false_where_the_spool_was_lost_with_something_in_it(
    path: str, server: RecordingSentry, dead_port: int, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """Nothing is in the queue any more, and something is left all the same."""
    outbox = new_outbox(spool=path)
    outbox.put(event(f"http://127.0.0.1:{dead_port}", "left"))
    # Another file, so that the open connection is not used on.
    with open(f"{path}.copy", "wb"):
        os.chmod(f"{path}.copy", 0o666)
    os.replace(f"{path}.copy", path)
    assert outbox.put(event(server, "b")).wait(5) == "sent"
    assert outbox.flush(1) is False


# Every refusal


def test_every_refusal_is_counted_and_said_once(
    server: RecordingSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Full, too large, closed, a fault of ours: one line a minute with the number of each."""
    outbox = new_outbox(max_items=2, max_bytes=10_000)
    hold = Request(f"{server.url}/x", {}, b"")
    server.answer = lambda request: (503, {"Retry-After": "60"}, b"")
    for _ in range(4):
        outbox.put(Item("event", "e", hold))
    outbox.put(event(server, "large", size=20_000))
    assert outbox.counters.dropped == 3
    monkeypatch.setattr(MemoryQueue, "add", lambda *args: 1 / 0)
    assert outbox.put(Item("event", "e", hold)) is None
    assert outbox.counters.dropped == 4
    outbox.close(0)
    for _ in range(3):
        assert outbox.put(Item("event", "e", hold)) is None
    assert outbox.counters.dropped == 7
    said = [record.message for record in caplog.records if "Not delivered" in record.message]
    assert said
    assert len(said) <= 2


def test_what_the_delivery_logs_is_counted_too(
    server: RecordingSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An event made while another is delivered is refused, since it would follow itself."""
    outbox = new_outbox()
    results = []

    def post(request: Request) -> Answer:
        results.append(outbox.put(event(server, "inner")))
        return Answer(200)

    monkeypatch.setattr(outbox._here().sender, "post", post)
    assert outbox.put(event(server, "outer")).wait(5) == "sent"
    assert results == [None]
    assert outbox.counters.dropped == 1
