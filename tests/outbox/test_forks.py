"""Processes that fork: an empty queue, connections and threads of their own."""

from __future__ import annotations

import os
from pathlib import Path

from flask_sentry_kit.outbox import Outbox
from tests.support.outbox import run
from tests.support.sentry import RecordingSentry
from tests.support.types import MakeEvent, Spawn, Workers


def test_d8_a_forked_child_has_an_empty_queue_and_ends_at_once(
    hung: RecordingSentry, spawn: Spawn
) -> None:
    """The parent's items are the parent's; no lock is held that nobody will release."""
    child = spawn(
        """
outbox = Outbox(timeout=30)
for i in range(20): outbox.put(event(sys.argv[1], f"parent-{i}"))
while outbox.counters.queued < 20: pass
stop = threading.Event()
def churn():
    while not stop.is_set():
        outbox.put(event(sys.argv[1], "churn"))
        time.sleep(0.0005)
putters = [threading.Thread(target=churn) for _ in range(3)]
for putter in putters: putter.start()
codes = []
for i in range(20):
    pid = os.fork()
    if pid == 0:
        began = time.monotonic()
        empty = outbox.counters == (0, 0, 0, 0)
        kept = outbox.flush(1)
        sys.exit(0 if empty and kept and time.monotonic() - began < 1 else 1)
    codes.append(os.waitpid(pid, 0)[1])
stop.set()
for putter in putters: putter.join()
print(set(codes), outbox.counters.queued >= 20, flush=True)
os._exit(0)
""",
        hung.url,
    )
    out, err, took = run(child)
    assert (out, err) == ("{0} True\n", "")
    assert took < 15


def test_d8_a_forked_child_sends_its_own_over_a_connection_of_its_own(
    server: RecordingSentry, spawn: Spawn
) -> None:
    """No socket is shared with the parent: two processes' bytes never mix."""
    child = spawn(
        """
outbox = Outbox()
print(outbox.put(event(sys.argv[1], "before")).wait(5), flush=True)
pid = os.fork()
ids = ["child" if pid == 0 else "parent"] * 20
tickets = [outbox.put(event(sys.argv[1], id, size=3000)) for id in ids]
good = [ticket.wait(5) for ticket in tickets] == ["sent"] * 20
if pid == 0: sys.exit(0 if good else 1)
print(good, os.waitpid(pid, 0)[1], outbox.counters.sent)
""",
        server.url,
    )
    assert run(child)[:2] == ("sent\nTrue 0 21\n", "")
    assert server.connections == 2
    assert sorted(server.ids) == ["before"] + ["child"] * 20 + ["parent"] * 20


def test_d8_a_fork_that_runs_no_hooks_is_noticed_too(server: RecordingSentry, spawn: Spawn) -> None:
    """uWSGI forks without Python's knowledge: the process id shows it."""
    child = spawn(
        """
outbox = Outbox()
assert outbox.put(event(sys.argv[1], "before")).wait(5) == "sent"
ticket = outbox.put(event(sys.argv[1], "parent"))
pid = os.fork()
if pid == 0: sys.exit(0 if outbox.put(event(sys.argv[1], "child")).wait(5) == "sent" else 1)
print(os.waitpid(pid, 0)[1], ticket.wait(5))
""",
        server.url,
        prelude="import os; os.register_at_fork = lambda **hooks: None\n",
    )
    assert run(child)[:2] == ("0 sent\n", "")
    assert sorted(server.ids) == ["before", "child", "parent"]


def test_d8_no_thread_runs_in_the_process_that_uwsgi_forks(
    server: RecordingSentry, spawn: Spawn, tmp_path: Path
) -> None:
    """There a thread would freeze every worker; what the first process put, a worker delivers."""
    child = spawn(
        """
stage = [0]
uwsgi = sys.modules["uwsgi"] = types.ModuleType("uwsgi")
uwsgi.worker_id = lambda: stage[0]
outbox = Outbox(spool=sys.argv[2])
outbox.put(event(sys.argv[1], "first"))
outbox.resume()
print(threading.active_count(), os.listdir(os.path.dirname(sys.argv[2])), flush=True)
pid = os.fork()
if pid == 0:
    stage[0] = 1
    sys.exit(0 if outbox.put(event(sys.argv[1], "worker")).wait(5) == "sent" else 1)
print(os.waitpid(pid, 0)[1])
""",
        server.url,
        tmp_path / "spool.db",
        prelude="import os; os.register_at_fork = lambda **hooks: None\n",
    )
    assert run(child)[:2] == ("1 ['spool.db']\n0\n", "")
    assert server.ids == ["first", "worker"]


def test_d8_forked_processes_share_a_spool_each_with_its_own_file(
    server: RecordingSentry, spawn: Spawn, tmp_path: Path
) -> None:
    """SQLite's file is never open across a fork: what children put is sent, and sent once."""
    child = spawn(
        """
outbox = Outbox(spool=sys.argv[2])
outbox.put(event(sys.argv[1], "parent-0"))
pids = []
for number in range(4):
    pid = os.fork()
    if pid == 0:
        tickets = [outbox.put(event(sys.argv[1], f"{number}-{i}")) for i in range(25)]
        sys.exit(0 if [t.wait(10) for t in tickets] == ["sent"] * 25 else 1)
    pids.append(pid)
    outbox.put(event(sys.argv[1], f"parent-{number + 1}"))
print([os.waitpid(pid, 0)[1] for pid in pids], outbox.flush(10), outbox.counters.queued)
""",
        server.url,
        tmp_path / "spool.db",
    )
    assert run(child)[:2] == ("[0, 0, 0, 0] True 0\n", "")
    assert len(server.ids) == len(set(server.ids)) == 105
    for number in "0123":
        own = [id for id in server.ids if id.startswith(f"{number}-")]
        assert own == [f"{number}-{i}" for i in range(25)]


def test_d8_no_two_processes_wait_alike(spawn: Spawn) -> None:
    """Back-off is drawn from the system's source: forked workers do not return in step."""
    child = spawn(
        """
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        print(backoff._random.uniform(0, 1)); sys.stdout.flush(); os._exit(0)
    os.waitpid(pid, 0)
""",
        prelude="import os; os.register_at_fork = lambda **hooks: None\n",
    )
    out, err, _ = run(child)
    assert err == ""
    assert len(set(out.split())) == 3


def test_a_fork_leaves_the_parents_worker_as_it_was(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent, workers: Workers
) -> None:
    """Forking (a subprocess pool, say) disturbs nobody here."""
    assert outbox.put(event(server, "a")).wait(5) == "sent"
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    assert outbox.put(event(server, "b")).wait(5) == "sent"
    assert server.connections == 1
    assert len(workers()) == 1
