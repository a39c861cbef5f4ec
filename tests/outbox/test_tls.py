"""TLS: which certificates are trusted, on which name, and from which store of CAs."""

from __future__ import annotations

from pathlib import Path

from flask_sentry_kit.outbox import Outbox
from tests.support.certificates import Certificates
from tests.support.types import MakeEvent, NewOutbox, NewSentry, Spawn, Until


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
    """``verify_ssl=False`` delivers to any server that answers, as raven's option does."""
    server = new_sentry(certificates.context("other.example"))
    assert new_outbox(verify_ssl=False).put(event(server, "a")).wait(5) == "sent"


def test_d4_the_system_decides_which_cas_are_trusted(
    new_sentry: NewSentry, certificates: Certificates, spawn: Spawn
) -> None:
    """No bundle of our own: the store that OpenSSL is set to is used, certifi or not."""
    server = new_sentry(certificates.context("localhost"))
    child = spawn(
        "print(Outbox().put(event(sys.argv[1], 'a')).wait(5))",
        server.url,
        env={"SSL_CERT_FILE": certificates.ca, "REQUESTS_CA_BUNDLE": "/dev/null"},
    )
    assert child.communicate(timeout=10) == ("sent\n", "")
