"""Asks a server over HTTP as the outbox would reach it: the same CAs, the same proxy. It follows no
redirect, and sends no secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..outbox import Connection
from .deadline import Budget, within

BODY_MAX: Final = 512 * 1024
"""Bytes of an answer that are read. Sentry's dialog has about 20 kB."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def kind(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


class Asker:
    """Asks one question after the other.

    :param connection: how the outbox connects.
    :param budget: the time for all of them.
    """

    def __init__(self, connection: Connection, budget: Budget) -> None:
        self.connection = connection
        self.budget = budget
        self._pool: Any = None

    def ask(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Reply:
        """One request and its answer.

        :raises OutOfTime: there was none in time.
        :raises Exception: urllib3's errors.
        """
        seconds = self.budget.step()

        def ask() -> Reply:
            answer = self._made_pool().request(
                method,
                url,
                body=body or None,
                headers={"User-Agent": "flask-sentry-kit-check", **(headers or {})},
                redirect=False,
                retries=False,
                timeout=seconds,
                preload_content=False,
            )
            try:
                content = answer.read(BODY_MAX, decode_content=True)
                known = {name.lower(): value for name, value in answer.headers.items()}
                return Reply(answer.status, known, content)
            finally:
                answer.close()

        return within(seconds, ask)

    def _made_pool(self) -> Any:
        if self._pool is None:
            self._pool = _pool_for(self.connection)
        return self._pool


def _pool_for(connection: Connection) -> Any:
    from urllib3 import PoolManager, ProxyManager

    context, proxy = connection.ssl_context(), connection.parsed_proxy()
    if proxy is None:
        return PoolManager(ssl_context=context)
    if proxy.is_socks:
        from urllib3.contrib.socks import SOCKSProxyManager

        user, password = proxy.login
        return SOCKSProxyManager(proxy.url, user or None, password or None, ssl_context=context)
    return ProxyManager(
        proxy.url,
        proxy_headers=proxy.headers,
        proxy_ssl_context=connection.proxy_context() if proxy.scheme == "https" else None,
        ssl_context=context,
    )
