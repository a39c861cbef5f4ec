"""Proxies: only the one that was asked for, and it never sees an event that TLS carries."""

from __future__ import annotations

import base64
import threading
from urllib.parse import urlsplit

from tests.support.certificates import Certificates
from tests.support.outbox import SECRET
from tests.support.sentry import RecordingSentry
from tests.support.types import MakeEvent, NewOutbox, NewSentry, Spawn


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
