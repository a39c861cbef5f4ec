"""How a client of sentry-sdk reaches its server, so that visitors' words go the way of its events.

The rules are those of the SDK's own ``transport.py``, read in 2.0.0 to 2.75, and of the urllib3
that it uses.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from sentry_sdk.consts import VERSION

from ...compat import sentry_sdk_trusts_the_system
from ...dsn import Dsn
from ...outbox import Connection
from ...outbox.connecting import has_socks

logger = logging.getLogger("flask_sentry_kit")


class _OptionError(ValueError):
    """An option that cannot be used: its name and what is wrong, without its value."""


def connection_of(options: Mapping[str, Any], dsn: Dsn) -> Connection:
    """The outbox's connection for the server of a client of sentry-sdk.

    Proxy, CAs and client certificate are those of the options, and where these name none, those of
    the environment, which the SDK reads too. Never raises: of options that cannot be used comes a
    connection that is ``unusable``, and a log line.

    :param options: the client's ``options``.
    :param dsn: the client's DSN.
    """
    try:
        return _connection(options, dsn)
    except Exception as error:
        what = str(error) if isinstance(error, _OptionError) else type(error).__name__
        logger.error(
            "What visitors write cannot be sent the way of sentry-sdk's events, and is refused: %s."
            " The SDK's own transport sends no events like this either; correct its options",
            what,
        )
        return Connection(unusable="sentry-sdk's options name no usable way to the server")


def _connection(options: Mapping[str, Any], dsn: Dsn) -> Connection:
    found = _with_proxy(options, dsn)
    try:
        proxy = found.parsed_proxy()
    except ValueError as error:
        raise _OptionError(
            f"http_proxy or https_proxy, or the environment's variable of that name: {error}"
        ) from None
    if dsn.scheme != "https" and (proxy is None or proxy.scheme != "https"):
        # Files that are not needed may be missing.
        return found
    try:
        found = _with_tls(options, found)
        if found.ca_certs is not None or found.certificate is not None:
            found.ssl_context()
    except (ValueError, TypeError) as error:
        raise _OptionError(
            f"ca_certs, cert_file or key_file, or the environment's SSL_CERT_FILE,"
            f" REQUESTS_CA_BUNDLE, CLIENT_CERT_FILE or CLIENT_KEY_FILE: {error}"
        ) from None
    return found


def _with_proxy(options: Mapping[str, Any], dsn: Dsn) -> Connection:
    proxy = _proxy(options, dsn)
    if not proxy:
        return Connection()
    if not isinstance(proxy, str):
        raise _OptionError(f"http_proxy and https_proxy take a string; got {type(proxy).__name__}")
    if proxy.startswith("socks"):
        if has_socks():
            return Connection(proxy=proxy)
        logger.warning(
            "sentry-sdk is given a SOCKS proxy, and PySocks is not installed: what visitors write"
            " is sent without the proxy, as the SDK sends its events then. Install PySocks"
        )
        return Connection()
    return Connection(proxy=proxy, proxy_headers=_headers(options.get("proxy_headers")))


def _proxy(options: Mapping[str, Any], dsn: Dsn) -> Any:
    """An empty option forbids the environment's proxy; ``no_proxy`` is for that one alone. What
    none of them names for https may be named for http."""
    around = {} if _in_no_proxy(dsn) else getproxies()
    for scheme in ("https", "http") if dsn.scheme == "https" else ("http",):
        given = options.get(f"{scheme}_proxy")
        if given != "":
            proxy = given or around.get(scheme)
            if proxy:
                return proxy
    return None


def _in_no_proxy(dsn: Dsn) -> bool:
    """Ends of the host's name, with its port or without, as the SDK compares them: a ``*`` means
    nothing, and an empty entry every host."""
    excepted = getproxies().get("no")
    if not excepted:
        return False
    url = urlsplit(dsn.origin)
    host = url.hostname or ""
    usual = {"http": 80, "https": 443}[dsn.scheme]
    netloc = host if url.port in (None, usual) else f"{host}:{url.port}"
    ends = tuple(entry.strip() for entry in excepted.split(","))
    return host.endswith(ends) or netloc.endswith(ends)


def _headers(given: Any) -> dict[str, str] | None:
    if not given:
        return None
    try:
        return {_text(name): _text(value) for name, value in dict(given).items()}
    except (TypeError, ValueError):
        raise _OptionError("proxy_headers takes a dict of texts") from None


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if not isinstance(value, str):
        raise TypeError
    return value


def _with_tls(options: Mapping[str, Any], found: Connection) -> Connection:
    version = tuple(int(number) for number in re.findall(r"\d+", VERSION)[:2])
    environ = os.environ if version >= (2, 7) else {}
    ca_certs = (
        options.get("ca_certs") or environ.get("SSL_CERT_FILE") or environ.get("REQUESTS_CA_BUNDLE")
    )
    cert_file, key_file = options.get("cert_file"), options.get("key_file")
    if version >= (2, 10):
        cert_file = cert_file or environ.get("CLIENT_CERT_FILE")
        key_file = key_file or environ.get("CLIENT_KEY_FILE")
    return Connection(
        proxy=found.proxy,
        proxy_headers=found.proxy_headers,
        # urllib3 knows a path in one's home.
        ca_certs=os.path.expanduser(os.fspath(ca_certs)) if ca_certs else None,
        certifi=True,
        system_cas=sentry_sdk_trusts_the_system(options),
        certificate=(os.fspath(cert_file), os.fspath(key_file) if key_file else None)
        if cert_file
        else None,
    )
