"""What a visitor typed: read from the request within a bound, cleaned and checked.

Knows nothing of Sentry or tokens. Everything that arrived is kept, however wrong, so that it can
be shown again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from ..body_deadline import body_deadline
from ..compat import ReadSoFar, read_so_far
from ..headers import content_type

LIMIT: Final = 16 * 1024
"""Bytes of a report's body. More is refused."""

_KEEP: Final = 64 * 1024
# Bytes read of a body over the limit, so that its writer gets the words back to shorten them.

_DRAIN: Final = 1024 * 1024
# A server that closes a connection with unread bytes in it resets it, and the browser shows
# its own error in place of our answer. Up to here the rest is read and forgotten.

PATIENCE: Final = 0.5
"""Seconds for all of a body to arrive, however slowly it drips. A report fits the first packets of
a connection; of one that is late the visitor gets the words back, to send them again."""

NAME_LENGTH: Final = 128
EMAIL_LENGTH: Final = 75
# What Sentry's own form takes (8 and later); longer ones come back with status 400.

_ADDRESS_MAX: Final = 320
# Characters of the longest address there can be (RFC 5321, section 4.5.3.1); Python's "idna" takes
# quadratic time for a label that is longer than any (CVE-2022-45061, before 3.10.9 and 3.11.1).

HONEYPOT: Final = "website"

_MAX_FIELDS: Final = 16
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029]")
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_TOP: Final = r"(?:[A-Za-z]{2,63}|[Xx][Nn]--[A-Za-z0-9]{1,59})"
# Nothing that Django's check refuses, since Sentry's form uses that: better said now than later.
_EMAIL: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+{_TOP}")


@dataclass(frozen=True, slots=True)
class Submission:
    """One submission, as it came."""

    token: str = ""
    name: str = ""
    email: str = ""
    comments: str = ""
    trapped: bool = False
    """The field that no person sees was filled in."""
    problem: str = ""
    """Empty, or why this is no submission: ``"type"``, ``"large"`` or ``"malformed"``."""
    errors: dict[str, str] = field(default_factory=dict)
    """By field, one of ``"empty"``, ``"long"``, ``"wrong"``."""


def _read(environ: dict[str, Any]) -> tuple[bytes, str]:
    """The body up to ``_KEEP`` bytes, and what is wrong with it: ``"large"`` with more than
    ``LIMIT`` bytes, ``"malformed"`` where it did not arrive whole within ``PATIENCE``.

    Straight from the WSGI input: the app's ``MAX_CONTENT_LENGTH`` is meant for its own routes,
    be it smaller or larger, and a chunked body has no length to look at. Unless somebody was here
    before: a second reading of the input would wait for ever on some servers.
    """
    begun = _begun(environ)
    if begun.data is not None:
        return begun.data[:_KEEP], "large" if len(begun.data) > LIMIT else ""
    stream = begun.stream or environ.get("wsgi.input")
    try:
        length = max(0, int(environ.get("CONTENT_LENGTH") or 0))
    except ValueError:
        length = 0
    announced = length
    if not length:
        # Without either, the end of the input cannot be known, and reading may wait for ever.
        length = _KEEP + _DRAIN if environ.get("wsgi.input_terminated") else 0
    if stream is None:
        return b"", ""
    kept = bytearray()
    remaining = min(length, _KEEP + _DRAIN)
    total = 0
    broken = False
    try:
        with body_deadline(environ, PATIENCE) as late:
            while remaining > 0:
                chunk = stream.read(min(remaining, LIMIT))
                if not chunk:
                    break
                total += len(chunk)
                remaining -= len(chunk)
                kept += chunk[: _KEEP - len(kept)]
        broken = late.is_set()
    except Exception:
        # The visitor is gone, or the chunks are malformed: what came is given back all the same.
        broken = True
    if total > LIMIT:
        return bytes(kept), "large"
    return bytes(kept), "malformed" if broken or total < announced else ""


def _begun(environ: dict[str, Any]) -> ReadSoFar:
    """What the request's own object has read of the body by now: the app does so where it needs a
    field before any view, and capture does where the session could not be opened."""
    return read_so_far(environ.get("werkzeug.request"))


def _clean(text: str) -> str:
    # Databases behind Sentry refuse NUL; the rest could only disturb whoever reads it.
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def _line(text: str) -> str:
    return " ".join(_clean(text).split())


def _address(text: str) -> str:
    """The address with an international domain in the form that every mail check takes."""
    local, at, domain = text.rpartition("@")
    if not at or domain.isascii() or len(text) > _ADDRESS_MAX:
        return text
    try:
        return f"{local}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        return text


def _check(name: str, email: str, comments: str) -> dict[str, str]:
    errors = {}
    if not comments:
        errors["comments"] = "empty"
    if len(name) > NAME_LENGTH:
        errors["name"] = "long"
    if len(_address(email)) > EMAIL_LENGTH:
        errors["email"] = "long"
    elif email and not _EMAIL.fullmatch(_address(email)):
        errors["email"] = "wrong"
    return errors


def read_submission(environ: dict[str, Any]) -> Submission:
    """Read one submission. Never raises; what is wrong is in the answer.

    :param environ: the WSGI environment of a request.
    """
    kind = content_type(environ)
    parsed = _begun(environ).form
    if parsed:
        body = urlencode(list(parsed.items(multi=True)), errors="replace").encode()
        body, problem = body[:_KEEP], "large" if len(body) > LIMIT else ""
    else:
        body, problem = _read(environ)
    if kind != "application/x-www-form-urlencoded":
        return Submission(problem="type")
    if len(body) >= _KEEP:
        # Cut where it was cut, a half escape would show up as one.
        body = re.sub(rb"%[0-9A-Fa-f]?\Z", b"", body)
    try:
        pairs = parse_qsl(
            body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MAX_FIELDS
        )
    except ValueError:
        return Submission(problem="malformed")
    fields: dict[str, str] = {}
    for key, value in pairs:
        fields.setdefault(key, value)
    if not fields:
        return Submission(problem="malformed")
    name = _line(fields.get("name", ""))
    email = _line(fields.get("email", ""))
    comments = _clean(fields.get("comments", ""))
    return Submission(
        token=fields.get("token", "")[:512],
        name=name,
        email=email,
        comments=comments,
        trapped=bool(fields.get(HONEYPOT, "").strip()),
        problem=problem,
        errors=_check(name, email, comments),
    )


def email_of(submission: Submission) -> str:
    """The email address as mail servers write it; empty if none was given."""
    return _address(submission.email)
