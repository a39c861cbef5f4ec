"""A: around it: release, logging, global hooks, DSNs, and what a request and a crash cost."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import logging
import secrets
import subprocess
import sys
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import raven
from raven.transport.threaded import ThreadedHTTPTransport

from .book import row
from .rig import Rig, expect, frames

# raven asks it for versions, where it is installed.
HAS_PKG_RESOURCES = importlib.util.find_spec("pkg_resources") is not None


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-c", "protocol.file.allow=always", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        env={
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(folder),
            "GIT_AUTHOR_NAME": "G",
            "GIT_AUTHOR_EMAIL": "g@h",
            "GIT_COMMITTER_NAME": "G",
            "GIT_COMMITTER_EMAIL": "g@h",
        },
    )
    return done.stdout.strip()


def _repository(folder: Path, *options: str) -> Path:
    made = folder / "repository"
    made.mkdir()
    _git(made, "init", "-q", "-b", "main", *options)
    _git(made, "commit", "-q", "--allow-empty", "-m", "first")
    return made


def _worktree(folder: Path) -> Path:
    _git(_repository(folder), "worktree", "add", "-q", "-b", "other", str(folder / "tree"))
    _git(folder / "tree", "commit", "-q", "--allow-empty", "-m", "second")
    return folder / "tree"


def _submodule(folder: Path) -> Path:
    inner = _repository(folder)
    (folder / "outer").mkdir()
    outer = _repository(folder / "outer")
    _git(outer, "submodule", "--quiet", "add", str(inner), "inner")
    return outer / "inner"


def _subdirectory(folder: Path) -> Path:
    made = _repository(folder) / "shop" / "views"
    made.mkdir(parents=True)
    return made


def _bare(folder: Path) -> Path:
    _git(folder, "clone", "-q", "--bare", str(_repository(folder)), "bare")
    return folder / "bare"


def _reftable(folder: Path) -> Path:
    return _repository(folder, "--ref-format=reftable")


def _symbolic(folder: Path) -> Path:
    made = _repository(folder)
    _git(made, "symbolic-ref", "refs/heads/live", "refs/heads/main")
    _git(made, "symbolic-ref", "HEAD", "refs/heads/live")
    return made


@row("A1a", "fetch_git_sha in a worktree", _worktree, seen="NotADirectory|InvalidGit")
@row("A1b", "… in a submodule", _submodule, seen="NotADirectory|InvalidGit")
@row("A1c", "… in a subdirectory", _subdirectory, seen="InvalidGit")
@row("A1d", "… in a bare repository", _bare, seen="InvalidGit")
@row("A1e", "… with a chain of symbolic refs", _symbolic, seen="ref: refs/heads/main")
def release(sentry_class: Any, rig: Rig, build: Callable[[Path], Path]) -> None:
    """fetch_git_sha returns the commit that git shows, anywhere in a repository."""
    folder = build(rig.folder())
    fetch = raven.fetch_git_sha
    if not sentry_class.__module__.startswith("raven."):
        from flask_sentry_kit import fetch_git_sha as fetch
    try:
        found = fetch(str(folder))
    except Exception as error:
        found = f"{type(error).__name__}: {error}"
    expect(found == _git(folder, "rev-parse", "HEAD"), found)


def _git_version() -> tuple[int, ...]:
    try:
        said = subprocess.run(["git", "version"], capture_output=True, text=True).stdout
    except OSError:
        return (0,)
    return tuple(int(part) for part in said.split()[2].split(".")[:2])


if _git_version() >= (2, 45):  # the first that can make such a repository
    row("A1f", "… in a reftable repository", _reftable, seen="InvalidGit")(release)


def _logs(name: str) -> str:
    logging.getLogger(name).error("told")
    return "fine"


def _logging_app(sentry_class: Any, rig: Rig, project: int, **options: Any) -> Any:
    app = rig.flask(f"shop{project}")
    app.add_url_rule("/", "view", _logs, defaults={"name": "shop"})
    app.add_url_rule("/<name>", "view", _logs)
    options.setdefault("level", logging.ERROR)
    return app, sentry_class(app, dsn=rig.wire.dsn_of(project), logging=True, **options)


@row("A2a", "logging=True on two apps: whose record", seen="project 1")
def second_logging(sentry_class: Any, rig: Rig) -> None:
    """A log record goes to the app in whose request it was logged."""
    other = _logging_app(sentry_class, rig, 1)
    app, sentry = _logging_app(sentry_class, rig, 2)
    rig.visit(app)
    rig.settle(sentry, app)
    rig.settle(other[1], other[0])  # each has a queue of its own
    hits = [hit for hit in rig.wire.received if "told" in str((hit.event or {}).get("message"))]
    expect([hit.project for hit in hits] == ["2"], "".join(f"project {h.project} " for h in hits))


@row("A2b", "… and whose exclusions", seen="1 events")
def second_exclusions(sentry_class: Any, rig: Rig) -> None:
    """An app's own logging_exclusions hold for its own requests."""
    other = _logging_app(sentry_class, rig, 1)
    app, sentry = _logging_app(sentry_class, rig, 2, logging_exclusions=("quiet",))
    rig.visit(app, "/quiet")
    rig.settle(other[1], other[0])  # each has a queue of its own
    events = rig.settle(sentry, app)
    expect(not events, f"{len(events)} events")


@row("A2c", "excluded loggers are changed", seen="propagate=False")
def exclusions_only_exclude(sentry_class: Any, rig: Rig) -> None:
    """A logger that is excluded stays as it was."""
    _logging_app(sentry_class, rig, 1, logging_exclusions=("quiet",))
    quiet = logging.getLogger("quiet")
    expect(
        quiet.propagate and not quiet.handlers,
        f"propagate={quiet.propagate}, handlers={quiet.handlers}",
    )


@row("A2d", "own exclusions drop the default ones", seen="1 events")
def default_exclusions(sentry_class: Any, rig: Rig) -> None:
    """logging_exclusions add to those that raven has by default (gunicorn, raven …)."""
    app, sentry = _logging_app(sentry_class, rig, 1, logging_exclusions=("quiet",))
    rig.visit(app, "/gunicorn")
    events = rig.settle(sentry, app)
    expect(not events, f"{len(events)} events")


class Chatty(ThreadedHTTPTransport):  # raven carries no types
    """A transport that logs, as HTTP libraries do."""

    @staticmethod
    def before_sending(data: bytes) -> None:
        logging.getLogger("chatty").error("sending %d bytes", len(data))

    def send_sync(self, url: str, data: bytes, *rest: Any) -> None:
        self.before_sending(data)
        super().send_sync(url, data, *rest)


@row("A3", "a transport that logs", seen=r"^\d\d+ events")
def chatty_transport(sentry_class: Any, rig: Rig) -> None:
    """What the transport logs while it sends an event makes no further events."""
    app = rig.flask(SENTRY_TRANSPORT=Chatty)
    sentry = sentry_class(app, dsn=rig.wire.dsn, logging=True, level=logging.ERROR)
    app.add_url_rule("/", "view", _logs, defaults={"name": "shop"})
    rig.visit(app)
    rig.wire.events_arrive(1)
    rig.wire.events_arrive(2, 1.0)
    count = len(rig.settle(sentry, app))
    if count > 1:  # and no end of it
        rig.wire.events_arrive(12, 20.0)
        count = len(rig.wire.events)
    expect(count == 1, f"{count} events")


@row("A4a", "sys.excepthook is taken", seen="sys.excepthook is")
def excepthook(sentry_class: Any, rig: Rig) -> None:
    """A reporter that nobody asked to leaves sys.excepthook alone."""
    before = sys.excepthook
    rig.app(sentry_class)
    expect(sys.excepthook is before, f"sys.excepthook is {sys.excepthook}")


@row("A4b", "logging's methods are replaced", seen="replaced: ")
def logging_methods(sentry_class: Any, rig: Rig) -> None:
    """A reporter that nobody asked to leaves logging alone."""
    names = ("debug", "info", "warning", "error", "exception", "critical", "log", "_log", "handle")
    before = {name: getattr(logging.Logger, name) for name in names}
    handlers = list(logging.getLogger().handlers)
    rig.app(sentry_class)
    changed = [name for name in names if getattr(logging.Logger, name) is not before[name]]
    expect(not changed, f"replaced: {', '.join(changed)}")
    expect(logging.getLogger().handlers == handlers, "a handler on the root logger")


@row("A4c", "a client is never freed", seen="kept: ")
def freed(sentry_class: Any, rig: Rig) -> None:
    """An app that is gone takes its reporter with it."""
    app, sentry = rig.app(sentry_class)
    alive = {"the app": weakref.ref(app), "the client": weakref.ref(sentry.client)}
    del app, sentry
    gc.collect()
    kept = [name for name, reference in alive.items() if reference() is not None]
    expect(not kept, f"kept: {', '.join(kept)}")


def _debug_call() -> float:
    """Nanoseconds of a disabled debug(); the best of several rounds."""
    logger = logging.getLogger("shop.quiet")
    times = []
    for _ in range(20):
        began = time.thread_time_ns()
        for _ in range(500):
            logger.debug("nothing")
        times.append((time.thread_time_ns() - began) / 500)
    return min(times)


@row("A4d", "a disabled debug() with 50 clients", seen=r"\d\d+ times", alone=True)
def debug_cost(sentry_class: Any, rig: Rig) -> None:
    """A disabled log call costs the same whether there is a reporter or not."""
    before = _debug_call()
    kept = [rig.app(sentry_class) for _ in range(50)]
    ratio = _debug_call() / before
    expect(ratio < 3, f"{ratio:.0f} times as much, {len(kept)} clients")


def _made(sentry_class: Any, rig: Rig, dsn: str) -> Any:
    app = rig.flask()
    return app, sentry_class(app, dsn=dsn)


@row("A5a", "a malformed DSN: the error has the secret", seen="the secret is in it")
def malformed(sentry_class: Any, rig: Rig) -> None:
    """The error about a malformed DSN shows no secret."""
    secret = secrets.token_hex(16)
    for dsn in (
        f"https://public:{secret}@sentry.example/",
        f"gopher://public:{secret}@sentry.example/1",
        f"https://public:{secret}@/1",
    ):
        try:
            _made(sentry_class, rig, dsn)
        except Exception as error:
            expect(secret not in f"{error!r} {error}", f"the secret is in it: {error}")
        else:
            expect(False, f"accepted: {dsn.replace(secret, '…')}")


@row("A5b", "an IPv6 host", seen="public DSN")
def ipv6(sentry_class: Any, rig: Rig) -> None:
    """A DSN's host can be an IPv6 address."""
    wire = rig.new_wire(host="::1")
    app, sentry = _made(sentry_class, rig, wire.dsn)
    with app.app_context():
        sentry.captureMessage("hello")
    expect(wire.events_arrive(1, 2.0), "no event")
    # By luck raven's own client finds the port behind so many colons; no browser does.
    try:
        public = sentry.client.get_public_dsn()
    except ValueError as error:
        public = str(error)
    expect(f"[::1]:{wire.port}" in public, f"public DSN {public}")


@row("A5c", "a space in the host", seen="accepted")
def space(sentry_class: Any, rig: Rig) -> None:
    """A DSN with white space in its host is refused."""
    try:
        _made(sentry_class, rig, "https://public:secret@sentry .example/1")
    except Exception:
        return
    expect(False, "accepted")


@row("A5d", "a trailing slash", seen="InvalidDsn")
def trailing_slash(sentry_class: Any, rig: Rig) -> None:
    """A DSN may end in a slash."""
    try:
        app, sentry = _made(sentry_class, rig, rig.wire.dsn + "/")
    except Exception as error:
        expect(False, type(error).__name__)
    with app.app_context():
        sentry.captureMessage("hello")
    expect(rig.wire.events_arrive(1), "no event")


def _cost(call: Callable[[], object], rounds: int, each: int) -> Callable[[], float]:
    """Measures µs of this thread's CPU in a call; ``each`` calls a round, the best round counts."""

    def measure() -> float:
        best = float("inf")
        for _ in range(rounds):
            began = time.thread_time_ns()
            for _ in range(each):
                call()
            best = min(best, (time.thread_time_ns() - began) / each / 1000)
        return best

    return measure


def _caller(app: Any, path: str) -> Callable[[], object]:
    """Calls the app as a server does, and nothing more."""
    from werkzeug.test import EnvironBuilder

    environ = EnvironBuilder(path=path).get_environ()

    def call() -> None:
        answer = app(dict(environ), lambda status, headers, exc_info=None: None)
        for _ in answer:
            pass
        close = getattr(answer, "close", None)
        if close is not None:
            close()

    return call


def _ratio(sentry_class: Any, rig: Rig, path: str, rounds: int, each: int) -> float:
    """Cost of a request over that of bare Flask, turn about; the smallest of each counts."""
    logging.disable()  # Flask's own report of a crash is not what is measured
    bare = rig.flask()
    # A server that holds on to its first event: the worker takes no time from what is measured.
    kept, _ = rig.app(sentry_class, wire=rig.new_wire(hold=True))
    for app in (bare, kept):
        app.add_url_rule("/", "view", lambda: "fine")
        app.add_url_rule("/crash", "crash", lambda: str(1 / 0))
        if app is bare:
            app.register_error_handler(500, lambda error: ("<h1>Sorry</h1>", 500))
    measures = [_cost(_caller(app, path), rounds, each) for app in (bare, kept)]
    gc.disable()
    for measure in measures:
        measure()
    pairs = [[measure() for measure in measures] for _ in range(4)]
    base, cost = (min(pair[side] for pair in pairs) for side in (0, 1))
    return cost / base


@row("A6a", "a healthy request, over bare Flask", seen=r"^\d\.\d\d times", alone=True)
def healthy_cost(sentry_class: Any, rig: Rig) -> None:
    """A healthy request costs what bare Flask costs (5 % is the goal that benchmarks/ measures)."""
    ratio = _ratio(sentry_class, rig, "/", 8, 40)
    expect(ratio < 1.25, f"{ratio:.2f} times bare Flask")


@row("A6b", "a crash, over bare Flask", seen=r"^\d\d\.\d times", alone=True)
def crash_cost(sentry_class: Any, rig: Rig) -> None:
    """A crash costs far less than with raven (half is the goal that benchmarks/ measures)."""
    ratio = _ratio(sentry_class, rig, "/crash", 4, 15)
    expect(ratio < 12, f"{ratio:.1f} times bare Flask")


@row("A6c", "sources read again for every frame", seen=r"read \d\d+ times")
def source_reads(sentry_class: Any, rig: Rig) -> None:
    """A module's source is read once, not for every frame of every crash."""
    folder = rig.folder()
    path = folder / "deepshop.py"
    path.write_text("def deep(left):\n    return 1 / left if not left else deep(left - 1)\n")
    sys.path.insert(0, str(folder))
    module = importlib.import_module("deepshop")
    app, sentry = rig.crashing(sentry_class, lambda: module.deep(20))
    logging.disable()  # Flask's own report of a crash reads sources too
    opened: list[str] = []
    sys.addaudithook(lambda name, args: opened.append(str(args[0])) if name == "open" else None)
    for _ in range(3):
        rig.visit(app)
    events = rig.settle(sentry, app)
    expect(len(events) == 3, f"{len(events)} events")
    last = frames(events[-1])[-1]
    expect("1 / left" in str(last.get("context_line")), f"no source: {last}")
    reads = opened.count(str(path))
    expect(reads <= 1, f"read {reads} times")


@row("A6d", "the first crash imports pkg_resources", seen="imported", raven_too=HAS_PKG_RESOURCES)
def first_crash(sentry_class: Any, rig: Rig) -> None:
    """The first crash imports nothing large."""
    app, sentry = rig.crashing(
        sentry_class, lambda: str(1 / 0), SENTRY_INCLUDE_PATHS=["tests.faults.rig"]
    )
    rig.crash(sentry, app)
    expect("pkg_resources" not in sys.modules, "pkg_resources was imported")
