"""How one item is delivered: TLS, redirects, time-outs, and what each answer means."""

from __future__ import annotations

import base64
import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from flask_sentry_kit.outbox import Item, Outbox, Request, backoff, delivery
from flask_sentry_kit.outbox.http_client import BODY_LIMIT, REASON_LIMIT
from flask_sentry_kit.outbox.send import Sender
from tests.support.certificates import Certificates
from tests.support.sentry import Answer, Received, RecordingSentry
from tests.support.types import MakeEvent, NewOutbox, NewSentry, Spawn, Until

SECRET = "5ec7e75ec7e75ec7e75ec7e75ec7e75e"


def test_d1_https_delivers_on_every_python(
    new_sentry: NewSentry, certificates: Certificates, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """An event reaches an HTTPS server whose certificate a given CA signed."""
    server = new_sentry(certificates.context("localhost"))
    outbox = new_outbox(ca_certs=certificates.ca)
    assert outbox.put(event(server, "a")).wait(5) == "sent"
    assert server.ids == ["a"]


def test_d1_a_home_made_ca_that_is_given_works_on_every_python(
    new_sentry: NewSentry,
    home_made_certificates: Certificates,
    new_outbox: NewOutbox,
    event: MakeEvent,
) -> None:
    """Many a Sentry of one's own has one: 3.13's stricter rules are not for a CA named by hand."""
    server = new_sentry(home_made_certificates.context("localhost"))
    outbox = new_outbox(ca_certs=home_made_certificates.ca)
    assert outbox.put(event(server, "a")).wait(5) == "sent"


def test_d1_a_given_ca_is_read_when_the_outbox_is_made(
    new_sentry: NewSentry,
    certificates: Certificates,
    new_outbox: NewOutbox,
    event: MakeEvent,
    tmp_path: Path,
) -> None:
    """It may be gone, or closed to this process, by the time of the first crash."""
    server = new_sentry(certificates.context("localhost"))
    copy = tmp_path / "ca.pem"
    copy.write_bytes(Path(certificates.ca).read_bytes())
    outbox = new_outbox(ca_certs=str(copy))
    copy.unlink()
    assert outbox.put(event(server, "a")).wait(5) == "sent"


def test_d2_the_server_is_told_the_name_it_is_asked_for(
    new_sentry: NewSentry, certificates: Certificates, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """TLS sends the host's name (SNI), which servers with several names need."""
    server = new_sentry(certificates.context("localhost"))
    assert new_outbox(ca_certs=certificates.ca).put(event(server, "a")).wait(5) == "sent"
    assert server.server_names == ["localhost"]


def test_d2_a_certificate_of_another_name_gets_nothing(
    new_sentry: NewSentry,
    certificates: Certificates,
    new_outbox: NewOutbox,
    event: MakeEvent,
    until: Until,
) -> None:
    """A server that shows another name's certificate receives no byte of the event."""
    server = new_sentry(certificates.context("other.example"))
    ticket = new_outbox(ca_certs=certificates.ca).put(event(server, "a"))
    until(lambda: ticket.reason)
    assert "certificate" in str(ticket.reason)
    assert ticket.state == "waiting"
    assert server.received == []


def test_d2_an_unknown_ca_gets_nothing(
    new_sentry: NewSentry,
    certificates: Certificates,
    outbox: Outbox,
    event: MakeEvent,
    until: Until,
) -> None:
    """Without ``ca_certs`` only the system's CAs are trusted."""
    server = new_sentry(certificates.context("localhost"))
    ticket = outbox.put(event(server, "a"))
    until(lambda: ticket.reason)
    assert "certificate" in str(ticket.reason)
    assert server.received == []


def test_verify_ssl_false_asks_for_no_certificate(
    new_sentry: NewSentry, certificates: Certificates, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """``verify_ssl=False`` delivers to whoever answers, as raven's option does."""
    server = new_sentry(certificates.context("other.example"))
    assert new_outbox(verify_ssl=False).put(event(server, "a")).wait(5) == "sent"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_d3_a_redirect_is_refused_and_no_secret_goes_to_its_target(
    status: int, server: RecordingSentry, new_sentry: NewSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """A 3xx drops the item: it is neither followed nor counted as sent."""
    target = new_sentry()
    server.answer = lambda request: (status, {"Location": f"{target.url}/elsewhere"}, b"")
    ticket = outbox.put(event(server, "a"))
    assert ticket.wait(5) == "refused"
    assert str(status) in str(ticket.reason)
    assert target.received == []
    assert len(server.received) == 1
    assert outbox.counters == (0, 0, 0, 1)


def test_d4_the_system_decides_which_cas_are_trusted(
    new_sentry: NewSentry, certificates: Certificates, spawn: Spawn
) -> None:
    """No bundle of our own: the store OpenSSL is told of is used, certifi or not."""
    server = new_sentry(certificates.context("localhost"))
    child = spawn(
        "print(Outbox().put(event(sys.argv[1], 'a')).wait(5))",
        server.url,
        env={"SSL_CERT_FILE": certificates.ca, "REQUESTS_CA_BUNDLE": "/dev/null"},
    )
    assert child.communicate(timeout=10) == ("sent\n", "")


def test_d5_one_connection_carries_many_events(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """A connection is kept and used again."""
    for index in range(20):
        outbox.put(event(server, str(index)))
    assert outbox.flush(5)
    assert len(server.received) == 20
    assert server.connections == 1


def test_a_connection_the_server_closed_meanwhile_costs_no_retry(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """A kept connection that has gone stale is replaced, and that is no failure."""
    assert outbox.put(event(server, "a")).wait(5) == "sent"
    server.answer = lambda request: (200, {"Connection": "close"}, b"{}")
    assert outbox.put(event(server, "b")).wait(5) == "sent"
    assert outbox.put(event(server, "c")).wait(5) == "sent"
    assert server.ids == ["a", "b", "c"]
    assert outbox.counters.retried == 0


def test_a_kept_connection_that_breaks_under_the_next_request_is_tried_anew(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """A server that hangs up on a kept connection without an answer gets the event again."""
    assert outbox.put(event(server, "a")).wait(5) == "sent"
    dropped: list[object] = []

    def answer(request: Received) -> Answer | None:
        if not dropped:
            dropped.append(request.client)
            return None
        return 200, {}, b"{}"

    server.answer = answer
    assert outbox.put(event(server, "b")).wait(5) == "sent"
    assert server.ids == ["a", "b", "b"]
    assert outbox.counters.retried == 0


def test_d7_one_413_drops_that_event_alone(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """What is too large for the server is dropped; those behind it go on."""
    server.answer = lambda request: (413 if request.id == "big" else 200, {}, b"{}")
    tickets = [outbox.put(event(server, id)) for id in ("a", "big", "b")]
    assert outbox.flush(5)
    assert [ticket.state for ticket in tickets] == ["sent", "refused", "sent"]
    assert server.ids == ["a", "big", "b"]
    assert outbox.counters == (0, 2, 0, 1)


@pytest.mark.parametrize("part", ["headers", "status"])
def test_d7_a_server_that_drips_holds_the_worker_no_longer_than_the_timeout(
    part: str, server: RecordingSentry, event: MakeEvent
) -> None:
    """The time-out is one deadline for the whole request, however many bytes trickle in."""
    over = threading.Event()

    def drip(request: Received) -> None:
        out = request.handler.wfile
        out.write(b"HTTP/1.1 200 OK\r\nX-Drip: " if part == "headers" else b"HTTP")
        try:
            while not over.wait(0.05):
                out.write(b"x")
                out.flush()
        except OSError:
            pass

    server.answer = drip
    sender = Sender(timeout=0.4)
    began = time.monotonic()
    answer = sender.post(event(server, "a").request)
    took = time.monotonic() - began
    over.set()
    sender.close()
    assert answer.status == 0
    assert "Timeout" in answer.reason
    assert 0.3 < took < 1.0


def test_d7_a_dripping_body_takes_no_longer_and_the_status_still_counts(
    server: RecordingSentry, event: MakeEvent
) -> None:
    """What the server has taken is not sent again because its answer never ends."""
    over = threading.Event()

    def drip(request: Received) -> None:
        out = request.handler.wfile
        out.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        try:
            while not over.wait(0.05):
                out.write(b"x")
                out.flush()
        except OSError:
            pass

    server.answer = drip
    sender = Sender(timeout=0.4)
    began = time.monotonic()
    answer = sender.post(event(server, "a").request)
    took = time.monotonic() - began
    over.set()
    sender.close()
    assert answer.status == 200
    assert took < 1.0


def test_d7_a_server_that_reads_nothing_is_left_at_the_timeout(dead_port: int) -> None:
    """Sending has the same deadline as reading: a full socket does not hold the worker."""
    import socket

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", dead_port))
        listener.listen()
        sender = Sender(timeout=0.3)
        body = b"x" * 30_000_000
        began = time.monotonic()
        answer = sender.post(Request(f"http://127.0.0.1:{dead_port}/", {}, body))
        took = time.monotonic() - began
        sender.close()
    assert answer.status == 0
    assert took < 1.0


def test_an_answer_without_end_is_read_no_further_than_needed(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """Of a body only what can hold a reason is read."""
    server.answer = lambda request: (200, {}, b"x" * (BODY_LIMIT * 50))
    assert outbox.put(event(server, "a")).wait(5) == "sent"
    assert outbox.put(event(server, "b")).wait(5) == "sent"
    assert server.connections == 2


@pytest.mark.parametrize(
    ("headers", "body", "reason"),
    [
        ({"X-Sentry-Error": "unknown key"}, b"{}", "403 unknown key"),
        ({}, b'{"detail": "no such project"}', "403 no such project"),
        ({}, b'{"error": "bad event"}', "403 bad event"),
        ({}, b'{"errors": {"email": ["Enter an address."]}}', "403 email: Enter an address."),
        ({}, b'{"eventId": "Missing."}', "403 eventId: Missing."),
        ({}, b"<html>", "403 Forbidden"),
        ({}, b"[" * 9000, "403 Forbidden"),
    ],
)
def test_a_refusal_says_why(
    headers: dict[str, str],
    body: bytes,
    reason: str,
    server: RecordingSentry,
    outbox: Outbox,
    event: MakeEvent,
) -> None:
    """The reason is the server's own: its header, its JSON, else the status."""
    server.answer = lambda request: (403, headers, body)
    ticket = outbox.put(event(server, "a"))
    assert ticket.wait(5) == "refused"
    assert ticket.reason == reason


def test_a_refusal_is_logged_without_secret_and_within_bounds(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that repeats the secret, or talks for ever, does not get that into the log."""
    said = f"no: {SECRET} \x1b[31m{'x' * 5000}"
    server.answer = lambda request: (401, {}, b'{"detail": "%s"}' % said.encode())
    server.answer = lambda request: (401, {"X-Sentry-Error": said.replace("\x1b", "?")}, b"")
    ticket = outbox.put(event(server, "a"))
    assert ticket.wait(5) == "refused"
    assert outbox.close(1)
    assert SECRET not in f"{ticket.reason}{caplog.text}{event(server, 'a')!r}"
    assert len(str(ticket.reason)) <= REASON_LIMIT
    assert len(caplog.records) == 1
    assert "401 no" in caplog.text


def test_5xx_waits_and_keeps_its_place(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """The head of the line is retried before anything behind it goes."""
    tries = iter([500, 503, 500])
    server.answer = lambda request: (next(tries, 200), {}, b"")
    for id in "abc":
        outbox.put(event(server, id))
    assert outbox.flush(5)
    assert server.ids == ["a", "a", "a", "a", "b", "c"]
    assert outbox.counters == (0, 3, 3, 0)


def test_an_event_the_server_chokes_on_is_given_up(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a number of 500s the item is dropped, so that those behind it are not held up."""
    monkeypatch.setattr(delivery, "TRIES", 4)
    server.answer = lambda request: (500 if request.id == "poison" else 200, {}, b"")
    poison = outbox.put(event(server, "poison"))
    good = outbox.put(event(server, "good"))
    assert good.wait(5) == "sent"
    assert poison.state == "refused"
    assert poison.reason == "500 Internal Server Error (given up after 4 tries)"
    assert server.ids == ["poison"] * 4 + ["good"]


def test_a_server_that_is_away_costs_no_event_its_tries(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """502, 503 and 504 come from what stands before Sentry: such an outage loses nothing."""
    monkeypatch.setattr(delivery, "TRIES", 2)
    tries = iter([502, 503, 504] * 3)
    server.answer = lambda request: (next(tries, 200), {}, b"")
    assert outbox.put(event(server, "a")).wait(5) == "sent"
    assert len(server.received) == 10


def test_429_waits_as_long_as_it_is_asked_to(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """Retry-After in seconds is kept to, and the item is not lost."""
    tries = iter([(429, {"Retry-After": "0.3"}, b"")])
    server.answer = lambda request: next(tries, (200, {}, b""))
    began = time.monotonic()
    assert outbox.put(event(server, "a")).wait(5) == "sent"
    assert time.monotonic() - began >= 0.3


def test_429_that_asks_for_no_wait_is_not_hammered(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retry-After: 0 still leaves the server our own back-off."""
    asked: list[int] = []
    own = outbox._here()

    def pause(failures: int) -> float:
        # An outbox of an earlier test may still be retrying in a thread of its own.
        if threading.current_thread() is own._thread:
            asked.append(failures)
        return 0.05

    monkeypatch.setattr(backoff, "backoff", pause)
    tries = iter([(429, {"Retry-After": "0"}, b"")] * 3)
    server.answer = lambda request: next(tries, (200, {}, b""))
    began = time.monotonic()
    assert outbox.put(event(server, "a")).wait(5) == "sent"
    assert asked == [1, 2, 3]
    assert time.monotonic() - began >= 0.15


def test_a_rate_limit_on_a_good_answer_holds_the_next_event_back(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """X-Sentry-Rate-Limits for errors is kept to; limits for other categories are not ours."""
    limits = iter(["60:transaction:key, 1:error;default:organization", "60:transaction"])
    server.answer = lambda request: (200, {"X-Sentry-Rate-Limits": next(limits, "")}, b"")
    began = time.monotonic()
    for id in "abc":
        outbox.put(event(server, id))
    assert outbox.flush(5)
    assert 1.0 <= time.monotonic() - began < 4.0


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("7", 7.0),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("9" * 5000, 600.0),
        ("315360000", 600.0),
        ("date +30", 30.0),
        ("date -30", 0.0),
        ("date +999999", 600.0),
        ("Thu, 99 Zzz 2026 99:99:99 GMT", None),
    ],
)
def test_retry_after_is_bounded(
    asked: str,
    seconds: float,
    server: RecordingSentry,
    outbox: Outbox,
    event: MakeEvent,
    monkeypatch: pytest.MonkeyPatch,
    until: Until,
) -> None:
    """Seconds or an HTTP date; ten years are ten minutes, and nonsense is our own back-off."""
    monkeypatch.setattr(backoff, "BACKOFF_CAP", 0.0)
    now = datetime(2031, 5, 4, 3, 2, 1, tzinfo=timezone.utc)
    headers = {"Retry-After": asked}
    if asked.startswith("date"):
        then = now + timedelta(seconds=int(asked.split()[1]))
        # The server's clock need not be ours: it is its own Date that counts.
        headers = {"Retry-After": format_datetime(then, usegmt=True)}
        headers["Date"] = format_datetime(now, usegmt=True)
    sender = Sender(timeout=2.0)
    server.answer = raw_answer(429, headers)
    answer = sender.post(event(server, "a").request)
    sender.close()
    found = None if answer.wait is None else min(answer.wait, backoff.ASKED_CAP)
    assert found == seconds


def raw_answer(status: int, headers: dict[str, str]) -> Callable[[Received], None]:
    """Answer without the headers that the server adds by itself (Date)."""

    def answer(request: Received) -> None:
        lines = [f"HTTP/1.1 {status} No", *(f"{name}: {value}" for name, value in headers.items())]
        text = "\r\n".join([*lines, "Content-Length: 0", "", ""])
        request.handler.wfile.write(text.encode())

    return answer


def test_a_missing_or_forbidden_address_tries_the_other_and_no_other_answer_does(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """``fallback`` is for a server that lacks the address or minds the origin."""
    codes = {"/403": 403, "/404": 404, "/405": 405, "/410": 410, "/400": 400}
    server.answer = lambda request: (codes.get(request.path, 200), {}, b"")
    other = Request(f"{server.url}/envelope", {}, b"{}")
    for path in codes:
        first = Request(f"{server.url}{path}", {}, b"{}")
        outbox.put(Item("feedback", "f", first, fallback=other))
    assert outbox.flush(5)
    paths = " ".join(request.path for request in server.received)
    assert paths == "/403 /envelope /404 /envelope /405 /envelope /410 /envelope /400"
    assert outbox.counters == (0, 4, 0, 1)


def test_the_other_request_is_not_tried_for_ever(server: RecordingSentry, outbox: Outbox) -> None:
    """A server that has neither address refuses the item."""
    server.answer = lambda request: (404, {}, b"")
    first, other = (Request(f"{server.url}/{name}", {}, b"") for name in ("a", "b"))
    assert outbox.put(Item("feedback", "f", first, fallback=other)).wait(5) == "refused"
    assert [request.path for request in server.received] == ["/a", "/b"]


def test_large_events_are_gzipped_and_forms_are_not(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """No Sentry unpacks a form's body, so a long report must stay as it is."""
    outbox.put(event(server, "large", size=5000))
    outbox.put(event(server, "small"))
    form = Request(f"{server.url}/form", {}, b"comments=" + b"x" * 5000)
    outbox.put(Item("feedback", "f", form))
    packed = Request(f"{server.url}/packed", {"content-encoding": "deflate"}, b"x" * 5000)
    outbox.put(Item("event", "e", packed))
    assert outbox.flush(5)
    large, small, form_, packed_ = server.received
    assert (large.headers["content-encoding"], large.id) == ("gzip", "large")
    assert len(large.raw) < 500
    assert "content-encoding" not in small.headers
    assert (form_.raw, form_.headers.get("content-encoding")) == (form.body, None)
    assert (packed_.raw, packed_.headers["content-encoding"]) == (packed.body, "deflate")


@pytest.mark.parametrize(
    "request_",
    [
        Request("ftp://127.0.0.1/", {}, b""),
        Request("http://[broken/", {}, b""),
        Request("http://127.0.0.1:99999/", {}, b""),
        Request("http:///nowhere", {}, b""),
        Request("http://127.0.0.1:9/ a b", {}, b""),
        Request("http://127.0.0.1:9/", {"X-A": "b\r\nX-C: d"}, b""),
    ],
)
def test_what_can_never_be_sent_is_dropped(
    request_: Request, server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """A request that is none is refused; it does not wait for the network to mend."""
    server.answer = lambda request: (200, {}, b"")
    if request_.headers:
        request_ = Request(f"{server.url}/", request_.headers, b"")
    elif request_.url.endswith(" a b"):
        request_ = Request(f"{server.url}/ a b", {}, b"")
    ticket = outbox.put(Item("event", "a", request_))
    assert ticket.wait(5) == "refused"
    assert outbox.put(event(server, "b")).wait(5) == "sent"


def test_no_proxy_is_taken_from_the_environment(
    server: RecordingSentry, new_sentry: NewSentry, spawn: Spawn
) -> None:
    """HTTP_PROXY and its kin are not asked: events go where the DSN says."""
    proxy = new_sentry()
    names = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
    child = spawn(
        "print(Outbox().put(event(sys.argv[1], 'a')).wait(5))",
        server.url,
        env={name: proxy.url for name in names} | {"no_proxy": "", "NO_PROXY": ""},
    )
    assert child.communicate(timeout=10) == ("sent\n", "")
    assert (server.ids, proxy.received) == (["a"], [])


def test_a_proxy_that_is_asked_for_carries_plain_requests(
    new_sentry: NewSentry, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """``proxy=`` gets the whole address, and its own password, percent-encoded in the option."""
    proxy = new_sentry()
    outbox = new_outbox(proxy=f"http://me:p%40ss@127.0.0.1:{proxy.port}")
    assert outbox.put(event("http://sentry.example:9000", "a")).wait(5) == "sent"
    (received,) = proxy.received
    assert received.target == "http://sentry.example:9000/api/1/store/"
    expected = base64.b64encode(b"me:p@ss").decode()
    assert received.headers["proxy-authorization"] == f"Basic {expected}"


def test_a_proxy_tunnels_https_and_never_sees_the_event(
    new_sentry: NewSentry, certificates: Certificates, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """Through a proxy TLS still ends at Sentry, and Sentry's certificate is still checked."""
    import socket

    server = new_sentry(certificates.context("localhost"))
    connects = []

    def tunnel(listener: socket.socket) -> None:
        with listener.accept()[0] as client:
            head = client.recv(65536)
            connects.append(head)
            client.sendall(b"HTTP/1.1 200 ok\r\n\r\n")
            with socket.create_connection(("127.0.0.1", server.port)) as upstream:
                pumps = [
                    threading.Thread(target=pump, args=pair)
                    for pair in ((client, upstream), (upstream, client))
                ]
                for thread in pumps:
                    thread.start()
                for thread in pumps:
                    thread.join()

    def pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=tunnel, args=(listener,))
        thread.start()
        outbox = new_outbox(
            ca_certs=certificates.ca, proxy=f"http://127.0.0.1:{listener.getsockname()[1]}"
        )
        ticket = outbox.put(event(server, "a"))
        assert ticket.wait(5) == "sent"
        outbox.close(1)
        thread.join(5)
    assert connects[0].startswith(f"CONNECT {urlsplit(server.url).netloc} ".encode())
    assert SECRET.encode() not in connects[0]
    assert server.server_names == ["localhost"]


@pytest.mark.parametrize(
    ("option", "value"),
    [("proxy", "socks5://x"), ("proxy", "nonsense"), ("proxy", "http://exa mple:80"),
     ("proxy", "http://ho%st"), ("proxy", "http://b\xfccher.example"), ("proxy", "http://h\n:80"),
     ("proxy", "http://h:0"), ("ca_certs", "/no/such/file"),
     ("timeout", 0), ("timeout", float("nan"))],
)  # fmt: skip
def test_an_option_that_cannot_work_is_an_error_at_once(
    option: str, value: Any, new_outbox: NewOutbox
) -> None:
    """A wrong path or proxy is told when the outbox is made, by its name."""
    with pytest.raises(ValueError, match=option):
        new_outbox(**{option: value})


def test_trouble_is_logged_once_a_minute_and_not_at_a_hiccup(
    dead_port: int,
    new_outbox: NewOutbox,
    event: MakeEvent,
    caplog: pytest.LogCaptureFixture,
    until: Until,
) -> None:
    """One line says that nothing is delivered; a single failure says nothing."""
    caplog.set_level(logging.INFO)
    outbox = new_outbox()
    outbox.put(event(f"http://127.0.0.1:{dead_port}", "a"))
    until(lambda: outbox.counters.retried == 2)
    until(lambda: outbox.counters.retried > 20)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"Nothing can be delivered to http://127.0.0.1:{dead_port}" in caplog.text
