"""A Sentry DSN: taken apart, looked for, made into addresses and into the header that says whose
request it is; and that header read again, as a server does.

Ground floor: knows nothing of Flask or raven. The secret half appears in ``auth_header`` where it
is asked for, and in no message, ``repr`` or address made here.

The facts are Sentry's own: https://develop.sentry.dev/sdk/overview/#parsing-the-dsn for the parts,
``#authentication`` there for the header, https://develop.sentry.dev/sdk/envelopes/ for envelopes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit

_SHAPE = "scheme://public_key[:secret]@host[:port][/path]/project"

# A host name, an IPv4 or a bracketed IPv6 address: nothing that could end an
# attribute, a header or an address early.
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\.?|\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]")
_KEY = re.compile(r"[A-Za-z0-9._~-]+")
_PROJECT = re.compile(r"[A-Za-z0-9._~-]+")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*")

STORE_PATH: Final = "/api/{project}/store/"
"""Where one event is posted as JSON: every Sentry, GlitchTip and Bugsink; Spotlight has none."""

ENVELOPE_PATH: Final = "/api/{project}/envelope/"
"""Where envelopes are posted: Sentry from 20.6 on, and all other servers of today."""

ERROR_PAGE_PATH: Final = "/api/embed/error-page/"
"""The crash dialog's script, and where its form goes: Sentry from 8 on, and GlitchTip."""

AUTH_HEADER: Final = "X-Sentry-Auth"

_PROTOCOL: Final = "7"
# What all clients of today say; servers also take 3 to 6, which older ones do.

_AUTH = re.compile(r"Sentry\s+(.*)", re.IGNORECASE | re.DOTALL)
_AUTH_MAX: Final = 4_096

# In the header, and in a DSN or another address with a password.
_SECRETS = re.compile(r"(?:sentry_secret=|://[^/@\s:]*:)([^,@&\s]+)")

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

    @classmethod
    def of(
        cls,
        base_url: str,
        public_key: str,
        project: str,
        secret_key: str | None = None,
        setting: str = "SENTRY_DSN",
    ) -> Dsn:
        """Put a DSN together.

        :param base_url: what the server's addresses begin with, as in ``base_url``.
        :param setting: what the parts came from, for the error.
        :raises DsnError: they make no DSN, or one that reads back as another.
        """
        scheme, _, rest = base_url.partition("://")
        secret = f":{secret_key}" if secret_key else ""
        dsn = cls.parse(f"{scheme}://{public_key}{secret}@{rest}/{project}", setting)
        if (dsn.public_key, dsn.project, dsn.secret_key) != (
            public_key,
            project,
            secret_key or None,
        ):
            raise DsnError(
                f"{setting} is not a Sentry DSN: key and project may have letters, digits, '.',"
                " '_', '~' and '-'"
            )
        return dsn

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
    def public_without_scheme(self) -> str:
        """``public`` as raven's ``get_public_dsn()`` has it, ``//key@host/project``: for a page
        that takes its own scheme."""
        return self.public.partition(":")[2]

    @property
    def base_url(self) -> str:
        """What all addresses of the server begin with: no slash at the end."""
        return f"{self.origin}{self.path}"

    @property
    def store_url(self) -> str:
        """Where one event is posted; see ``STORE_PATH``."""
        return self.base_url + STORE_PATH.format(project=self.project)

    @property
    def envelope_url(self) -> str:
        """Where envelopes are posted; see ``ENVELOPE_PATH``."""
        return self.base_url + ENVELOPE_PATH.format(project=self.project)

    @property
    def dialog_origins(self) -> list[str]:
        """The origins that the crash dialog's script comes from, and that its form goes to."""
        name = (urlsplit(self.origin).hostname or "").rstrip(".")
        # The hosts that take events at sentry.io send the dialog's script on to the main one.
        return [self.origin, "https://sentry.io"] if name.endswith(".sentry.io") else [self.origin]

    @property
    def error_page_url(self) -> str:
        """The crash dialog's script, and where its form and our feedback go; see
        ``ERROR_PAGE_PATH``."""
        return self.base_url + ERROR_PAGE_PATH

    def report_url(self, event_id: str) -> str:
        """Where the words on one event are posted, as the dialog's own form does it."""
        return f"{self.error_page_url}?{urlencode({'eventId': event_id, 'dsn': self.public})}"

    def auth_header(
        self,
        client: str,
        *,
        protocol: str = _PROTOCOL,
        timestamp: int | None = None,
        with_secret: bool = False,
    ) -> str:
        """What ``AUTH_HEADER`` says of a request: https://develop.sentry.dev/sdk/overview/#authentication

        :param client: name and version of who sends it, ``name/version``.
        :param protocol: the version of Sentry's protocol.
        :param timestamp: when the event was made, in seconds since 1970; deprecated, and read by
            old servers alone.
        :param with_secret: also give the secret half, if the DSN has one: deprecated since Sentry
            9, and required before.
        """
        parts = [] if timestamp is None else [f"sentry_timestamp={timestamp}"]
        parts += [
            f"sentry_client={client}",
            f"sentry_version={protocol}",
            f"sentry_key={self.public_key}",
        ]
        if with_secret and self.secret_key:
            parts.append(f"sentry_secret={self.secret_key}")
        return f"Sentry {', '.join(parts)}"

    def envelope_header(self, event_id: str) -> dict[str, str]:
        """The first line of an envelope about one event, sent now:
        https://develop.sentry.dev/sdk/envelopes/#authenticated-envelopes"""
        return {
            "event_id": event_id,
            "dsn": self.public,
            "sent_at": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


def read_public_dsn(text: str) -> Dsn:
    """The DSN in an address of the crash dialog; one without a scheme, as raven's
    ``get_public_dsn()`` gives it, is accepted: servers look at public key and project alone.

    :raises DsnError: as :meth:`Dsn.parse` does.
    """
    return Dsn.parse(f"http:{text}" if text.startswith("//") else text)


class Fields(Protocol):
    """Headers or query arguments, of any framework."""

    def get(self, name: str, default: str, /) -> str: ...


def read_public_key(headers: Fields, query: Fields) -> str | None:
    """The public key that a request is sent with: in ``AUTH_HEADER``, in ``Authorization``, or as
    ``sentry_key`` in the query, where browsers have it. Sentry's protocol, 3 to 7.

    :returns: as it was sent; None or empty where there is none.
    """
    for name in (AUTH_HEADER, "Authorization"):
        match = _AUTH.fullmatch(headers.get(name, "")[:_AUTH_MAX])
        if match:
            pairs = (part.strip().partition("=") for part in match[1].split(","))
            return {key: value for key, _, value in pairs}.get("sentry_key")
    return query.get("sentry_key", "")


def read_envelope_key(header: Mapping[str, Any]) -> str | None:
    """The public key in an envelope's own header, for envelopes that others pass on.

    :param header: the envelope's first line.
    :returns: None where there is no DSN in it.
    :raises DsnError: there is one, and it is malformed.
    """
    text = header.get("dsn")
    return None if text is None else Dsn.parse(text).public_key


def secrets_in(text: str) -> list[str]:
    """The secrets in an ``AUTH_HEADER``, a DSN or another address: what no message may repeat."""
    return _SECRETS.findall(text)


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
