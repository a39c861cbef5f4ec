"""raven's own client delivers through the outbox when its transport is set so."""

from __future__ import annotations

import zlib

import pytest
import raven

from flask_sentry_kit.reporters.raven.transport import OutboxFull, OutboxTransport
from tests.support.certificates import Certificates
from tests.support.sentry import RecordingSentry
from tests.support.types import NewSentry, Until

# raven 6.10 asks datetime.utcnow(), at which Python 3.12 and newer warn: not tested here.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")

OPTIONS = {
    "install_sys_hook": False,
    "install_logging_hook": False,
    "hook_libraries": [],
    "enable_breadcrumbs": False,
}


def test_ravens_client_sends_through_it(server: RecordingSentry) -> None:
    """``Client(transport=OutboxTransport)``, raven's own way to choose one, delivers."""
    dsn = f"http://public:secret@127.0.0.1:{server.port}/1"
    client = raven.Client(dsn, transport=OutboxTransport, **OPTIONS)
    id = client.captureMessage("hello")
    outbox = client.remote.get_transport().outbox
    assert outbox.close(5)
    (received,) = server.received
    assert received.path == "/api/1/store/"
    assert "sentry_secret=secret" in received.headers["x-sentry-auth"]
    assert id.encode() in zlib.decompress(received.raw)


def test_the_registry_finds_it_by_a_scheme(server: RecordingSentry) -> None:
    """raven's registry takes it, and a DSN names it by its scheme."""
    client = raven.Client(transport=OutboxTransport, **OPTIONS)
    client.register_scheme("outbox+http", OutboxTransport)
    with pytest.warns(UserWarning, match="via DSN is deprecated"):
        client.set_dsn(f"outbox+http://public:secret@127.0.0.1:{server.port}/1?timeout=3")
    client.captureMessage("hello")
    assert client.remote.get_transport().outbox.close(5)
    assert [request.path for request in server.received] == ["/api/1/store/"]


def test_options_arrive_as_strings_from_the_dsn(
    new_sentry: NewSentry, certificates: Certificates, until: Until
) -> None:
    """``?timeout=2&verify_ssl=0``: what raven hands over is text, and means what it says."""
    server = new_sentry(certificates.context("other.example"))
    for value, sent in (("0", 1), ("false", 1), ("1", 0)):
        server.received.clear()
        transport = OutboxTransport(timeout="2.5", verify_ssl=value)
        transport.async_send(f"{server.url}/", b"{}", {}, lambda: None, lambda error: None)
        until(lambda outbox=transport.outbox: outbox.counters.sent or outbox.counters.retried)
        transport.outbox.close(0)
        assert len(server.received) == sent
    with pytest.raises(ValueError, match="timeout"):
        OutboxTransport(timeout="soon")
    with pytest.raises(ValueError, match="ca_certs"):
        OutboxTransport(ca_certs="/no/such/file")


def test_acceptance_is_success_and_a_full_queue_is_an_error(server: RecordingSentry) -> None:
    """Once accepted, retrying is the outbox's task: raven's own back-off would drop events."""
    transport = OutboxTransport()
    calls: list[object] = []

    def send() -> None:
        transport.async_send(f"{server.url}/", b"{}", {}, lambda: calls.append("ok"), calls.append)

    server.answer = lambda request: (503, {}, b"")
    send()
    transport.outbox.close(0)
    send()
    assert calls[0] == "ok"
    assert isinstance(calls[1], OutboxFull)
