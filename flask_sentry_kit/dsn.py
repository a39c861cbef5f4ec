"""A Sentry DSN taken apart: where events and feedback go, and what of it a visitor may see.

Ground floor: knows nothing of Flask, raven or the wire. The secret half never appears in a
message, a ``repr`` or an address made here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

_SHAPE = "scheme://public_key[:secret]@host[:port][/path]/project"

# A host name, an IPv4 or a bracketed IPv6 address: nothing that could end an
# attribute, a header or an address early.
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\.?|\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]")
_KEY = re.compile(r"[A-Za-z0-9._~-]+")
_PROJECT = re.compile(r"[A-Za-z0-9._~-]+")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*")

# raven chose a transport by a prefix of the scheme (``sync+https``); the prefix still parses.
_SCHEME = re.compile(r"(?:[a-z]+\+)*(https?)")


class DsnError(ValueError):
    """A DSN that cannot be one. The text never holds any part of a key or secret."""


@dataclass(frozen=True, slots=True)
class Dsn:
    """The parts of a DSN, checked.

    The addresses follow Sentry's own layout: a path prefix of the DSN stays in front of
    ``/api/`` (as ``@sentry/browser`` has it; raven-js 3.27.2 drops it).
    """

    scheme: str
    public_key: str
    host: str
    """As it stands in an address: IPv6 in brackets, with ``:port`` where one was given."""
    path: str
    """Prefix in front of ``/api``: empty, or ``/a/b`` with no slash at the end."""
    project: str
    secret_key: str | None = field(default=None, repr=False)
    options: tuple[tuple[str, str], ...] = ()
    """raven's transport options from the query: ``timeout``, ``verify_ssl``, ``ca_certs``."""

    @classmethod
    def parse(cls, text: object, setting: str = "SENTRY_DSN") -> Dsn:
        """Take a DSN apart.

        :param text: the DSN; white space around it and a slash at its end are forgiven.
        :param setting: the name of the setting it came from, for the error.
        :raises DsnError: says what is wrong and what is accepted, and shows no secret.
        """

        def wrong(what: str) -> DsnError:
            return DsnError(f"{setting} is not a Sentry DSN: {what}. It looks like {_SHAPE}")

        if not isinstance(text, str):
            raise wrong(f"a string is needed, not {type(text).__name__}")
        text = text.strip()
        if any(ord(char) < 33 or ord(char) == 127 for char in text):
            raise wrong("it has white space or control characters in it")
        try:
            url = urlsplit(text)
        except ValueError:
            raise wrong("its host is malformed") from None
        try:
            port = url.port
        except ValueError:
            # urlsplit ends the host at a "/", "?" or "#": a secret with one lands here.
            raise wrong(
                "its port is no number from 0 to 65535, or a key has a character that must be"
                " percent-encoded"
            ) from None
        scheme = _SCHEME.fullmatch(url.scheme)
        if scheme is None:
            raise wrong("its scheme is neither http nor https")
        if url.fragment:
            raise wrong("it has a '#' in it")
        if not url.username:
            raise wrong("it has no public key")
        if not _KEY.fullmatch(url.username):
            raise wrong("its public key has characters that no key has")
        host = url.netloc.rpartition("@")[2]
        if port is not None or host.endswith(":"):
            host = host.rpartition(":")[0]
        if not host:
            raise wrong("it has no host")
        if not _HOST.fullmatch(host):
            raise wrong("its host is malformed")
        path, _, project = url.path.rstrip("/").rpartition("/")
        if not project:
            raise wrong("it has no project")
        if not _PROJECT.fullmatch(project):
            raise wrong("its project has characters that no project has")
        if not _PATH.fullmatch(path):
            raise wrong("its path has characters that no path has")
        return cls(
            scheme=scheme[1],
            public_key=url.username,
            host=host.lower() if port is None else f"{host.lower()}:{port}",
            path=path,
            project=project,
            secret_key=url.password or None,
            options=tuple(parse_qsl(url.query)),
        )

    def __str__(self) -> str:
        return self.public

    @property
    def origin(self) -> str:
        """``scheme://host[:port]``: what a Content-Security-Policy names."""
        return f"{self.scheme}://{self.host}"

    @property
    def public(self) -> str:
        """The DSN without its secret and options: what a browser may be given."""
        return f"{self.scheme}://{self.public_key}@{self.host}{self.path}/{self.project}"

    @property
    def store_url(self) -> str:
        """Where one event is posted as JSON (every Sentry, GlitchTip, Bugsink)."""
        return f"{self.origin}{self.path}/api/{self.project}/store/"

    @property
    def envelope_url(self) -> str:
        """Where envelopes are posted (newer servers)."""
        return f"{self.origin}{self.path}/api/{self.project}/envelope/"

    @property
    def dialog_origins(self) -> list[str]:
        """The origins that the crash dialog's script comes from, and that its form goes to."""
        name = (urlsplit(self.origin).hostname or "").rstrip(".")
        # The hosts that take events at sentry.io send the dialog's script on to the main one.
        return [self.origin, "https://sentry.io"] if name.endswith(".sentry.io") else [self.origin]

    @property
    def error_page_url(self) -> str:
        """The crash dialog's script, and where its form and our feedback go."""
        return f"{self.origin}{self.path}/api/embed/error-page/"


@dataclass(frozen=True, slots=True)
class FoundDsn:
    """Where a DSN was looked for, and what was there."""

    text: Any
    """The DSN as it stands there, not checked yet; None where none is set, empty where reporting
    is switched off."""

    setting: str
    """The name of the setting it came from, for errors and log lines."""


PLACES: Final = (
    "SENTRY_CONFIG['dsn']",
    "SENTRY_DSN in app.config",
    "the dsn argument of Sentry()",
    "SENTRY_DSN in the environment",
)
"""Where :func:`find_dsn` looks, in its order, as log lines name it."""


def find_dsn(config: Mapping[str, Any], given: object = None) -> FoundDsn:
    """Look for an app's DSN with raven's precedence.

    ``SENTRY_CONFIG["dsn"]``, then ``SENTRY_DSN`` in the app's config, then the DSN given in code,
    then ``SENTRY_DSN`` in the environment. A setting that is there but None is not set, as it
    comes of ``os.environ.get(…)`` in a config class; an empty string switches reporting off.

    :param config: ``app.config``.
    :param given: the DSN given in code.
    """
    own = config.get("SENTRY_CONFIG") or config.get("RAVEN_CONFIG") or {}
    places = (
        ("SENTRY_CONFIG['dsn']", own.get("dsn") if isinstance(own, Mapping) else None),
        ("SENTRY_DSN", config.get("SENTRY_DSN")),
        ("the dsn argument of Sentry()", given),
        ("SENTRY_DSN in the environment", os.environ.get("SENTRY_DSN")),
    )
    for setting, text in places:
        if text is not None:
            return FoundDsn(text, setting)
    return FoundDsn(None, "SENTRY_DSN")
