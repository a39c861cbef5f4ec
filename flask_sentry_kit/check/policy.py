"""Content-Security-Policy, as far as a crash page meets it: which of its parts a policy blocks.

By the Content Security Policy Level 3 draft (https://www.w3.org/TR/CSP3/): parsing is section 2.2,
fallback of directives 6.8.3, matching of sources 6.7.2.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

Kind = Literal["script", "style", "inline script", "inline style", "connect", "image", "form"]

DIRECTIVES: Final[Mapping[Kind, tuple[str, ...]]] = {
    "script": ("script-src-elem", "script-src", "default-src"),
    "inline script": ("script-src-elem", "script-src", "default-src"),
    "style": ("style-src-elem", "style-src", "default-src"),
    "inline style": ("style-src-elem", "style-src", "default-src"),
    "connect": ("connect-src", "default-src"),
    "image": ("img-src", "default-src"),
    "form": ("form-action",),
}
"""The directives that decide about a part of a page; the first one that a policy has counts."""

_NONCE: Final = re.compile(r"'nonce-([A-Za-z0-9+/_-]+={0,2})'", re.IGNORECASE)
_HASH: Final = re.compile(r"'(sha256|sha384|sha512)-([A-Za-z0-9+/_-]+={0,2})'", re.IGNORECASE)
_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_HOST: Final = re.compile(
    r"(?:([a-z][a-z0-9+.-]*)://)?(\*|(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])"
    r"(?::(\d+|\*))?(/[^?#]*)?",
    re.IGNORECASE,
)
_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}


@dataclass(frozen=True, slots=True)
class Part:
    """Something that a page loads, runs or sends."""

    kind: Kind
    url: str = ""
    """Absolute; empty for what stands in the page itself."""
    nonce: str = ""
    text: str = ""
    """What an inline script or style says."""
    integrity: str = ""
    by_script: bool = False
    """A script adds it, with ``createElement``: not by the page's own markup."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy of a response."""

    directives: Mapping[str, tuple[str, ...]]
    enforced: bool = True
    """False: report-only. It blocks nothing."""

    def blocked_by(self, part: Part, page: str) -> str | None:
        """The directive that blocks a part of a page; None where none does.

        :param page: the page's address.
        """
        for name in DIRECTIVES[part.kind]:
            if name in self.directives:
                return None if _allows(self.directives[name], part, page) else name
        return None

    @property
    def sandbox(self) -> tuple[str, ...] | None:
        """The permissions of a sandbox, in lower case; None where there is no sandbox."""
        found = self.directives.get("sandbox") if self.enforced else None
        return None if found is None else tuple(flag.lower() for flag in found)

    @property
    def trusted_types(self) -> tuple[str, ...] | None:
        """The names of allowed Trusted Types policies where scripts' addresses must be trusted;
        empty where every name is allowed, None where nothing has to be trusted."""
        required = self.directives.get("require-trusted-types-for", ())
        if "'script'" not in [one.lower() for one in required]:
            return None
        names = self.directives.get("trusted-types")
        return () if names is None or "*" in names else names or ("'none'",)


def read_policies(headers: Iterable[tuple[str, str]], meta: Iterable[str] = ()) -> list[Policy]:
    """All policies of a response: several headers, and several policies in one header.

    :param headers: names and values, in any case.
    :param meta: contents of ``<meta http-equiv="Content-Security-Policy">``.
    """
    found = []
    for name, value in headers:
        lower = name.lower()
        if lower in ("content-security-policy", "content-security-policy-report-only"):
            enforced = not lower.endswith("report-only")
            found += [_policy(one, enforced) for one in value.split(",")]
    for value in meta:
        # Section 3.3: these two are ignored there.
        directives = dict(_policy(value, True).directives)
        directives.pop("sandbox", None)
        directives.pop("frame-ancestors", None)
        found.append(Policy(directives))
    return [policy for policy in found if policy.directives]


def _policy(text: str, enforced: bool) -> Policy:
    directives: dict[str, tuple[str, ...]] = {}
    for directive in text.split(";"):
        name, *values = directive.split() or [""]
        if name:
            # The first one of a name counts.
            directives.setdefault(name.lower(), tuple(values))
    return Policy(directives, enforced)


def _allows(sources: tuple[str, ...], part: Part, page: str) -> bool:
    if part.kind in ("inline script", "inline style"):
        return _allows_inline(sources, part)
    if part.kind == "script":
        if part.nonce and part.nonce in _nonces(sources):
            return True
        if part.integrity and _allows_integrity(sources, part.integrity):
            return True
        if _has(sources, "'strict-dynamic'"):
            return part.by_script
    if part.kind == "style" and part.nonce and part.nonce in _nonces(sources):
        return True
    return any(_matches(source, part.url, page) for source in sources)


def _allows_inline(sources: tuple[str, ...], part: Part) -> bool:
    if part.nonce and part.nonce in _nonces(sources):
        return True
    for source in sources:
        found = _HASH.fullmatch(source)
        if found and _digest(found[1], part.text) == _padded(found[2]):
            return True
    # 'unsafe-inline' is ignored beside a nonce or a hash, and for scripts beside 'strict-dynamic'.
    return (
        _has(sources, "'unsafe-inline'")
        and not any(_NONCE.fullmatch(one) or _HASH.fullmatch(one) for one in sources)
        and not (part.kind == "inline script" and _has(sources, "'strict-dynamic'"))
    )


def _allows_integrity(sources: tuple[str, ...], integrity: str) -> bool:
    allowed = {(one[1].lower(), _padded(one[2])) for one in map(_HASH.fullmatch, sources) if one}
    given = [one.partition("-") for one in integrity.split()]
    return bool(given) and all((kind, _padded(value)) in allowed for kind, _, value in given)


def _digest(kind: str, text: str) -> str:
    return base64.b64encode(hashlib.new(kind.lower(), text.encode()).digest()).decode()


def _padded(value: str) -> str:
    plain = value.rstrip("=").translate(str.maketrans("-_", "+/"))
    return plain + "=" * (-len(plain) % 4)


def _nonces(sources: tuple[str, ...]) -> set[str]:
    return {found[1] for found in map(_NONCE.fullmatch, sources) if found}


def _has(sources: tuple[str, ...], keyword: str) -> bool:
    return any(source.lower() == keyword for source in sources)


def _matches(source: str, url: str, page: str) -> bool:
    """Whether one source expression matches an address."""
    wanted, own = urlsplit(url), urlsplit(page)
    if source == "*":
        return wanted.scheme in ("http", "https", "ws", "wss", own.scheme)
    if source.lower() == "'self'":
        return (
            (wanted.hostname, _port(url)) == (own.hostname, _port(page))
            and (wanted.scheme == own.scheme)
            or _is_upgrade_of_self(url, page)
        )
    if (scheme := _SCHEME.fullmatch(source)) is not None:
        return _scheme_fits(scheme[1], wanted.scheme)
    found = _HOST.fullmatch(source)
    if found is None or not wanted.hostname:
        return False
    scheme_part, host, port, path = found[1], found[2].lower(), found[3], found[4]
    return (
        _scheme_fits(scheme_part or own.scheme, wanted.scheme)
        and _host_fits(host, wanted.hostname)
        and _port_fits(port, url)
        and _path_fits(path, wanted.path or "/")
    )


def _is_upgrade_of_self(url: str, page: str) -> bool:
    wanted, own = urlsplit(url), urlsplit(page)
    return (
        wanted.hostname == own.hostname
        and own.scheme == "http"
        and wanted.scheme == "https"
        and (_port(page), _port(url)) == (80, 443)
    )


def _scheme_fits(given: str, wanted: str) -> bool:
    given = given.lower()
    return given == wanted or (given, wanted) in (("http", "https"), ("ws", "wss"), ("ws", "http"))


def _host_fits(given: str, wanted: str) -> bool:
    if given == "*":
        return True
    if given.startswith("*."):
        return wanted.endswith(given[1:])
    return given.strip("[]") == wanted


def _port(url: str) -> int | None:
    parts = urlsplit(url)
    try:
        return parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None


def _port_fits(given: str | None, url: str) -> bool:
    port, default = _port(url), _PORTS.get(urlsplit(url).scheme)
    if given == "*":
        return True
    if given is None:
        return port == default
    return int(given) == port or (given, port) == ("80", 443)


def _path_fits(given: str | None, wanted: str) -> bool:
    if not given:
        return True
    return wanted.startswith(given) if given.endswith("/") else wanted == given
