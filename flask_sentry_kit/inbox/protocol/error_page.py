"""Sentry's crash dialog: the script that a crashed page loads, and the address of its form.

Answers as Sentry 9.1.2 was observed to. The dialog itself is our own ``static/error_page.js``.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, Final

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from ...dsn import ERROR_PAGE_PATH, DsnError, read_public_dsn
from ...phrases import ANONYMOUS_EMAIL, ANONYMOUS_NAME
from ..content.reading import clean
from ..project import current_project, origin_of
from . import wire
from .body import MAX_FORM
from .dialog_words import dialog_words

bp = Blueprint("error_page", __name__)
bp.before_request(wire.drill)

_MISSING: Final = "Missing or invalid parameter."
_REQUIRED: Final = "This field is required."
_EMAIL = re.compile(r"[^@\s\"'<>(),:;\[\]\\]+@(?:localhost|(?:[\w-]+\.)+[\w-]{2,63})")
_FIELDS: Final = 50
_LONGEST: Final = {"name": 128, "email": 75, "comments": MAX_FORM}


@bp.route(
    ERROR_PAGE_PATH,
    methods=["GET", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"],
    provide_automatic_options=False,
)
def error_page() -> Response:
    """The dialog's script, or its form; checked in Sentry's order: eventId, dsn, origin, method."""
    # Dashes are refused here, though an event's own id may have them.
    event_id = request.args.get("eventId", "").lower()
    if not re.fullmatch(r"[0-9a-f]{32}", event_id):
        return _answer({"eventId": _MISSING}, 400)
    project = current_project()
    try:
        dsn = read_public_dsn(request.args.get("dsn", ""))
    except DsnError:
        return _answer({"dsn": _MISSING}, 404)
    if not project.takes(dsn.project, dsn.public_key):
        return _answer({"dsn": _MISSING}, 404)
    if not project.allows(origin_of(request)):
        return _answer({}, 403)
    if request.method == "OPTIONS":
        return _answer({})
    if request.method == "POST":
        return _take_report(event_id)
    if request.method in ("GET", "HEAD"):
        return _script()
    response = _answer({}, 405)
    response.headers["Allow"] = "GET, HEAD, POST, OPTIONS"
    return response


def _take_report(event_id: str) -> Response:
    if (request.content_length or 0) > MAX_FORM:
        return _answer({"errors": {"comments": ["This is too long."]}}, 413)
    if request.get_data().count(b"&") > _FIELDS:
        return _answer({"errors": {"__all__": ["There are too many fields."]}}, 400)
    try:
        form = {name: clean(request.form.get(name, "").strip()) for name in _LONGEST}
    except HTTPException as error:
        return _answer({"errors": {"__all__": [error.name]}}, error.code or 400)
    errors = {name: found for name, value in form.items() if (found := _faults(name, value))}
    if errors:
        return _answer({"errors": errors}, 400)
    # What form and dialog fill in for a visitor who gave no name or no address.
    name = "" if form["name"] == ANONYMOUS_NAME else form["name"]
    email = "" if form["email"].lower() == ANONYMOUS_EMAIL else form["email"]
    current_project().store.put_report(event_id, name, email, form["comments"])
    return _answer({})


def _faults(name: str, value: str) -> list[str]:
    if not value:
        return [_REQUIRED]
    most = _LONGEST[name]
    if len(value) > most:
        return [f"Ensure this value has at most {most} characters (it has {len(value)})."]
    if name == "email" and not _EMAIL.fullmatch(value):
        return ["Enter a valid email address."]
    return []


def _answer(context: dict[str, Any], status: int = 200) -> Response:
    """A JSON answer: in a header instead of the body for ``Accept: text/javascript``."""
    text = json.dumps(context)
    as_script = "text/javascript" in request.headers.get("Accept", "")
    response = Response(
        "" if as_script else text,
        status,
        content_type="text/javascript" if as_script else "application/json",
    )
    response.headers["X-Sentry-Context"] = text
    response.cache_control.no_store = True
    response.vary.add("Accept")
    response.headers["Access-Control-Allow-Headers"] = (
        "Content-Type, Authorization, X-Requested-With"
    )
    response.headers["Access-Control-Expose-Headers"] = "X-Sentry-Context"
    return response


def _script() -> Response:
    words = dialog_words(request)
    facts = {
        "languages": words.languages,
        "anonymous": {"name": ANONYMOUS_NAME, "email": ANONYMOUS_EMAIL},
    }
    given = ", ".join(_literal(one) for one in (words.texts, facts, _asset("dialog.css")))
    response = Response(
        f"{_asset('error_page.js')}({given});\n",
        content_type="text/javascript; charset=utf-8",
    )
    response.content_language.add(words.languages["dialog"]["lang"])
    response.vary.add("Accept-Language")
    # The texts may hold the visitor's name and address.
    response.cache_control.no_store = True
    # As newer servers do. The script holds nothing but what its address says.
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def _literal(value: object) -> str:
    """`value` as a JavaScript literal that cannot end a script element."""
    text = json.dumps(value)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@cache
def _asset(name: str) -> str:
    return (Path(__file__).parent.parent / "static" / name).read_text("utf-8").rstrip()
