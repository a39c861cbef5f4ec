"""What can go wrong when an inbox is set up, and an answer that older Werkzeugs do not have."""

from __future__ import annotations

from http import HTTPStatus

from werkzeug.exceptions import HTTPException


class InboxError(Exception):
    """The inbox cannot run as asked. Its text says what to change."""


class MisdirectedRequest(HTTPException):
    """421: this server does not answer under that name (RFC 9110, section 15.5.20).

    Werkzeug has it from 3.1 on.
    """

    code = HTTPStatus.MISDIRECTED_REQUEST.value
