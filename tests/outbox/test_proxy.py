"""Proxies: only the one that was asked for, and it never sees an event that TLS carries."""

from __future__ import annotations

import base64
import socket
import ssl
import sys
import threading
import time
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from flask_sentry_kit.outbox import Connection
from flask_sentry_kit.outbox.send import Sender
from tests.support.certificates import Certificates
from tests.support.outbox import SECRET
from tests.support.sentry import RecordingSentry
from tests.support.types import MakeEvent, NewOutbox, NewProxy, NewSentry, Spawn, Until


def test_no_proxy_is_taken_from_the_environment(
    server: RecordingSentry, new_sentry: NewSentry, spawn: Spawn
) -> None:
    """HTTP_PROXY and the like are not read: events go where the DSN says."""
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
    new_sentry: NewSentry,
    certificates: Certificates,
    new_proxy: NewProxy,
    new_outbox: NewOutbox,
    event: MakeEvent,
) -> None:
    """Through a proxy TLS still ends at Sentry, and Sentry's certificate is still checked."""
    server, proxy = new_sentry(certificates.context("localhost")), new_proxy()
    outbox = new_outbox(ca_certs=certificates.ca, proxy=proxy.url)
    assert outbox.put(event(server, "a")).wait(5) == "sent"
    assert proxy.asked[0].startswith(f"CONNECT {urlsplit(server.url).netloc} ")
    assert SECRET.encode() not in proxy.heads[0]
    assert server.server_names == ["localhost"]


def test_a_proxy_behind_tls_carries_plain_requests(
    server: RecordingSentry, certificates: Certificates, new_proxy: NewProxy, event: MakeEvent
) -> None:
    """``https://`` in front of the proxy: who listens on the way to it sees nothing."""
    proxy = new_proxy(certificates.context("localhost"))
    sender = Sender(Connection(ca_certs=certificates.ca, proxy=proxy.url))
    answers = [sender.post(event(server, id).request).status for id in "ab"]
    sender.close()
    assert answers == [200, 200]
    assert [head.split()[:2] for head in proxy.heads] == [
        [b"POST", f"{server.url}/api/1/store/".encode()]
    ]
    assert server.ids == ["a", "b"]


@pytest.mark.parametrize("kept", [True, False])
def test_a_proxy_behind_tls_tunnels_https(
    kept: bool,
    new_sentry: NewSentry,
    certificates: Certificates,
    new_proxy: NewProxy,
    event: MakeEvent,
) -> None:
    """TLS within TLS: the tunnel is used again while the server keeps it, and answers are read
    whole when it does not."""
    server = new_sentry(certificates.context("localhost"))
    headers = {} if kept else {"Connection": "close"}
    server.answer = lambda request: (200, headers, b"{}" * 8_000)
    proxy = new_proxy(certificates.context("localhost"))
    sender = Sender(Connection(ca_certs=certificates.ca, proxy=proxy.url))
    answers = [sender.post(event(server, id).request) for id in "ab"]
    sender.close()
    assert [(answer.status, len(answer.body)) for answer in answers] == [(200, 16_000)] * 2
    assert len(proxy.heads) == (1 if kept else 2)
    assert SECRET.encode() not in b"".join(proxy.heads)
    assert server.server_names == ["localhost"] * len(proxy.heads)


def test_a_proxy_of_an_unknown_ca_is_asked_nothing(
    new_sentry: NewSentry,
    certificates: Certificates,
    new_proxy: NewProxy,
    new_outbox: NewOutbox,
    event: MakeEvent,
    until: Until,
) -> None:
    """Not even where to."""
    proxy = new_proxy(certificates.context("localhost"))
    outbox = new_outbox(proxy=proxy.url)
    tickets = [outbox.put(event(url, "a")) for url in ("http://a.example", "https://b.example")]
    until(lambda: all(ticket.reason for ticket in tickets))
    assert all("certificate" in str(ticket.reason) for ticket in tickets)
    assert proxy.heads == []


def test_headers_for_the_proxy_are_not_for_the_server(
    new_sentry: NewSentry, certificates: Certificates, new_proxy: NewProxy, event: MakeEvent
) -> None:
    """A tunnel is asked for with them, and what goes through it has none of them. They come before
    the password in the proxy's address."""
    server = new_sentry(certificates.context("localhost"))
    proxy = new_proxy(login="right:password")
    credentials = base64.b64encode(b"right:password").decode()
    sender = Sender(
        Connection(
            ca_certs=certificates.ca,
            proxy=proxy.url.replace("://", "://wrong:password@"),
            proxy_headers={"proxy-authorization": f"Basic {credentials}", "X-Of": "us"},
        )
    )
    assert sender.post(event(server, "a").request).status == 200
    sender.close()
    assert b"X-Of: us" in proxy.heads[0]
    assert not {"X-Of", "Proxy-Authorization"} & set(server.received[0].headers.keys())


def test_the_clients_certificate_is_for_the_server_alone(
    new_sentry: NewSentry, certificates: Certificates, new_proxy: NewProxy, event: MakeEvent
) -> None:
    """A proxy that asks for one gets none."""
    certificates.context("client")
    asking, by = certificates.context("localhost"), certificates.context("localhost")
    for context in (asking, by):
        context.load_verify_locations(certificates.ca)
    asking.verify_mode, by.verify_mode = ssl.CERT_REQUIRED, ssl.CERT_OPTIONAL
    server, proxy = new_sentry(asking), new_proxy(by)
    files = tuple(str(certificates.folder / f"client.{end}") for end in ("pem", "key"))
    sender = Sender(
        Connection(ca_certs=certificates.ca, certificate=(files[0], files[1]), proxy=proxy.url)
    )
    assert sender.post(event(server, "a").request).status == 200
    sender.close()
    assert proxy.shown == [None]


@pytest.mark.parametrize(
    ("scheme", "asked"),
    [
        ("socks4", "socks4 127.0.0.1"),
        ("socks4a", "socks4 localhost"),
        ("socks5", "socks5 127.0.0.1"),
        ("socks5h", "socks5 localhost"),
    ],
)
def test_socks_carries_both_and_may_look_up_the_name(
    scheme: str,
    asked: str,
    new_sentry: NewSentry,
    certificates: Certificates,
    new_proxy: NewProxy,
    event: MakeEvent,
) -> None:
    """By PySocks: an ``a`` or ``h`` at the end leaves the name to the proxy."""
    plain, secure = new_sentry(), new_sentry(certificates.context("localhost", "127.0.0.1"))
    login = "me:p@ss" if scheme.startswith("socks5") else ""
    proxy = new_proxy(login=login)
    given = "me:p%40ss@" if login else ""
    host = asked.partition(" ")[2]
    sender = Sender(
        Connection(ca_certs=certificates.ca, proxy=f"{scheme}://{given}127.0.0.1:{proxy.port}")
    )
    for server, start in ((plain, "http"), (secure, "https")):
        answer = sender.post(event(f"{start}://{host}:{server.port}", "a").request)
        assert answer.status == 200, answer
    sender.close()
    assert proxy.asked == [f"{asked}:{plain.port}", f"{asked}:{secure.port}"]


def test_socks_with_a_wrong_password_gets_nothing(
    server: RecordingSentry, new_proxy: NewProxy, event: MakeEvent
) -> None:
    """The reason says so, without the password."""
    proxy = new_proxy(login="me:right")
    sender = Sender(Connection(proxy=f"socks5://me:hunter2@127.0.0.1:{proxy.port}"))
    answer = sender.post(event(server, "a").request)
    assert "authentication failed" in answer.reason and "hunter2" not in answer.reason
    assert not answer.unsendable
    assert server.received == []


def test_socks_without_pysocks_is_an_error_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install."""
    monkeypatch.setitem(sys.modules, "socks", None)
    with pytest.raises(ValueError, match="needs PySocks"):
        Sender(Connection(proxy="socks5://127.0.0.1"))


def test_every_proxy_works_with_gevent(
    new_sentry: NewSentry, certificates: Certificates, new_proxy: NewProxy, spawn: Spawn
) -> None:
    """gevent has sockets of its own, with more arguments."""
    server = new_sentry(certificates.context("localhost"))
    proxies = new_proxy(), new_proxy(certificates.context("localhost")), new_proxy()
    child = spawn(
        "from flask_sentry_kit.outbox import Connection\n"
        "for id, proxy in enumerate(sys.argv[3:]):\n"
        "    outbox = Outbox(connection=Connection(ca_certs=sys.argv[2], proxy=proxy))\n"
        "    print(outbox.put(event(sys.argv[1], str(id))).wait(5))",
        server.url,
        certificates.ca,
        *(proxy.url for proxy in proxies[:2]),
        f"socks5h://127.0.0.1:{proxies[2].port}",
        prelude="from gevent import monkey\nmonkey.patch_all()\n",
    )
    assert child.communicate(timeout=20) == ("sent\n" * 3, "")
    assert [len(proxy.asked) for proxy in proxies] == [1, 1, 1]


@pytest.mark.parametrize(
    ("scheme", "answers"),
    [
        ("http", [b"HTTP/1.1 200 ok\r\nX-Drip: "]),
        ("socks5h", [b"\x05\x00", b"\x05\x00\x00\x03\xff"]),
        ("https", [b"HTTP/1.1 200 ok\r\n\r\n", b"\x16\x03\x03\x3f\xff"]),
    ],
)
def test_a_proxy_that_drips_holds_the_worker_no_longer_than_the_timeout(
    scheme: str, answers: list[bytes], certificates: Certificates, event: MakeEvent
) -> None:
    """The deadline of an attempt is for the proxy's answers too, and for TLS within its TLS."""
    over = threading.Event()

    def drip(listener: socket.socket) -> None:
        client = listener.accept()[0]
        with suppress(OSError):
            if scheme == "https":
                client = certificates.context("localhost").wrap_socket(client, server_side=True)
            for answer in answers:
                client.recv(65536)
                client.sendall(answer)
            while not over.wait(0.05):
                client.sendall(b"x")  # of a header, a name of 255 bytes, a record of TLS
        client.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        host = "localhost" if scheme == "https" else "127.0.0.1"
        sender = Sender(
            Connection(
                0.4,
                certificates.ca,
                proxy=f"{scheme}://{host}:{listener.getsockname()[1]}",
            )
        )
        began = time.monotonic()
        answer = sender.post(event("https://sentry.example", "a").request)
        took = time.monotonic() - began
        over.set()
        thread.join()
    assert answer.status == 0
    assert "time" in answer.reason
    assert 0.3 < took < 1.0
