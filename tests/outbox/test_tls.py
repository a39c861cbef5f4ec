"""TLS: which certificates are trusted, on which name, and from which store of CAs."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import certifi
import pytest

from flask_sentry_kit.outbox import Connection, Outbox
from flask_sentry_kit.outbox.send import Sender
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


def test_a_client_shows_the_certificate_that_it_is_given(
    new_sentry: NewSentry, certificates: Certificates, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """A server that takes nothing without one takes the event; the key may be in the same file."""
    certificates.context("client")
    folder = certificates.folder
    both = folder / "both.pem"
    both.write_bytes((folder / "client.pem").read_bytes() + (folder / "client.key").read_bytes())
    context = certificates.context("localhost")
    context.load_verify_locations(certificates.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    server = new_sentry(context)
    for files in ((str(folder / "client.pem"), str(folder / "client.key")), (str(both), None)):
        connection = Connection(ca_certs=certificates.ca, certificate=files)
        assert new_outbox(connection=connection).put(event(server, "a")).wait(5) == "sent"


def test_a_certificate_that_cannot_be_read_is_an_error_at_once(certificates: Certificates) -> None:
    """A key with a password too: nobody is asked for that at a terminal."""
    certificates.context("client")
    locked = "openssl ec -in client.key -aes128 -passout pass:x -out locked.key"
    subprocess.run(locked.split(), cwd=certificates.folder, check=True, capture_output=True)
    for key in ("locked.key", "missing.key"):
        files = str(certificates.folder / "client.pem"), str(certificates.folder / key)
        with pytest.raises(ValueError, match="the client's certificate cannot be read"):
            Outbox(connection=Connection(certificate=files))


def test_certifis_cas_are_read_when_there_is_something_to_send(
    new_sentry: NewSentry,
    certificates: Certificates,
    new_outbox: NewOutbox,
    event: MakeEvent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are 140, and most processes never need them."""
    read: list[str] = []
    monkeypatch.setattr(certifi, "where", lambda: read.append("") or certificates.ca)
    server = new_sentry(certificates.context("localhost"))
    outbox = new_outbox(connection=Connection(certifi=True))
    assert not read
    assert outbox.put(event(server, "a")).wait(5) == "sent"
    assert read == [""]


@pytest.mark.parametrize("beside", [True, False])
def test_the_systems_cas_may_be_trusted_beside_others(
    beside: bool,
    new_sentry: NewSentry,
    certificates: Certificates,
    event: MakeEvent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are not, unless that is asked for."""
    certificates.context("client")
    monkeypatch.setenv("SSL_CERT_FILE", certificates.ca)
    server = new_sentry(certificates.context("localhost"))
    others = str(certificates.folder / "client.pem")
    sender = Sender(Connection(ca_certs=others, system_cas=beside))
    answer = sender.post(event(server, "a").request)
    sender.close()
    assert answer.status == (200 if beside else 0)
    assert beside or "certificate" in answer.reason
