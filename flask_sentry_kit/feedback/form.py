"""Reads what a visitor typed from the request, within a bound, cleans it and checks it.

Knows nothing of Sentry or tokens. Everything that arrived is kept, even if it is wrong, so that the
page can show it again.
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
# Bytes that are kept of a body over the limit, so that the visitor gets them back to shorten them.

_DRAIN: Final = 1024 * 1024
# Bytes that are read beyond those, and dropped: a server that closes a connection with unread bytes
# resets it, and the browser shows its own error instead of our answer.

PATIENCE: Final = 0.5
"""Seconds for the whole body to arrive. A report fits into the first packets of a connection; if it
is late, the visitor gets back what arrived, to send it again."""

NAME_LENGTH: Final = 128
EMAIL_LENGTH: Final = 75
# Sentry's own form (8 and later) answers 400 to longer ones.

_ADDRESS_MAX: Final = 320
# Characters of the longest email address (RFC 5321, section 4.5.3.1). For a longer label, Python's
# "idna" takes quadratic time (CVE-2022-45061, before 3.10.9 and 3.11.1).

HONEYPOT: Final = "website"

_MAX_FIELDS: Final = 16
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029]")
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_TOP: Final = r"(?:[A-Za-z]{2,63}|[Xx][Nn]--[A-Za-z0-9]{1,59})"
# Matches nothing that Django's check refuses, which Sentry's form uses.
_EMAIL: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+{_TOP}")


@dataclass(frozen=True, slots=True)
class Submission:
    """One submission, as it arrived."""

    token: str = ""
    name: str = ""
    email: str = ""
    comments: str = ""
    trapped: bool = False
    """Whether the hidden field was filled in, which only a program does."""
    problem: str = ""
    """Why the body is not a submission: ``"type"``, ``"large"`` or ``"malformed"``; else empty."""
    errors: dict[str, str] = field(default_factory=dict)
    """For each wrong field: ``"empty"``, ``"long"`` or ``"wrong"``."""


def _read(environ: dict[str, Any]) -> tuple[bytes, str]:
    """The body up to ``_KEEP`` bytes, and what is wrong with it: ``"large"`` with more than
    ``LIMIT`` bytes, ``"malformed"`` where it did not arrive whole within ``PATIENCE``.

    It is read from the WSGI input: the app's ``MAX_CONTENT_LENGTH``, smaller or larger, is meant
    for its own routes, and a chunked body has no length. If the app has read the body already, its
    copy is used, since on some servers reading the input again would never end.
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
        # Without either of them nothing marks the end of the input, and reading might never end.
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
        # The visitor is gone, or the chunks are malformed. What arrived is shown again.
        broken = True
    if total > LIMIT:
        return bytes(kept), "large"
    return bytes(kept), "malformed" if broken or total < announced else ""


def _begun(environ: dict[str, Any]) -> ReadSoFar:
    """What the request object has read of the body by now. The app reads it if it needs a field
    before any view; capturing an event does if the session could not be opened."""
    return read_so_far(environ.get("werkzeug.request"))


def clean_text(text: str) -> str:
    """The text without control characters, and with one kind of line end."""
    # Databases behind Sentry refuse NUL. The other control characters would disturb a reader.
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def clean_line(text: str) -> str:
    """The text without control characters on one line."""
    return " ".join(clean_text(text).split())


def _address(text: str) -> str:
    """The address, with an international domain in ASCII, which every check accepts."""
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
    """Read one submission. Never raises; errors are in what it returns.

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
        # An escape that was cut in half would be shown as it is.
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
    name = clean_line(fields.get("name", ""))
    email = clean_line(fields.get("email", ""))
    comments = clean_text(fields.get("comments", ""))
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
