"""Which certificates are trusted, and which one is shown."""

from __future__ import annotations

import os
import ssl


def make_context(
    ca_certs: str | None,
    *,
    verify: bool,
    beside_system: bool = False,
    certificate: tuple[str, str | None] | None = None,
) -> ssl.SSLContext:
    """A context that trusts the given CAs, or the system's.

    :param ca_certs: a file or a directory.
    :param verify: False: no certificate is checked.
    :param beside_system: the given CAs are trusted beside the system's, not instead of them.
    :param certificate: the files of the client's certificate and of its key. The key is in the
        first one if the second is None; it has no password.
    :raises ValueError: for CAs or a certificate that cannot be read.
    """
    try:
        if ca_certs is None:
            context = ssl.create_default_context()
        elif os.path.isdir(ca_certs):
            context = ssl.create_default_context(capath=ca_certs)
        else:
            context = ssl.create_default_context(cafile=ca_certs)
    except OSError as error:
        raise ValueError(f"ca_certs cannot be read: {error}") from error
    if ca_certs is not None:
        if beside_system:
            context.load_default_certs()
        # Python 3.13 began to require extensions that home-made CAs lack. A CA that was given on
        # purpose works as on older Pythons: chain and name are still checked.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        try:
            # Without a password here, OpenSSL would ask the terminal for it.
            context.load_cert_chain(*certificate, password="")
        except OSError as error:
            raise ValueError(f"the client's certificate cannot be read: {error}") from error
    return context
