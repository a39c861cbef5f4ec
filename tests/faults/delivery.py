"""D: delivery: verified, bounded, in order, and no worse for a server in trouble."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import ssl
import threading
import time
from email.utils import parsedate_to_datetime
from typing import Any

from tests.support.certificates import Certificates
from tests.support.sentry import JSON, SECRET_KEY, Answer, Received, RecordingSentry

from .book import row
from .rig import Rig, expect

TAKEN: Answer = 200, JSON, b"{}"

# ssl.wrap_socket, which raven calls, is gone: on these Pythons it delivers nothing over HTTPS.
WRAPS = hasattr(ssl, "wrap_socket")


def messages(wire: RecordingSentry) -> list[str]:
    return [str(event.get("message")) for event in wire.events]


def _fail() -> str:
    raise KeyError("lamp")


def _crash_to(rig: Rig, sentry_class: Any, dsn: str, **config: Any) -> Any:
    app = rig.flask(**config)
    sentry = sentry_class(app, dsn=dsn)
    app.add_url_rule("/", "view", _fail)
    return rig.visit(app), sentry, app


def _end(wire: RecordingSentry) -> bool:
    """Waits until the server has an event or a connection was given up."""
    return wire.wait(lambda: bool(wire.events or wire.refused_handshakes), 5.0)


@row("D1", "HTTPS on Python 3.12+", seen="no event", raven_too=not WRAPS)
def https(sentry_class: Any, rig: Rig) -> None:
    """An event is delivered over HTTPS, on every Python."""
    certificates = Certificates(rig.folder())
    wire = rig.new_wire(tls=certificates.context("localhost"))
    dsn = wire.dsn_of(1, f"?ca_certs={certificates.ca}")
    visit, _, _ = _crash_to(rig, sentry_class, dsn)
    expect(wire.events_arrive(1, 3.0), f"no event, while the page shows {visit.id}")


@row("D2a", "HTTPS without SNI", seen="asked for None", raven_too=WRAPS)
def server_name(sentry_class: Any, rig: Rig) -> None:
    """The request names the server (SNI), so that it can choose its certificate."""
    certificates = Certificates(rig.folder())
    context = certificates.context("localhost")
    wire = rig.new_wire(tls=context)
    _crash_to(rig, sentry_class, wire.dsn_of(1, f"?ca_certs={certificates.ca}"))
    expect(wire.events_arrive(1), "no event")
    asked = wire.server_names
    expect(asked == ["localhost"], f"asked for {asked[0] if asked else None}")


@row("D2b", "HTTPS to another name's certificate", seen="delivered", raven_too=WRAPS)
def other_name(sentry_class: Any, rig: Rig) -> None:
    """Nothing is delivered to a server that has another name's certificate."""
    certificates = Certificates(rig.folder())
    wire = rig.new_wire(tls=certificates.context("elsewhere.example"))
    _crash_to(rig, sentry_class, wire.dsn_of(1, f"?ca_certs={certificates.ca}"))
    if not _end(wire):
        # Both ends have finished the handshake; it is the client that hung up without a word.
        wire.wait(lambda: bool(wire.connections), 1.0)
    expect(not wire.events, "delivered to a server that is another")


def _redirecting(rig: Rig) -> tuple[RecordingSentry, RecordingSentry]:
    elsewhere = rig.new_wire()
    target = f"http://127.0.0.1:{elsewhere.port}/elsewhere"
    return elsewhere, rig.new_wire(answer=lambda hit: (302, {"Location": target}, b""))


@row("D3a", "a redirect is followed, secret and all", seen="secret elsewhere")
def redirected(sentry_class: Any, rig: Rig) -> None:
    """The DSN's secret goes to the DSN's host only: redirects are not followed."""
    elsewhere, wire = _redirecting(rig)
    _crash_to(rig, sentry_class, wire.dsn)
    expect(wire.events_arrive(1), "no event")
    # Time enough for a second request over loopback; one that never comes cannot be awaited.
    elsewhere.wait(lambda: bool(elsewhere.received), 1.0)
    leaked = [hit for hit in elsewhere.received if SECRET_KEY in str(hit.headers)]
    expect(not leaked, "secret elsewhere" + "".join(f": {h.method} {h.path}" for h in leaked))


class _Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != "shop":  # Flask's own report of the crash
            self.texts.append(record.getMessage())


@row("D3b", "… and counted as success", seen="nothing was logged")
def redirect_told(sentry_class: Any, rig: Rig) -> None:
    """An event that the server redirected was not delivered, and that is logged."""
    records = _Records()
    logging.getLogger().addHandler(records)
    elsewhere, wire = _redirecting(rig)
    _crash_to(rig, sentry_class, wire.dsn)
    expect(wire.events_arrive(1), "no event")
    wire.wait(lambda: bool(records.texts), 2.0)
    expect(records.texts, "nothing was logged")


@row("D4a", "the system's certificates are not used", seen="no event", raven_too=WRAPS)
def system_roots(sentry_class: Any, rig: Rig) -> None:
    """A server whose certificate the system trusts is trusted."""
    certificates = Certificates(rig.folder())
    # Says what OpenSSL takes for the system's certificates.
    os.environ["SSL_CERT_FILE"] = certificates.ca
    wire = rig.new_wire(tls=certificates.context("localhost"))
    _crash_to(rig, sentry_class, wire.dsn)
    _end(wire)
    expect(wire.events_arrive(1, 0.1), f"no event, {wire.refused_handshakes} refused handshakes")


@row("D4b", "expired roots are trusted", seen=r"\d\d expired roots")
def expired_roots(sentry_class: Any, rig: Rig) -> None:
    """The certificates that come with the reporter, if any, are no relics."""
    sentry = sentry_class(rig.flask(), dsn="https://k:s@localhost/1")
    transport = sentry.client.remote.get_transport()
    bundle = getattr(transport, "ca_certs", None)
    if bundle is None:
        return  # the system's, kept by the system
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(bundle)
    ends = [parsedate_to_datetime(str(root["notAfter"])) for root in context.get_ca_certs()]
    expired = [end for end in ends if end.timestamp() < time.time()]
    expect(not expired, f"{len(expired)} expired roots")


@row("D5a", "1,500 events waiting for a dead server", seen="1500 waiting")
def many_waiting(sentry_class: Any, rig: Rig) -> None:
    """What waits for a server that does not answer is bounded in number."""
    wire = rig.new_wire(hold=True)
    app = rig.flask()
    sentry = sentry_class(app, dsn=wire.dsn_of(1, "?timeout=30"))
    with app.app_context():
        ids = [sentry.captureMessage(f"message {number}") for number in range(1500)]
    expect(wire.events_arrive(1), "nothing arrived")
    # One is being sent; an id was given for what was accepted.
    waiting = len([one for one in ids if one]) - len(wire.received) + 1
    expect(waiting <= 1001, f"{waiting} waiting, by the ids that were given")


@row("D5b", "30 large crashes waiting", seen=r"\d\d MB waiting")
def much_waiting(sentry_class: Any, rig: Rig) -> None:
    """What waits for a server that does not answer is bounded in bytes."""

    wire = rig.new_wire(hold=True)
    app = rig.flask()
    sentry = sentry_class(app, dsn=wire.dsn_of(1, "?timeout=30"))
    app.add_url_rule("/", "view", _fail, methods=["POST"])
    body = secrets.token_hex(500_000).encode()  # nothing that compression could hide
    for _ in range(30):
        rig.visit(app, body=body, headers={"Content-Type": "application/json"})
    wire.events_arrive(1)
    wire.release()
    rig.settle(sentry, app, wire)
    waited = sum(len(hit.raw) for hit in wire.received)
    expect(waited <= 10_000_000, f"{waited // 1_000_000} MB waiting")


@row("D5c", "a connection for every event", seen="10 connections")
def connections(sentry_class: Any, rig: Rig) -> None:
    """Events share a connection."""
    app, sentry = rig.app(sentry_class)
    with app.app_context():
        for number in range(10):
            sentry.captureMessage(f"message {number}")
    expect(rig.wire.events_arrive(10), "not all arrived")
    expect(rig.wire.connections == 1, f"{rig.wire.connections} connections")


@row("D7a", "one 413, and the events behind it", seen=r"events lost")
def too_large(sentry_class: Any, rig: Rig) -> None:
    """An event that the server finds too large is dropped alone."""

    def script(hit: Received) -> Answer:
        large = "too large" in str((hit.event or {}).get("message"))
        return (413, {}, b"") if large else TAKEN

    def say(message: str) -> bool:
        with app.app_context():
            sentry.captureMessage(message)
        return wire.wait(lambda: message in messages(wire), 0.5)

    wire = rig.new_wire(answer=script)
    app, sentry = rig.app(sentry_class, wire=wire)
    said: list[str] = []
    for number in range(5):
        say(f"too large {number}")
        # raven hangs up when it has the answer, and backs off once it has logged that.
        wire.wait(lambda: wire.closed_connections == len(wire.received), 0.2)
        time.sleep(0.1)
        said.append(f"message {number}")
        if not say(said[-1]):
            break
    rig.settle(sentry, app, wire)
    lost = set(said) - set(messages(wire))
    expect(not lost, f"{len(lost)} of {len(said)} events lost")


def _second(rig: Rig, sentry_class: Any, wire: RecordingSentry, dsn: str, **config: Any) -> bool:
    """Whether a second event arrives within 4 s of the first one's getting stuck."""
    app = rig.flask(**config)
    sentry = sentry_class(app, dsn=dsn)
    with app.app_context():
        sentry.captureMessage("first")
        wire.events_arrive(1)
        sentry.captureMessage("second")
    return wire.wait(lambda: any(event.get("message") == "second" for event in wire.events), 4.0)


def _drip(hit: Received) -> None:
    """A header that grows by one byte at a time: no single read ever waits for long."""
    out = hit.handler.wfile
    try:
        out.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(60):
            out.write(b".")
            time.sleep(0.1)
        out.write(b"\r\n\r\n{}")
    except OSError:
        pass  # the client gave up


@row("D7b", "a server that drips", seen="held for 4 s")
def dripping(sentry_class: Any, rig: Rig) -> None:
    """The time-out is a deadline for the whole request, not for each byte of the answer."""
    wire = rig.new_wire(answer=lambda hit: TAKEN if hit.number else _drip(hit))
    arrived = _second(rig, sentry_class, wire, wire.dsn_of(1, "?timeout=1"))
    expect(arrived, "held for 4 s")


@row("D7c", "SENTRY_TIMEOUT", seen="held for 4 s")
def timeout_setting(sentry_class: Any, rig: Rig) -> None:
    """SENTRY_TIMEOUT is how long a server may take."""
    stuck = threading.Event()

    def script(hit: Received) -> Answer:
        if hit.number == 0:
            stuck.wait(20.0)
        return TAKEN

    wire = rig.new_wire(answer=script)
    arrived = _second(rig, sentry_class, wire, wire.dsn, SENTRY_TIMEOUT=1)
    stuck.set()
    expect(arrived, "held for 4 s")


@row("D8b", "all workers draw the same samples", seen="the same of 4 workers")
def samples(sentry_class: Any, rig: Rig) -> None:
    """Workers that were forked from one app draw samples of their own."""
    app, sentry = rig.app(sentry_class, SENTRY_SAMPLE_RATE=0.5)
    workers = []
    for worker in range(4):
        pid = os.fork()
        if pid == 0:
            with app.app_context():
                for number in range(16):
                    sentry.captureMessage(f"{worker} {number}")
                sentry.captureMessage(f"{worker} end", sample_rate=1)
            rig.wire.events_arrive(99, 40.0)  # the parent ends it
        workers.append(pid)

    def drawn(worker: int) -> list[str]:
        texts = [str(event.get("message")) for event in rig.wire.events]
        return [text.split()[1] for text in texts if text.startswith(f"{worker} ")]

    done = rig.wire.wait(lambda: all("end" in drawn(worker) for worker in range(4)), 30.0)
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    if not done:
        raise RuntimeError("not every worker's last message arrived")
    patterns = {tuple(drawn(worker)) for worker in range(4)}
    expect(len(patterns) > 1, f"the same of 4 workers: {patterns}")
