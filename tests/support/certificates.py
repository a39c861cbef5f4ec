"""Certificates for servers on loopback, made by OpenSSL when a test asks for them."""

from __future__ import annotations

import re
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Certificates:
    """A CA of our own in a folder, and what it signed."""

    folder: Path
    home_made: bool = False
    """Without what RFC 5280 asks of a CA: Python 3.13 minds, the older ones do not."""

    def __post_init__(self) -> None:
        self.ca = str(self.folder / "ca.pem")
        self._openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
            " -subj /CN=test-ca -keyout ca.key -out ca.pem"
            + ("" if self.home_made else " -addext keyUsage=critical,keyCertSign,cRLSign")
        )

    def context(self, *names: str) -> ssl.SSLContext:
        """A server's context with a certificate for these names and IPv4 addresses."""
        file = "-".join(names)
        if not (self.folder / f"{file}.pem").exists():
            self._openssl(
                "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
                f" -subj /CN=server -keyout {file}.key -out {file}.csr"
            )
            kinds = ("IP" if re.fullmatch(r"[\d.]+", name) else "DNS" for name in names)
            said = ",".join(f"{kind}:{name}" for kind, name in zip(kinds, names, strict=True))
            extensions = f"subjectAltName={said}\nauthorityKeyIdentifier=keyid\n"
            (self.folder / f"{file}.ext").write_text(extensions)
            self._openssl(
                f"x509 -req -in {file}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2"
                f" -extfile {file}.ext -out {file}.pem"
            )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{file}.pem", self.folder / f"{file}.key")
        return context

    def _openssl(self, arguments: str) -> None:
        subprocess.run(
            ["openssl", *arguments.split()], cwd=self.folder, check=True, capture_output=True
        )
