"""Sentry DSNs: parses and finds them, makes addresses and the authentication header from them, and
reads that header as a server does.

Ground floor: does not depend on Flask or raven. The secret half appears only in ``auth_header``,
on request, and in no message, ``repr`` or address made here.

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

# A host name, an IPv4 or a bracketed IPv6 address. No character here can end an attribute, a
# header or an address early.
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\.?|\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]")
_KEY = re.compile(r"[A-Za-z0-9._~-]+")
_PROJECT = re.compile(r"[A-Za-z0-9._~-]+")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*")

STORE_PATH: Final = "/api/{project}/store/"
"""One event is posted here as JSON: all Sentry versions, GlitchTip, Bugsink; not Spotlight."""

ENVELOPE_PATH: Final = "/api/{project}/envelope/"
"""Envelopes are posted here: Sentry from 20.6 on, and all other current servers."""

ERROR_PAGE_PATH: Final = "/api/embed/error-page/"
"""The crash dialog's script and its form's target: Sentry from 8 on, and GlitchTip."""

_STORE_URL = re.compile(r"(https?://[^?#]*/api/[^/?#]+)/store/")

AUTH_HEADER: Final = "X-Sentry-Auth"

_PROTOCOL: Final = "7"
# All current clients send 7; servers also accept 3 to 6 from older clients.

_AUTH = re.compile(r"Sentry\s+(.*)", re.IGNORECASE | re.DOTALL)
_AUTH_MAX: Final = 4_096

# sentry.io's hosts for events, with the region if they name one: ``o1.ingest.de.sentry.io``, or in
# the other order as its documentation has it; and sentry.io itself, the host of the oldest DSNs.
_INGEST = re.compile(r"(?:(?:[^.]+\.)?(?:([a-z0-9-]+)\.)?ingest\.(?:([a-z0-9-]+)\.)?)?sentry\.io")

# Finds secrets in the header, and in a DSN or another address with a password.
_SECRETS = re.compile(r"(?:sentry_secret=|://[^/@\s:]*:)([^,@&\s]+)")

# raven chose a transport by a prefix of the scheme (``sync+https``); the prefix still parses.
_SCHEME = re.compile(r"(?:[a-z]+\+)*(https?)")


class DsnError(ValueError):
    """The text is not a valid DSN. The message never holds any part of a key or secret."""


def envelope_url_of(store_url: str) -> str | None:
    """The address that takes envelopes where this one takes events; see ``ENVELOPE_PATH``.

    :returns: None if the address is not one of ``STORE_PATH``.
    """
    found = _STORE_URL.fullmatch(store_url)
    return f"{found[1]}/envelope/" if found else None


@dataclass(frozen=True, slots=True)
class Dsn:
    """The parts of a DSN, checked.

    The addresses follow Sentry's own layout: a path prefix of the DSN stays in front of
    ``/api/`` (as in ``@sentry/browser``; raven-js 3.27.2 drops it).
    """

    scheme: str
    public_key: str
    host: str
    """As written in an address: IPv6 in brackets, with ``:port`` if one was given."""
    path: str
    """Prefix in front of ``/api``: empty, or ``/a/b`` with no slash at the end."""
    project: str
    secret_key: str | None = field(default=None, repr=False)
    options: tuple[tuple[str, str], ...] = ()
    """raven's transport options from the query: ``timeout``, ``verify_ssl``, ``ca_certs``."""

    @classmethod
    def parse(cls, text: object, setting: str = "SENTRY_DSN") -> Dsn:
        """Parse a DSN.

        :param text: the DSN; white space around it and a slash at its end are ignored.
        :param setting: the name of its setting, for the error text.
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
            # urlsplit ends the host at a "/", "?" or "#", so a secret that has one fails here.
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
        """Make a DSN from its parts.

        :param base_url: the start of the server's addresses, as in the property ``base_url``.
        :param setting: the origin of the parts, for the error text.
        :raises DsnError: the parts make no valid DSN, or one that parses into different parts.
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
        """``scheme://host[:port]``, as in a Content-Security-Policy."""
        return f"{self.scheme}://{self.host}"

    @property
    def public(self) -> str:
        """The DSN without its secret and options, safe to give to a browser."""
        return f"{self.scheme}://{self.public_key}@{self.host}{self.path}/{self.project}"

    def public_with(self, scheme: str | None) -> str:
        """``public`` as raven's ``get_public_dsn()`` returns it: with the given scheme, or without
        one, ``//key@host/project``, for a page that adds its own."""
        rest = self.public.partition(":")[2]
        return f"{scheme}:{rest}" if scheme else rest

    @property
    def base_url(self) -> str:
        """The start of all addresses of the server, without a slash at the end."""
        return f"{self.origin}{self.path}"

    @property
    def store_url(self) -> str:
        """The address to post one event to; see ``STORE_PATH``."""
        return self.base_url + STORE_PATH.format(project=self.project)

    @property
    def envelope_url(self) -> str:
        """The address to post envelopes to; see ``ENVELOPE_PATH``."""
        return self.base_url + ENVELOPE_PATH.format(project=self.project)

    @property
    def dialog_origins(self) -> list[str]:
        """The origins that serve the crash dialog's script and receive its form.

        At sentry.io the ingest host redirects the script to ``sentry.io``, and the form goes to the
        host of the organization's region. A DSN that names no region is of ``us``: it is older than
        the regions, and Sentry reads it so too (``proxy_error_embed_request`` in its
        ``hybridcloud/apigateway``). Any other server has the form sent to its own
        ``system.url-prefix``, which a DSN does not name and which mostly is the DSN's host.
        """
        name = (urlsplit(self.origin).hostname or "").rstrip(".")
        ingest = _INGEST.fullmatch(name)
        if ingest is None:
            return [self.origin]
        region = ingest[1] or ingest[2] or "us"
        origins = [self.origin, "https://sentry.io", f"https://{region}.sentry.io"]
        return list(dict.fromkeys(origins))

    @property
    def is_sentry_io(self) -> bool:
        """Whether the server is Sentry's own, which takes envelopes on ``*.ingest.sentry.io``,
        ``*.ingest.us.sentry.io`` and ``*.ingest.de.sentry.io``; old DSNs name ``sentry.io``."""
        name = (urlsplit(self.origin).hostname or "").rstrip(".")
        return name == "sentry.io" or name.endswith(".sentry.io")

    @property
    def error_page_url(self) -> str:
        """The address of the crash dialog's script, and the one to post its form and our feedback
        to; see ``ERROR_PAGE_PATH``."""
        return self.base_url + ERROR_PAGE_PATH

    def report_url(self, event_id: str) -> str:
        """The address to post feedback about one event to, the same as for the dialog's form."""
        return f"{self.error_page_url}?{urlencode({'eventId': event_id, 'dsn': self.public})}"

    def auth_header(
        self,
        client: str,
        *,
        protocol: str = _PROTOCOL,
        timestamp: int | None = None,
        with_secret: bool = False,
    ) -> str:
        """The value of ``AUTH_HEADER``: https://develop.sentry.dev/sdk/overview/#authentication

        :param client: the sender's name and version, ``name/version``.
        :param protocol: the version of Sentry's protocol.
        :param timestamp: when the event was made, in seconds since 1970; deprecated, and read only
            by old servers.
        :param with_secret: also include the secret half, if the DSN has one: deprecated since
            Sentry 9, and required before.
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
    """Parse the DSN in an address of the crash dialog. A DSN without a scheme, in the form of
    raven's ``get_public_dsn()``, is accepted: servers read only its public key and project.

    :raises DsnError: as :meth:`Dsn.parse` does.
    """
    return Dsn.parse(f"http:{text}" if text.startswith("//") else text)


class Fields(Protocol):
    """Headers or query arguments, of any framework."""

    def get(self, name: str, default: str, /) -> str: ...


def read_public_key(headers: Fields, query: Fields) -> str | None:
    """The public key of a request: from ``AUTH_HEADER``, from ``Authorization``, or from
    ``sentry_key`` in the query, which browsers use. Sentry's protocol, 3 to 7.

    :returns: the key as it was sent; None or empty if there is none.
    """
    for name in (AUTH_HEADER, "Authorization"):
        match = _AUTH.fullmatch(headers.get(name, "")[:_AUTH_MAX])
        if match:
            pairs = (part.strip().partition("=") for part in match[1].split(","))
            return {key: value for key, _, value in pairs}.get("sentry_key")
    return query.get("sentry_key", "")


def read_envelope_key(header: Mapping[str, Any]) -> str | None:
    """The public key in an envelope's own header, for envelopes that a relay passes on.

    :param header: the envelope's first line.
    :returns: None if the header has no DSN.
    :raises DsnError: the header has a malformed DSN.
    """
    text = header.get("dsn")
    return None if text is None else Dsn.parse(text).public_key


def secrets_in(text: str) -> list[str]:
    """The secrets in an ``AUTH_HEADER``, a DSN or another address. No message may repeat them."""
    return _SECRETS.findall(text)


@dataclass(frozen=True, slots=True)
class FoundDsn:
    """A DSN that was found, and the setting it was found in."""

    text: Any
    """The DSN as written there, not checked yet; None if none is set, empty if reporting is
    switched off."""

    setting: str
    """The name of the setting, for errors and log lines."""


PLACES: Final = (
    "SENTRY_CONFIG['dsn']",
    "SENTRY_DSN in app.config",
    "the dsn argument of Sentry()",
    "SENTRY_DSN in the environment",
)
"""The places that :func:`find_dsn` searches, in its order, with their names in log lines."""


def find_dsn(config: Mapping[str, Any], given: object = None) -> FoundDsn:
    """Find an app's DSN, with raven's precedence.

    ``SENTRY_CONFIG["dsn"]``, then ``SENTRY_DSN`` in the app's config, then the DSN given in code,
    then ``SENTRY_DSN`` in the environment. A setting with the value None counts as not set, since
    ``os.environ.get(…)`` in a config class gives that; an empty string switches reporting off.

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
