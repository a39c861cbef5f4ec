"""D, where processes end or fork: what is queued arrives, and nobody waits for long."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import time
from typing import Any

from tests.support.sentry import Answer, Received

from .book import row
from .delivery import TAKEN, messages
from .rig import Rig, expect

ONE_CRASH = """
import sys
from flask import Flask
app = Flask("shop")
sentry = Sentry(app, dsn=sys.argv[1])
with app.app_context():
    sentry.captureMessage("before the end")
sys.stderr.write("end\\n")
"""


def _until(program: subprocess.Popen[str], word: str) -> None:
    """Wait until a program has said so."""
    said = []
    assert program.stderr
    for line in program.stderr:
        said.append(line)
        if line == word:
            return
    raise RuntimeError("".join(said))


@row("D6a", "exit waits for a dead server", seen="still exiting after 6 s")
def exit_time(sentry_class: Any, rig: Rig) -> None:
    """A program whose server is dead ends within two seconds (and a busy machine's slack)."""
    wire = rig.new_wire(hold=True)
    with rig.program(sentry_class, ONE_CRASH, wire.dsn_of(1, "?timeout=20")) as program:
        _until(program, "end\n")
        try:
            program.wait(6.0)
        except subprocess.TimeoutExpired:
            expect(False, "still exiting after 6 s")


@row("D6b", "exit prints to stdout", seen="printed .*Sentry is attempting")
def exit_output(sentry_class: Any, rig: Rig) -> None:
    """A reporter has nothing to say on the program's standard output."""
    wire = rig.new_wire(hold=True)
    with rig.program(sentry_class, ONE_CRASH, wire.dsn) as program:
        _until(program, "end\n")
        time.sleep(0.5)  # the program is at its end and waits; nothing else would show that
        wire.release()
        said, _ = program.communicate(timeout=20)
    expect(not said, f"printed {said!r}")


TEN_MESSAGES = """
import sys, time
from flask import Flask
app = Flask("shop")
app.config["SENTRY_KIT_SPOOL"] = sys.argv[2]
sentry = Sentry(app, dsn=sys.argv[1])
if Sentry.__module__.startswith("flask_sentry_kit"):
    from flask_sentry_kit import sentry_kit
    app.register_blueprint(sentry_kit)  # which reads the setting
with app.app_context():
    for number in range(int(sys.argv[3])):
        sentry.captureMessage(f"message {number}")
    if sys.argv[3] == "0":
        sentry.captureMessage("last")
sys.stderr.write("captured\\n")
time.sleep(60)
"""


UNDER_GUNICORN = """
import sys, flask
from gunicorn.app.base import BaseApplication
app = flask.Flask("shop")
sentry = Sentry(app, dsn=sys.argv[1])
@app.route("/")
def view():
    for number in range(10):
        sentry.captureMessage(f"message {number}")
    return "fine"
class Server(BaseApplication):
    def load_config(self):
        self.cfg.set("bind", "fd://" + sys.argv[2])
        if "control_socket_disable" in self.cfg.settings:
            self.cfg.set("control_socket_disable", True)
    def load(self):
        return app
Server().run()
"""


def _unhurried(hit: Received) -> Answer:
    """0.1 s for each event: what ten of them take is less than two seconds."""
    time.sleep(0.1)
    return TAKEN


@row("D6c", "SIGTERM, then the next process", seen=r"^\d of 10")
def terminated(sentry_class: Any, rig: Rig) -> None:
    """What SIGTERM cut off is delivered by the next process, where there is a spool."""
    wire = rig.new_wire(answer=_unhurried)
    spool = str(rig.folder() / "spool")
    for count in ("10", "0"):
        with rig.program(sentry_class, TEN_MESSAGES, wire.dsn, spool, count) as program:
            _until(program, "captured\n")
            if count == "10":
                program.send_signal(signal.SIGTERM)
                program.wait(20)
            else:
                wire.wait(lambda: messages(wire)[-1:] == ["last"])
    expect(len(set(messages(wire)) - {"last"}) == 10, f"{len(messages(wire)) - 1} of 10")


@row("D6d", "SIGTERM under gunicorn", seen="of 10", raven_too=False)
def terminated_worker(sentry_class: Any, rig: Rig) -> None:
    """SIGTERM under gunicorn loses nothing that two seconds can send."""
    # raven passes this: its exit takes up to ten seconds, which D6a holds against it.
    wire = rig.new_wire(answer=_unhurried)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.fileno()
        with rig.program(
            sentry_class, UNDER_GUNICORN, wire.dsn, str(number), pass_fds=[number]
        ) as program:
            visitor = http.client.HTTPConnection("127.0.0.1", listener.getsockname()[1], timeout=20)
            visitor.request("GET", "/")
            visitor.getresponse().read()
            visitor.close()
            program.send_signal(signal.SIGTERM)
            program.communicate(timeout=20)
    expect(len(wire.events) == 10, f"{len(wire.events)} of 10")


_PACKAGES = ("raven", "flask_sentry_kit")

NOTE_LOCKS = """
import sys, threading
made = []
PACKAGES = {packages}
class Noting:
    def __init__(self, kind):
        self.kind = kind
    def __call__(self):
        lock = self.kind()
        frame = sys._getframe(1)
        while frame.f_globals["__name__"] in ("threading", "queue"):
            frame = frame.f_back
        if frame.f_globals["__name__"].partition(".")[0] in PACKAGES:
            made.append(lock)
        return lock
threading.Lock, threading.RLock = Noting(threading.Lock), Noting(threading.RLock)
"""


FORKED_WITH_LOCKS_HELD = """
import os, time
from flask import Flask
app = Flask("shop")
sentry = Sentry(app, dsn=sys.argv[1])
with app.app_context():
    sentry.captureMessage("from the parent")
held, forked = threading.Event(), threading.Event()
def hold():
    mine = [lock for lock in made if lock.acquire(timeout=0.2)]
    held.set()
    # A fork that waits for these locks gets them after this second.
    forked.wait(1.0)
    for lock in mine:
        lock.release()
holder = threading.Thread(target=hold)
holder.start()
held.wait()
pid = os.fork()
if pid == 0:
    sys.exit(0)
forked.set()
holder.join()
deadline = time.monotonic() + 6.0
ended = 0
while not ended and time.monotonic() < deadline:
    ended, _ = os.waitpid(pid, os.WNOHANG)
    time.sleep(0.01)
if not ended:
    os.kill(pid, 9)
    os.waitpid(pid, 0)
print(f"{len(made)} locks,", "ended" if ended else "hangs", flush=True)
os._exit(0)
"""


@row("D8a", "forked while a lock is held", seen="hangs")
def fork_at_a_bad_time(sentry_class: Any, rig: Rig) -> None:
    """A child ends, whatever another thread of its parent was doing at the fork."""
    before = NOTE_LOCKS.format(packages=getattr(sentry_class, "packages", _PACKAGES))
    with rig.program(sentry_class, FORKED_WITH_LOCKS_HELD, rig.wire.dsn, before=before) as program:
        said, complaint = program.communicate(timeout=20)
    if said[-7:] not in (" ended\n", " hangs\n"):
        raise RuntimeError(complaint)
    expect("ended" in said, f"the child hangs at exit: {said}")
