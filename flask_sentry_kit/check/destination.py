"""Where an app's events go: the DSN, what reports to it, and whether its server can be reached."""

from __future__ import annotations

import os
import socket
import ssl
import time
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Flask

from ..dsn import PLACES, Dsn, DsnError, find_dsn
from ..kit import Kit
from ..outbox import Connection
from ..reporters import uses_sdk
from .deadline import Budget, OutOfTime, within
from .finding import Finding, plain
from .reporting import KIT, Sender

_PROXIES: Final = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY")

_EXPIRES_SOON: Final = 14 * 86_400
"""Seconds: ACME clients renew a certificate of 90 days 30 days before its end."""


def look_at_dsn(app: Flask, kit: Kit) -> Finding:
    """Which DSN is used and where it was found; its secret half is left out."""
    dsn = kit.dsn
    if uses_sdk(app):
        return _look_at_dsn_of_sdk(kit, dsn)
    given = getattr(app.extensions.get("sentry"), "dsn", None)
    found = find_dsn(app.config, given)
    if dsn is not None:
        return Finding("dsn", "ok", f"{dsn.public}, from {_place(dsn, found.text, found.setting)}")
    if kit.reporter.switched_off or found.text == "":
        return Finding("dsn", "ok", f"{found.setting} is empty: reporting is off, on purpose")
    if found.text is not None:
        return Finding(
            "dsn",
            "broken",
            f"{found.setting} is set, but the app's reporter does not use it: nothing is reported",
            "Make the app's Sentry after its configuration is loaded, or leave it to the kit.",
        )
    return Finding(
        "dsn",
        "broken",
        "There is none: the crash page shows, and nothing is reported",
        f"Set it in {', '.join(PLACES[:-1])} or {PLACES[-1]}. To report nothing on purpose, set"
        " SENTRY_DSN to an empty string.",
    )


def _look_at_dsn_of_sdk(kit: Kit, dsn: Dsn | None) -> Finding:
    if dsn is not None:
        return Finding("dsn", "ok", f"{dsn.public}, from sentry_sdk.init()")
    if kit.reporter.switched_off:
        return Finding(
            "dsn", "ok", "sentry_sdk.init() was called without one: reporting is off, on purpose"
        )
    return Finding(
        "dsn",
        "broken",
        "There is none, since sentry_sdk.init() was not called: the crash page shows, and nothing"
        " is reported",
        "Call sentry_sdk.init(dsn=…) where the app is made. With SENTRY_KIT_REPORTER = 'sentry-sdk'"
        " no other setting has an effect on it.",
    )


def _place(dsn: Dsn, text: object, setting: str) -> str:
    try:
        if Dsn.parse(text).public == dsn.public:
            return setting if " in " in setting or "'" in setting else f"{setting} in app.config"
    except DsnError:
        pass
    return "the client that the app made itself"


def look_at_network(
    dsn: Dsn, connection: Connection, budget: Budget, sender: Sender = KIT
) -> list[Finding]:
    """Whether the server can be reached, by TCP and by TLS."""
    host, port = _address(dsn)
    if connection.unusable:
        return [
            Finding(
                "network",
                "broken",
                f"{plain(connection.unusable)}: what visitors write is refused",
                "Look at the log line about it, which the app has at its start.",
            )
        ]
    if connection.proxy is not None:
        return [Finding("network", "ok", "The server is asked through the proxy that is set")]
    started = time.monotonic()
    try:
        step = budget.step()
        connected = within(step, lambda: socket.create_connection((host, port), timeout=step))
    except (OSError, OutOfTime) as error:
        return [_unreachable(dsn, error, sender)]
    took = time.monotonic() - started
    with connected:
        reached = f"{dsn.host} answers in {took * 1000:.0f} ms"
        if dsn.scheme != "https":
            return [_without_tls(dsn, host, reached)]
        try:
            step = budget.step()
            found = within(step, lambda: _handshake(connected, host, connection, step))
        except (OSError, ValueError, OutOfTime) as error:
            return [_broken_tls(error, connection, sender)]
    return [Finding("network", "ok", f"{reached}, over {found[0]}"), *_judge(found[1], connection)]


def _address(dsn: Dsn) -> tuple[str, int]:
    url = urlsplit(dsn.origin)
    return url.hostname or "", url.port or (443 if url.scheme == "https" else 80)


def _unreachable(dsn: Dsn, error: Exception, sender: Sender) -> Finding:
    if isinstance(error, socket.gaierror):
        do = "Look at the host's name in the DSN, and at this machine's DNS."
    elif isinstance(error, OutOfTime | TimeoutError):
        do = "Look whether a firewall stands between this machine and the server."
    else:
        do = "Look whether the server runs, and at host and port of the DSN."
    proxies = [name for name in _PROXIES if os.environ.get(name)]
    if proxies and not sender.uses_environment:
        do += (
            f" {proxies[0]} is set in the environment: the kit does not use it, since a"
            " request's header could set HTTP_PROXY where the app runs as CGI."
        )
    return Finding(
        "network",
        "broken",
        f"{dsn.host} cannot be reached: {plain(error)}. {sender.fate}",
        do,
    )


def _without_tls(dsn: Dsn, host: str, reached: str) -> Finding:
    if host == "localhost" or host.startswith("127.") or host == "::1":
        return Finding("network", "ok", f"{reached}, without TLS, on this machine")
    return Finding(
        "network",
        "note",
        f"{reached}, without TLS: events and visitors' words can be read on the way",
        "Use https in the DSN, unless the way to the server is private. A page with https shows no"
        " dialog from a server with http.",
    )


def _handshake(
    connected: socket.socket, host: str, connection: Connection, seconds: float
) -> tuple[str, dict[str, Any]]:
    connected.settimeout(seconds)
    context = connection.ssl_context()
    with context.wrap_socket(connected, server_hostname=host) as secured:
        found: Any = secured.getpeercert() or {}
        return secured.version() or "TLS", found


def _broken_tls(error: Exception, connection: Connection, sender: Sender) -> Finding:
    if connection.ca_certs:
        trusts = f"the CAs in {connection.ca_certs}"
    else:
        trusts = "certifi's CAs" if connection.certifi else "the system's CAs"
    if isinstance(error, ssl.SSLCertVerificationError):
        return Finding(
            "tls",
            "broken",
            f"The server's certificate is not accepted: {plain(error.verify_message)} (checked"
            f" against {trusts}). {sender.fate}",
            f"Renew the certificate, or name its CA {sender.ca_certs}",
        )
    return Finding(
        "tls",
        "broken",
        f"TLS fails: {plain(error)}",
        "Look whether the DSN's port speaks TLS, and which versions the server offers.",
    )


def _judge(certificate: dict[str, Any], connection: Connection) -> list[Finding]:
    if not connection.verify_ssl:
        return [
            Finding(
                "tls",
                "note",
                "The DSN says verify_ssl=0: no certificate is checked, so that anybody on the way"
                " can read and change what is sent",
                "Name the server's CA instead: ?ca_certs=/path/to/ca.pem",
            )
        ]
    ends = certificate.get("notAfter")
    left = ssl.cert_time_to_seconds(ends) - time.time() if ends else _EXPIRES_SOON
    if left < _EXPIRES_SOON:
        return [
            Finding(
                "tls",
                "note",
                f"The server's certificate ends in {left / 86_400:.0f} days",
                "Look whether its renewal works.",
            )
        ]
    return []
