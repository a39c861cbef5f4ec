"""The check asks a server as the outbox would reach it, whichever way that is."""

from __future__ import annotations

import pytest

from flask_sentry_kit.check.asking import Asker
from flask_sentry_kit.check.deadline import Budget
from flask_sentry_kit.check.destination import look_at_network
from flask_sentry_kit.dsn import Dsn
from flask_sentry_kit.outbox import Connection
from tests.support.certificates import Certificates
from tests.support.proxy import RecordingProxy
from tests.support.types import NewSentry


@pytest.mark.parametrize("scheme", ["http", "https", "socks5h"])
def test_the_server_is_asked_through_the_proxy(
    scheme: str, new_sentry: NewSentry, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Of each kind, with its password and its certificate checked."""
    certificates = Certificates(tmp_path_factory.mktemp("certificates"))
    server = new_sentry(certificates.context("localhost"))
    server.answer = lambda request: (200, {"Connection": "close"}, b"{}")
    tls = certificates.context("localhost") if scheme == "https" else None
    with RecordingProxy(tls, login="me:secret") as proxy:
        address = f"{scheme}://me:secret@localhost:{proxy.port}"
        asker = Asker(Connection(ca_certs=certificates.ca, proxy=address), Budget())
        assert asker.ask("GET", f"{server.url}/health").status == 200
        assert len(proxy.asked) == 1
    assert [request.path for request in server.received] == ["/health"]


def test_a_connection_that_cannot_be_used_is_a_finding() -> None:
    """Nothing is asked another way."""
    dsn = Dsn.parse("http://public@127.0.0.1:9/1")
    (found,) = look_at_network(dsn, Connection(unusable="its CAs cannot be read"), Budget())
    assert found.level == "broken"
    assert found.what == "its CAs cannot be read: what visitors write is refused"
