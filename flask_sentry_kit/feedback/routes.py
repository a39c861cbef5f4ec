"""The form's way in: one POST route and the page that thanks. Renders nothing itself.

Needs no session, no cookie and nothing of the app but its secret; the token says which event the
words belong to. What goes wrong in here is told the visitor and logged, never raised.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from flask import Blueprint, Flask, Response, current_app, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, NotFound

from .. import headers
from ..addresses import mount_point
from ..crash import Crash, FeedbackForm
from . import form, relay, token
from .limit import AddressLimit, address_of

logger = logging.getLogger("flask_sentry_kit")

_EXTENSION: Final = "sentry_kit_feedback"

# The template begins with "This could not be sent:"; these go on.
WRONG: Final = {
    "forged": (HTTPStatus.FORBIDDEN, "we cannot tell which crash it belongs to."),
    "expired": (HTTPStatus.GONE, "the crash was more than 30 minutes ago."),
    "large": (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "it is too long. Please shorten it."),
    "malformed": (HTTPStatus.BAD_REQUEST, "it did not arrive whole. Please send it again."),
    "type": (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "it did not arrive as a form."),
    "trapped": (
        HTTPStatus.BAD_REQUEST,
        "a field that stays empty was filled in. Please send it again.",
    ),
    "again": (HTTPStatus.CONFLICT, "there is a report from this page already."),
    "limited": (
        HTTPStatus.TOO_MANY_REQUESTS,
        "too many came from here just now. Please try again later.",
    ),
    "full": (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "too much is waiting already. Please try again in a few minutes.",
    ),
    "refused": (HTTPStatus.BAD_GATEWAY, "the server for reports did not take it."),
    "broken": (HTTPStatus.INTERNAL_SERVER_ERROR, "something broke again. Please try once more."),
}
_SAID: Final = {
    "sent": "Sent. Thank you.",
    "saved": "Saved. It will be sent as soon as we can.",
}
_ORIGIN_MAX: Final = 300
"""Characters: the longest name there is (RFC 1035, section 2.3.4), a scheme and a port."""

FIELDS: Final = {
    ("comments", "empty"): "Please say in a few words what happened.",
    ("name", "long"): "Please use at most 128 characters.",
    ("email", "long"): "Please use at most 75 characters.",
    ("email", "wrong"): "This is not an email address. It may stay empty.",
}


@dataclass(slots=True)
class _State:
    """What this process knows about one app's reports."""

    spent: token.Spent = field(default_factory=token.Spent)
    limits: list[Callable[[], object]] = field(default_factory=list)
    by_address: AddressLimit | None = None
    logged: set[str] = field(default_factory=set)
    """What is logged once an app and has been."""


class _Wrong(Exception):
    """The report ends here; the text is a key of ``WRONG``, or empty where fields are wrong."""

    def __init__(self, key: str, retry_after: str | None = None) -> None:
        super().__init__(key)
        self.key = key
        self.retry_after = retry_after


def _state(app: Flask) -> _State:
    state = app.extensions.setdefault(_EXTENSION, _State())
    assert isinstance(state, _State)
    return state


def add_routes(blueprint: Blueprint) -> None:
    """Put the form's address and the page that thanks on a blueprint.

    Both look up the app's kit at each request, so that one blueprint serves any number of apps.
    """
    blueprint.add_url_rule(
        "/feedback",
        endpoint="feedback",
        view_func=_take,
        methods=["POST"],
        provide_automatic_options=False,
    )
    blueprint.add_url_rule("/feedback/<outcome>/<receipt>", endpoint="thanks", view_func=_thanks)


def limit_feedback(
    app: Flask, limit: Callable[[Callable[[], object]], Callable[[], object]]
) -> None:
    """Have a rate limiter asked before a report is taken, besides ``SENTRY_KIT_FEEDBACK_LIMIT``.

    That setting counts in each process; a limiter of the app's may count for all of them. For
    Flask-Limiter, after the blueprint has been registered::

        limiter = Limiter(get_remote_address, app=app)
        limit_feedback(app, limiter.limit("5 per hour"))

    The kit's routes are answered before the app's own hooks run, so a limiter that works through
    ``before_request`` does not see them; this is its place.

    :param limit: a decorator. What it decorates is called inside the request; an HTTP exception
        (Flask-Limiter's is a 429) is told the visitor, with what was typed still in the form.
        Any other failure of the limiter is logged, and the report goes through.
    """

    def sentry_kit_feedback() -> None:
        return None

    _state(app).limits.append(limit(sentry_kit_feedback))


def tell_missing_secret(app: Flask) -> None:
    """Log, once an app, that there is no form because there is no ``SECRET_KEY``."""
    state = _state(app)
    if app.secret_key or "secret" in state.logged:
        return
    state.logged.add("secret")
    logger.warning(
        "SECRET_KEY is not set: the crash page of %r has no feedback form until it is,"
        " since the form's token is signed with it",
        app.name,
    )


def feedback_form(app: Flask, crash: Crash) -> FeedbackForm | None:
    """The page's own form for one crash, prefilled for a signed-in user.

    :return: None where a report could not arrive, or is not wanted: no event, no DSN, no
        ``SECRET_KEY``, ``SENTRY_KIT_FEEDBACK=False``.
    """
    kit = app.extensions["sentry_kit"]
    if not kit.settings.feedback or crash.event_id is None or crash.dsn is None:
        return None
    if kit.outbox is None:
        return None
    signed = token.sign(app, crash.dsn, crash.event_id)
    if signed is None:
        tell_missing_secret(app)
        return None
    prefill = kit.settings.prefill
    return FeedbackForm(
        action=kit.url("feedback"),
        token=signed,
        name=crash.user_name if prefill else "",
        email=crash.user_email if prefill else "",
    )


def _take() -> ResponseReturnValue:
    """POST: one report."""
    app = current_app._get_current_object()  # type: ignore[attr-defined] # werkzeug's proxy has it
    kit = app.extensions["sentry_kit"]
    if not kit.settings.feedback:
        raise NotFound
    typed = form.read(request.environ)
    event_id = None
    try:
        event_id, outcome = _relay(app, kit, typed)
    except _Wrong as wrong:
        return _refuse(app, kit, typed, wrong)
    except Exception:
        logger.exception("Taking a visitor's report failed; the visitor was told")
        return _refuse(app, kit, typed, _Wrong("broken"))
    if outcome == "refused":
        return _refuse(app, kit, typed, _Wrong("refused"))
    if _wants_json():
        return _json(200, outcome, kit.page.say(_SAID[outcome]), {})
    receipt = token.sign(app, kit.dsn, event_id, f"receipt {outcome}")
    answer = redirect(
        kit.url("feedback/{outcome}/{receipt}", outcome=outcome, receipt=receipt), 303
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _relay(app: Flask, kit: Any, typed: form.Typed) -> tuple[str, str]:
    """From what was typed to an outcome, in the order in which a visitor would want to know."""
    state = _state(app)
    _limit_by_address(app, kit, state)
    for check in state.limits:
        try:
            check()
        except HTTPException as error:
            told = dict(error.get_headers(request.environ))
            raise _Wrong("limited", told.get("Retry-After")) from None
        except Exception:
            logger.exception("The limit on feedback failed; the report goes through")
    if typed.problem:
        raise _Wrong(typed.problem)
    try:
        event_id = token.read(app, kit.dsn, typed.token)
    except token.TokenExpired:
        raise _Wrong("expired") from None
    except token.TokenError:
        raise _Wrong("forged") from None
    if typed.trapped:
        raise _Wrong("trapped")
    if typed.errors:
        raise _Wrong("")
    if kit.dsn is None or kit.outbox is None:
        raise _Wrong("full")
    report = relay.Report(event_id, typed.comments, typed.name, form.address(typed))
    digest = hashlib.sha256(
        "\0".join((report.comments, report.name, report.email)).encode()
    ).digest()
    with state.spent.lock:
        sent = state.spent.get(event_id)
        first = sent is None
        if sent is None:
            ticket = relay.put(kit.outbox, kit.dsn, report, _origin())
            if ticket is None:
                raise _Wrong("full")
            sent = token.Sent(digest, ticket)
            state.spent.note(event_id, sent)
        elif sent.digest != digest:
            raise _Wrong("again")
    # A second click gets what is known of the first one's words by now: if each click waited for
    # Sentry, a few of them would hold all of a server's threads.
    return event_id, relay.outcome(sent.ticket, relay.WAIT if first else 0)


def _limit_by_address(app: Flask, kit: Any, state: _State) -> None:
    rate = kit.settings.feedback_limit
    if rate is None:
        return
    address = address_of(request.environ)
    if address is None:
        if "address" not in state.logged:
            state.logged.add("address")
            logger.warning(
                "SENTRY_KIT_FEEDBACK_LIMIT is not applied to %r: its requests carry no visitor's"
                " address of their own. Behind a proxy, wrap app.wsgi_app in Werkzeug's ProxyFix",
                app.name,
            )
        return
    if state.by_address is None:
        state.by_address = AddressLimit(rate)
    wait = state.by_address.seconds_to_wait(address)
    if wait:
        raise _Wrong("limited", str(math.ceil(wait)))


def _thanks(outcome: str, receipt: str) -> ResponseReturnValue:
    """GET: the answer to a report that was sent without a script."""
    app = current_app._get_current_object()  # type: ignore[attr-defined] # werkzeug's proxy has it
    kit = app.extensions["sentry_kit"]
    if outcome not in _SAID:
        raise NotFound
    try:
        # Signed, so that no link can thank somebody for what was never sent.
        event_id = token.read(app, kit.dsn, receipt, f"receipt {outcome}")
    except token.TokenError:
        raise NotFound from None
    shown: Response = kit.page.outcome(
        _crash(event_id), FeedbackForm(kit.url("feedback"), "", outcome=outcome), 200
    )
    return shown


def _refuse(app: Flask, kit: Any, typed: form.Typed, wrong: _Wrong) -> ResponseReturnValue:
    """Say what is wrong, with everything that was typed still there."""
    if headers.says(request.environ, "HTTP_SEC_FETCH_SITE", "cross-site"):
        # Another site's form: its words are not shown as if this app's visitor had typed them.
        typed = form.Typed(token=typed.token, errors=typed.errors)
    errors = {name: FIELDS[name, error] for name, error in typed.errors.items()}
    status, words = WRONG[wrong.key] if wrong.key else (HTTPStatus.BAD_REQUEST, "")
    if wrong.key:
        # One thing at a time: the fields are looked at when the form itself can be sent.
        errors = {"": words}
    if _wants_json():
        said = kit.page.say("This could not be sent:") + " "
        said += kit.page.say(words or "Please look at the marked fields.")
        marked = {name: kit.page.say(error) for name, error in errors.items() if name}
        answer = _json(status, "refused", said, marked)
    else:
        refused = FeedbackForm(
            action=kit.url("feedback"),
            token=typed.token,
            name=typed.name,
            email=typed.email,
            comments=typed.comments,
            outcome="refused",
            errors=errors,
        )
        answer = kit.page.outcome(_crash(None), refused, int(status))
    if wrong.retry_after and re.fullmatch(r"[A-Za-z0-9:, ]{1,40}", wrong.retry_after):
        answer.headers["Retry-After"] = wrong.retry_after
    return answer


def _crash(event_id: str | None) -> Crash:
    # Without a DSN there is no dialog: nobody who has just written is asked to write.
    return Crash(event_id, method="POST", root_url=f"{mount_point(request.environ)}/")


def _json(status: int, outcome: str, message: str, errors: dict[str, str]) -> Response:
    # Not by the app's JSON provider, which may write something else for the page's script.
    body = json.dumps({"outcome": outcome, "message": message, "errors": errors}) + "\n"
    answer = Response(body, status=status, mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Vary"] = "Accept, Accept-Language"
    return answer


def _wants_json() -> bool:
    kinds = headers.media_types(request.environ)
    return kinds.best_match(["text/html", "application/json"]) == "application/json"


def _origin() -> str:
    """The app's own origin, as the browser knows it where ProxyFix is set up."""
    try:
        origin = request.host_url.rstrip("/")
    except (HTTPException, ValueError):
        return ""
    fits = len(origin) <= _ORIGIN_MAX and origin.isascii() and origin.isprintable()
    return origin if fits else ""
