"""How a server is reached. Loads neither ssl nor urllib3 before that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from .proxy import Proxy, parse_proxy

if TYPE_CHECKING:
    import ssl


def has_socks() -> bool:
    """Whether PySocks is installed."""
    return find_spec("socks") is not None


class Connection(NamedTuple):
    """How a server is reached."""

    timeout: float = 5.0
    """Seconds for one attempt as a whole, connecting included."""
    ca_certs: str | None = None
    """File or directory of the CAs to trust instead of the system's."""
    verify_ssl: bool = True
    proxy: str | None = None
    """``http://[user:password@]host[:port]``, or another scheme of ``proxy.PORTS``; the environment
    is never asked. SOCKS needs PySocks."""
    proxy_headers: Mapping[str, str] | None = None
    """More headers for the proxy alone."""
    certifi: bool = False
    """Whether certifi's CAs are trusted instead of the system's where ``ca_certs`` names none. They
    are read when there is something to send."""
    system_cas: bool = False
    """Whether the system's CAs are trusted beside the others."""
    certificate: tuple[str, str | None] | None = None
    """The files of the certificate that this client shows to the server, and of its key, which has
    no password; None for the key if it is in the first one."""
    unusable: str = ""
    """Why nothing can be sent like this, if so: what is put is refused with this reason, which
    holds nothing secret."""

    def parsed_proxy(self) -> Proxy | None:
        """The proxy, checked.

        :raises ValueError: for a proxy that is not a URL, a header that is none, or one of SOCKS
            where PySocks is not installed.
        """
        if self.proxy is None:
            return None
        proxy = parse_proxy(self.proxy, self.proxy_headers)
        if proxy.is_socks and not has_socks():
            raise ValueError("a SOCKS proxy needs PySocks: pip install PySocks")
        return proxy

    def ssl_context(self) -> ssl.SSLContext:
        """A new context for the server.

        :raises ValueError: for CAs or a certificate that cannot be read.
        """
        return self._context(self.certificate)

    def proxy_context(self) -> ssl.SSLContext:
        """A new context for the proxy, which is shown no certificate.

        :raises ValueError: for CAs that cannot be read.
        """
        return self._context(None)

    def _context(self, certificate: tuple[str, str | None] | None) -> ssl.SSLContext:
        from .tls import make_context

        ca_certs = self.ca_certs
        if ca_certs is None and self.certifi:
            import certifi

            ca_certs = certifi.where()
        return make_context(
            ca_certs,
            verify=self.verify_ssl,
            beside_system=self.system_cas,
            certificate=certificate,
        )
