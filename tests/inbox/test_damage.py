"""An inbox whose file is deleted, damaged, replaced, or was made by somebody else."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import stat
from pathlib import Path

import pytest

from flask_sentry_kit.inbox import InboxError, create_inbox
from flask_sentry_kit.inbox.content.feedback_item import read_feedback
from flask_sentry_kit.inbox.storage.store import Store
from tests.support.inbox import RunningInbox, feedback_item

EVENT_ID = "0123456789abcdef0123456789abcdef"
PAGES = (
    "/",
    "/words/",
    f"/events/{EVENT_ID}/",
    "/api/v1/events",
    "/api/v1/crashes",
    "/api/v1/words",
)


def file_of(served: RunningInbox) -> Path:
    path: Path = served.server.app.extensions["sentry_kit_inbox"].store.path
    return path


def settle(path: Path) -> None:
    """Bring everything from the log into the file itself."""
    db = sqlite3.connect(path)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    db.close()


def set_aside(path: Path) -> list[Path]:
    return [
        found
        for found in path.parent.glob(f"{path.name}.damaged-*")
        if not found.name.endswith(("-wal", "-shm"))
    ]


def fill(path: Path, events: int = 40) -> Path:
    """An inbox's file of some pages, closed."""
    store = Store(path)
    for number in range(events):
        body = {"extra": {"noise": os.urandom(1_000).hex()}, "message": f"m{number}"}
        store.add_event(f"{number:032x}", json.dumps(body).encode(), body)
        store.put_report(f"{number:032x}", "Ann", "a@b.example", "words " * 50)
        item = feedback_item(number, "words " * 50, None, tags={"plan": "gold"})
        if feedback := read_feedback(item, None):
            store.add_feedback(feedback)
    store.public_key("k" * 32)
    store.close()
    return path


@pytest.mark.parametrize("beside", [True, False])
def test_a_file_deleted_while_it_runs_comes_back_private(
    served: RunningInbox, beside: bool
) -> None:
    """The next event is kept in a new file of mode 0600, and the DSN stays the same."""
    served.store(served.event("f" * 32))
    path = file_of(served)
    for found in path.parent.glob(f"{path.name}*") if beside else [path]:
        found.unlink()
    assert served.store().status == 200
    assert [event["event_id"] for event in served.api("events")["events"]] == [EVENT_ID]
    modes = {stat.S_IMODE(found.stat().st_mode) for found in path.parent.glob(f"{path.name}*")}
    assert modes == {0o600}
    assert Store(path).public_key() == served.key


def test_a_file_replaced_while_it_runs_is_used(served: RunningInbox, tmp_path: Path) -> None:
    """A copy that was put back is read from then on, under the DSN that apps have."""
    path = file_of(served)
    os.replace(fill(tmp_path / "copy.sqlite"), path)
    assert served.store().status == 200
    assert len(served.api("events")["events"]) == 41


@pytest.mark.parametrize("cut", [0.5, 0.9, None])
def test_damage_met_at_run_time_is_a_clear_answer(
    served: RunningInbox, cut: float | None, caplog: pytest.LogCaptureFixture
) -> None:
    """503 at most, never 500; the file is set aside, said once, and events are kept again."""
    for number in range(30):
        served.store(served.event(f"{number:032x}", kind=f"Error{number}"))
    path = file_of(served)
    settle(path)
    size = path.stat().st_size
    with open(path, "r+b") as file:
        if cut is None:
            file.write(random.Random(1).randbytes(size))
        else:
            file.truncate(int(size * cut))
    statuses = [served.request("GET", page).status for page in PAGES * 2]
    statuses += [served.store().status for _ in range(2)]
    assert 500 not in statuses
    assert statuses[-1] == 200
    assert len(set_aside(path)) == 1
    assert [record.getMessage().count("set aside as") for record in caplog.records].count(1) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_flipped_byte_is_a_500(served: RunningInbox, tmp_path: Path) -> None:
    """Whatever is damaged, at start or later: read, set aside, or a clear error."""
    whole = fill(tmp_path / "whole.sqlite").read_bytes()
    dice = random.Random(7)
    refused = 0
    for number in range(15):
        data = bytearray(whole)
        for _ in range(dice.choice((1, 20, 400))):
            data[dice.randrange(len(data))] = dice.randrange(256)
        path = tmp_path / f"flipped-{number}.sqlite"
        path.touch(0o600)
        path.write_bytes(data)
        try:
            app = create_inbox(path)
        except InboxError:
            refused += 1
            continue
        client = app.test_client()
        key = app.extensions["sentry_kit_inbox"].public_key
        listed = client.get("/api/v1/crashes").get_json(silent=True) or {}
        crashes = listed.get("crashes", [])
        pages = [*PAGES, *(f"/events/{n:032x}/" for n in range(0, 40, 5))]
        for page in [*pages, *(f"/crashes/{found['crash']}/" for found in crashes[:5])]:
            assert client.get(page).status_code in (200, 404, 410, 503)
        auth = {"X-Sentry-Auth": f"Sentry sentry_key={key}"}
        posted = [
            client.post("/api/1/store/", json={"message": "x"}, headers=auth).status_code
            for _ in range(2)
        ]
        assert posted[-1] == 200 and set(posted) <= {200, 503}
        app.extensions["sentry_kit_inbox"].store.close()
    # Most damage is no reason not to start.
    assert refused < 8


def test_an_event_that_cannot_be_read_is_410(served: RunningInbox) -> None:
    """One damaged row spoils its own page, and no other."""
    served.store()
    served.store(served.event("f" * 32))
    db = sqlite3.connect(file_of(served))
    db.execute("UPDATE events SET at = 9e99 WHERE event_id = ?", (EVENT_ID,))
    db.execute("UPDATE bodies SET body = x'00' WHERE seq = 1")
    db.commit()
    db.close()
    assert served.request("GET", f"/events/{EVENT_ID}/").status == 410
    assert served.request("GET", f"/api/v1/events/{EVENT_ID}").status == 410
    for page in ("/", f"/events/{'f' * 32}/", "/api/v1/events"):
        assert served.request("GET", page).status == 200


def test_an_event_that_its_crash_does_not_list_is_410(served: RunningInbox) -> None:
    """A damaged index may leave out a row that is there."""
    served.store()
    db = sqlite3.connect(file_of(served))
    db.execute("PRAGMA writable_schema = ON")
    db.execute(
        "UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master"
        " WHERE name = 'crashes_touched') WHERE name = 'events_crash'"
    )
    db.commit()
    db.close()
    for path in (f"/events/{EVENT_ID}/", f"/api/v1/events/{EVENT_ID}"):
        assert served.request("GET", path).status == 410


def test_a_damaged_file_is_set_aside_at_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It stays there under another name, and an empty inbox begins with the same DSN's key."""
    path = fill(tmp_path / "inbox.sqlite")
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size // 2)
    damaged = path.read_bytes()
    store = Store(path)
    (aside,) = set_aside(path)
    assert aside.read_bytes() == damaged
    assert store.counts().crashes == 0
    assert store.public_key() == "k" * 32
    assert str(aside) in caplog.text


@pytest.mark.parametrize("length", [1, 50, 100])
def test_what_may_be_no_inbox_is_refused_and_left_alone(tmp_path: Path, length: int) -> None:
    """A file too short to be recognized may be another program's: it is not moved."""
    path = tmp_path / "inbox.sqlite"
    path.touch(0o600)
    path.write_bytes((b"SQLite format 3\0" + b"x" * 200)[:length])
    before = path.read_bytes()
    with pytest.raises(InboxError, match="Move it away, or name another file"):
        Store(path)
    assert path.read_bytes() == before
    assert list(tmp_path.glob("*damaged*")) == []


def test_another_programs_database_is_left_as_it_is(tmp_path: Path) -> None:
    """Not even its journal mode is changed."""
    path = tmp_path / "theirs.sqlite"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE theirs (x)")
    db.close()
    path.chmod(0o600)
    before = path.read_bytes()
    with pytest.raises(InboxError, match="another program's"):
        Store(path)
    assert path.read_bytes() == before


def test_another_versions_tables_are_refused(tmp_path: Path) -> None:
    """With our mark and other tables it is not ours to change."""
    path = fill(tmp_path / "inbox.sqlite")
    db = sqlite3.connect(path)
    db.execute("ALTER TABLE events ADD COLUMN colour TEXT")
    db.close()
    with pytest.raises(InboxError, match="another version"):
        Store(path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has access lists")
@pytest.mark.parametrize("how", ["link", "link beside", "group may write", "others may write"])
def test_a_file_others_may_have_prepared_is_refused_at_start(tmp_path: Path, how: str) -> None:
    """Who can write it decides what a developer reads, and whose events are shown."""
    path = fill(tmp_path / "inbox.sqlite")
    if how == "link":
        path = tmp_path / "link.sqlite"
        path.symlink_to(tmp_path / "inbox.sqlite")
    elif how == "link beside":
        (tmp_path / "inbox.sqlite-wal").symlink_to(tmp_path / "elsewhere")
    else:
        path.chmod(0o620 if how.startswith("group") else 0o602)
    with pytest.raises(InboxError, match=r"link|may be written by"):
        Store(path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has access lists")
def test_a_file_opened_to_others_while_it_runs_is_a_503(served: RunningInbox) -> None:
    """Until it is private again; nothing is written to it meanwhile, and nothing is lost."""
    path = file_of(served)
    served.store(served.event("f" * 32))
    path.chmod(0o666)
    answer = served.store()
    assert answer.status == 503 and int(answer.headers["Retry-After"]) > 0
    path.chmod(0o600)
    assert served.store().status == 200
    assert len(served.api("events")["events"]) == 2
