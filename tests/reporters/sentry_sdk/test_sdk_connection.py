"""Visitors' words go the way of the SDK's events: the SDK's own transport is the judge of each way.

Nothing here initialises the SDK: its transport is made from a client's options, as a client does.
"""

from __future__ import annotations

import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import certifi
import pytest
import sentry_sdk.transport
from sentry_sdk.consts import DEFAULT_OPTIONS, VERSION
from sentry_sdk.envelope import Envelope

from flask_sentry_kit.dsn import Dsn
from flask_sentry_kit.outbox import Connection, Item, Outbox, Request
from flask_sentry_kit.reporters.sentry_sdk.connection import connection_of
from tests.support.certificates import Certificates
from tests.support.proxy import RecordingProxy
from tests.support.sentry import RecordingSentry

RELEASE = tuple(map(int, VERSION.split(".")[:2]))

_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_FILES = (
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CLIENT_CERT_FILE", "CLIENT_KEY_FILE"
)  # fmt: skip


class Place:
    """Servers and proxies on loopback, and what reached them."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        certificates = Certificates(folder)
        mutual = certificates.context("localhost")
        mutual.load_verify_locations(certificates.ca)
        mutual.verify_mode = ssl.CERT_REQUIRED
        self.servers = {
            "plain": RecordingSentry(),
            "tls": RecordingSentry(certificates.context("localhost")),
            "mutual": RecordingSentry(mutual),
        }
        self.proxies = {
            "http": RecordingProxy(),
            "login": RecordingProxy(login="me:secret"),
            "tls": RecordingProxy(certificates.context("localhost")),
            "socks": RecordingProxy(),
        }
        for server in self.servers.values():
            # The SDK leaves its connections to the garbage collector.
            server.answer = lambda request: (200, {"Connection": "close"}, b"{}")
            stack.enter_context(server)
        for proxy in self.proxies.values():
            stack.enter_context(proxy)
        certificates.context("client")
        # As a system keeps its CAs: by the hash of the name.
        (folder / "system").mkdir()
        (folder / "system" / "ca.pem").write_bytes((folder / "ca.pem").read_bytes())
        for arguments in (
            "rehash system",
            "ec -in client.key -aes128 -passout pass:x -out locked.key",
        ):
            subprocess.run(
                ["openssl", *arguments.split()], cwd=folder, check=True, capture_output=True
            )
        self.words = {
            "CA": certificates.ca,
            "CERT": str(folder / "client.pem"),
            "KEY": str(folder / "client.key"),
            "DIR": str(folder / "system"),
            "LOCKED": str(folder / "locked.key"),
            **{name.upper(): proxy.url for name, proxy in self.proxies.items()},
            "SOCKS": f"127.0.0.1:{self.proxies['socks'].port}",
        }

    def options(self, server: str, **given: Any) -> dict[str, Any]:
        """A client's options: the SDK's own defaults, a server, and what is given."""
        filled = {name: self.fill_in(value) for name, value in given.items()}
        return {**DEFAULT_OPTIONS, "dsn": self.servers[server].dsn, **filled}

    def fill_in(self, text: Any) -> Any:
        return text.format(**self.words) if isinstance(text, str) else text

    def way(self) -> str:
        """The proxy that was asked since the last call, ``direct`` if none was; empty if nothing
        arrived."""
        asked = [name for name, proxy in self.proxies.items() if proxy.asked]
        arrived = any(server.received for server in self.servers.values())
        for proxy in self.proxies.values():
            proxy.asked.clear()
        for server in self.servers.values():
            server.received.clear()
        return "+".join(asked) or "direct" if arrived else ""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with ExitStack() as stack:
        yield Place(tmp_path_factory.mktemp("certificates"), stack)


@pytest.fixture(autouse=True)
def _nothing_from_outside(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*_PROXIES, *map(str.upper, _PROXIES), *_FILES, "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
    # The SDK reads certifi's 140 CAs for each attempt. One certificate is as good: it is no CA's.
    monkeypatch.setattr(certifi, "where", lambda: place.words["CERT"])


def send_by_sdk(options: dict[str, Any]) -> None:
    asked = options["_experiments"].get("transport_http2") and RELEASE >= (2, 16)
    kind = getattr(sentry_sdk.transport, "Http2Transport" if asked else "HttpTransport")
    transport = kind(options)
    envelope = Envelope()
    envelope.add_event({"event_id": "a" * 32})
    transport.capture_envelope(envelope)
    transport.flush(10)
    transport.kill()


def send_by_kit(options: dict[str, Any]) -> None:
    dsn = Dsn.parse(options["dsn"])
    outbox = Outbox(connection=connection_of(options, dsn))
    ticket = outbox.put(Item("feedback", "a" * 32, Request(dsn.envelope_url, {}, b"{}\n")))
    deadline = time.monotonic() + 10
    while ticket is not None and ticket.state == "waiting" and not ticket.reason:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    outbox.close(0)


class Case(NamedTuple):
    """Options and environment of an app, and the way that follows from them."""

    name: str
    server: str
    options: dict[str, Any]
    environ: dict[str, str]
    way: str
    since: tuple[int, int] = (2, 0)
    """The first release with it; in those before, nothing arrives."""


OWN_CA = {"ca_certs": "{CA}"}
PASSWORD = {"Proxy-Authorization": "Basic bWU6c2VjcmV0"}
HTTP_2 = {"_experiments": {"transport_http2": True}}
SHOWN = {**OWN_CA, "cert_file": "{CERT}", "key_file": "{KEY}"}

CASES = [
    Case("no proxy", "plain", {}, {}, "direct"),
    Case("a proxy", "plain", {"http_proxy": "{HTTP}"}, {}, "http"),
    Case("a proxy for https alone", "plain", {"https_proxy": "{HTTP}"}, {}, "direct"),
    Case("a password", "plain", {"http_proxy": "{LOGIN}", "proxy_headers": PASSWORD}, {}, "login"),
    Case("no password", "plain", {"http_proxy": "{LOGIN}"}, {}, ""),
    Case("a TLS proxy", "plain", {"http_proxy": "{TLS}", **OWN_CA}, {}, "tls"),
    Case("a TLS proxy of an unknown CA", "plain", {"http_proxy": "{TLS}"}, {}, ""),
    Case("SOCKS", "plain", {"http_proxy": "socks5://{SOCKS}"}, {}, "socks"),
    Case("SOCKS 4a", "plain", {"http_proxy": "socks4a://{SOCKS}"}, {}, "socks"),
    Case("of the environment", "plain", {}, {"http_proxy": "{HTTP}"}, "http"),
    Case("in capitals", "plain", {}, {"HTTP_PROXY": "{HTTP}"}, "http"),
    Case(
        "of a CGI request",
        "plain",
        {},
        {"HTTP_PROXY": "{HTTP}", "REQUEST_METHOD": "GET"},
        "direct",
    ),
    Case("forbidden", "plain", {"http_proxy": ""}, {"http_proxy": "{HTTP}"}, "direct"),
    Case("no_proxy", "plain", {}, {"http_proxy": "{HTTP}", "no_proxy": "x, 0.0.1"}, "direct"),
    Case("no_proxy: other", "plain", {}, {"http_proxy": "{HTTP}", "no_proxy": "x"}, "http"),
    Case("no_proxy: *", "plain", {}, {"http_proxy": "{HTTP}", "no_proxy": "*"}, "http"),
    Case("no_proxy: all", "plain", {}, {"http_proxy": "{HTTP}", "no_proxy": "x,"}, "direct"),
    Case("no_proxy and option", "plain", {"http_proxy": "{HTTP}"}, {"no_proxy": "1"}, "http"),
    Case("CAs that are not needed", "plain", {"ca_certs": "/no/such/file"}, {}, "direct"),
    Case("an own CA", "tls", OWN_CA, {}, "direct"),
    Case("an unknown CA", "tls", {}, {}, ""),
    Case("CAs that are missing", "tls", {"ca_certs": "/no/such/file"}, {}, ""),
    Case("a tunnel", "tls", {**OWN_CA, "https_proxy": "{HTTP}"}, {}, "http"),
    Case("for http, https too", "tls", {**OWN_CA, "http_proxy": "{HTTP}"}, {}, "http"),
    Case(
        "for https only",
        "tls",
        {**OWN_CA, "https_proxy": "", "http_proxy": ""},
        {"https_proxy": "{HTTP}"},
        "direct",
    ),
    Case(
        "a tunnel with a password",
        "tls",
        {**OWN_CA, "http_proxy": "{LOGIN}", "proxy_headers": PASSWORD},
        {},
        "login",
    ),
    Case("a tunnel without it", "tls", {**OWN_CA, "http_proxy": "{LOGIN}"}, {}, ""),
    Case("a tunnel in TLS", "tls", {**OWN_CA, "https_proxy": "{TLS}"}, {}, "tls"),
    Case("a tunnel by SOCKS", "tls", {**OWN_CA, "https_proxy": "socks5h://{SOCKS}"}, {}, "socks"),
    Case("SSL_CERT_FILE", "tls", {}, {"SSL_CERT_FILE": "{CA}"}, "direct", (2, 7)),
    Case("REQUESTS_CA_BUNDLE", "tls", {}, {"REQUESTS_CA_BUNDLE": "{CA}"}, "direct", (2, 7)),
    Case("the system's CAs", "tls", {}, {"SSL_CERT_DIR": "{DIR}"}, ""),
    Case("them, by HTTP/2", "tls", HTTP_2, {"SSL_CERT_DIR": "{DIR}"}, "direct", (2, 16)),
    Case("a certificate", "mutual", SHOWN, {}, "direct", (2, 10)),
    Case("no certificate", "mutual", OWN_CA, {}, ""),
    Case(
        "CLIENT_CERT_FILE",
        "mutual",
        OWN_CA,
        {"CLIENT_CERT_FILE": "{CERT}", "CLIENT_KEY_FILE": "{KEY}"},
        "direct",
        (2, 10),
    ),
    Case("a tunnel to it", "mutual", {**SHOWN, "http_proxy": "{TLS}"}, {}, "tls", (2, 10)),
    Case("a missing key", "mutual", {**SHOWN, "key_file": "/no/such/file"}, {}, ""),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_words_arrive_where_events_do_and_by_the_same_way(
    case: Case, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both arrive or both do not, and the same proxy is asked."""
    for name, value in case.environ.items():
        monkeypatch.setenv(name, place.fill_in(value))
    # ``init`` raises for an option that its release does not know.
    known = {name: value for name, value in case.options.items() if name in DEFAULT_OPTIONS}
    options = place.options(case.server, **known)
    send_by_sdk(options)
    by_sdk = place.way()
    send_by_kit(options)
    assert by_sdk == place.way() == (case.way if RELEASE >= case.since else "")


def test_certifis_cas_are_trusted_where_none_are_named(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by the SDK, which needs certifi; the system's are not."""
    monkeypatch.setattr(certifi, "where", lambda: place.words["CA"])
    options = place.options("tls")
    send_by_sdk(options)
    assert place.way() == "direct"
    send_by_kit(options)
    assert place.way() == "direct"


@pytest.mark.filterwarnings("ignore:SOCKS support in urllib3")
def test_without_pysocks_both_go_without_the_proxy(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The SDK does so, and the log says it of the words."""
    monkeypatch.setitem(sys.modules, "socks", None)
    monkeypatch.delitem(sys.modules, "urllib3.contrib.socks", raising=False)
    options = place.options("plain", http_proxy="socks5://{SOCKS}")
    send_by_sdk(options)
    assert place.way() == "direct"
    send_by_kit(options)
    assert place.way() == "direct"
    (line,) = [one for one in caplog.messages if "what visitors write" in one]
    assert "PySocks is not installed" in line


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"https_proxy": "proxy:3128"}, "proxy takes http://"),
        ({"http_proxy": "ftp://me:hunter2@proxy"}, "proxy takes http://"),
        ({"http_proxy": "http://me:hunter2@pro xy"}, "proxy takes http://"),
        ({"http_proxy": 5}, "take a string; got int"),
        ({"http_proxy": "{HTTP}", "proxy_headers": {"A": "b\r\nC: hunter2"}}, "proxy_headers"),
        ({"http_proxy": "{HTTP}", "proxy_headers": ["hunter2"]}, "proxy_headers takes a dict"),
        ({"http_proxy": "{HTTP}", "proxy_headers": {"A": 1}}, "proxy_headers takes a dict"),
        ({"ca_certs": 5}, "ca_certs"),
        ({"ca_certs": "/no/such/file"}, "ca_certs cannot be read"),
        ({"ca_certs": "{KEY}"}, "ca_certs cannot be read"),
        ({"ca_certs": "{CA}", "cert_file": "/no/such/file"}, "certificate cannot be read"),
        ({"ca_certs": "{CA}", "cert_file": "{CERT}", "key_file": "{LOCKED}"}, "certificate"),
    ],
)
def test_options_that_cannot_be_used_refuse_words_and_say_so_once(
    given: dict[str, Any], said: str, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing raises, nothing is sent another way, and no secret is in the log."""
    options = place.options("tls", **given)
    connection = connection_of(options, Dsn.parse(options["dsn"]))
    assert connection == Connection(unusable=connection.unusable)
    (line,) = caplog.messages
    assert said in line and "is refused" in line
    assert "hunter2" not in line
    outbox = Outbox(connection=connection)
    item = Item("feedback", "a" * 32, Request(place.servers["tls"].url, {}, b""))
    assert outbox.put(item) is None
    assert outbox.counters.reasons == {connection.unusable: 1}
    assert place.way() == ""


def test_a_password_in_the_proxys_address_is_sent_to_it(place: Place) -> None:
    """The SDK sends only what ``proxy_headers`` has, so its events do not pass such a proxy."""
    address = place.words["LOGIN"].replace("://", "://me:secret@")
    options = place.options("plain", http_proxy=address)
    send_by_sdk(options)
    assert place.way() == ""
    send_by_kit(options)
    assert place.way() == "login"
