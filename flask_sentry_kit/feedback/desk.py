"""Answers the form's two routes: it takes a report, and thanks for it. Renders nothing itself.

It needs no session, no cookie and nothing of the app but its secret key; the token says which event
the words belong to. An error in here is logged and shown to the visitor, never raised.
"""

from __future__ import annotations

import json
import logging
import math
import re
import weakref
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, Protocol

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, NotFound

from .. import headers, phrases
from ..addresses import mount_point
from ..containment import contained
from ..crash import Crash, FeedbackForm
from ..dsn import Dsn
from . import form, relay, token
from .limit import AddressLimit, address_of
from .origin import origin_of
from .taken import TakenReports

logger = logging.getLogger("flask_sentry_kit")

_EXTENSION: Final = "sentry_kit_feedback_limits"

_STATUS: Final = {
    "forged": HTTPStatus.FORBIDDEN,
    "expired": HTTPStatus.GONE,
    "large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "malformed": HTTPStatus.BAD_REQUEST,
    "type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "trapped": HTTPStatus.BAD_REQUEST,
    "again": HTTPStatus.CONFLICT,
    "limited": HTTPStatus.TOO_MANY_REQUESTS,
    "full": HTTPStatus.SERVICE_UNAVAILABLE,
    "refused": HTTPStatus.BAD_GATEWAY,
    "broken": HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""The status of a refusal, by the keys of ``phrases.REFUSALS``."""


class AnsweringPage(Protocol):
    """What the desk needs of the page."""

    def say(self, message: str, **values: object) -> str: ...

    def outcome(self, crash: Crash, feedback: FeedbackForm, status: int = 200) -> Response: ...


class Host(relay.Host, Protocol):
    """What the desk needs of the app's kit."""

    @property
    def page(self) -> AnsweringPage: ...


class RefusedReport(Exception):
    """The report is not taken.

    :param reason: a key of ``phrases.REFUSALS``, or empty if a field is wrong.
    :param retry_after: the ``Retry-After`` to answer with, from a limiter.
    """

    def __init__(self, reason: str, retry_after: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class FeedbackDesk:
    """Takes the visitors' words for one app.

    :param app: the app; held weakly.
    :param host: its kit.
    """

    def __init__(self, app: Flask, host: Host) -> None:
        self._app = weakref.ref(app)
        self._host = host
        self._taken = TakenReports()
        self._by_address: AddressLimit | None = None
        self._logged: set[str] = set()

    @property
    def app(self) -> Flask:
        app = self._app()
        if app is None:
            raise RuntimeError("The app of this kit is gone")
        return app

    def log_missing_secret(self) -> None:
        """Log, once an app, that there is no form because there is no ``SECRET_KEY``."""
        app = self.app
        if app.secret_key or "secret" in self._logged:
            return
        self._logged.add("secret")
        logger.warning(
            "SECRET_KEY is not set: the crash page of %r has no feedback form until it is,"
            " since the form's token is signed with it",
            app.name,
        )

    def warm_up(self, dsn: Dsn) -> None:
        """Make the key that signs the first form, which takes long."""
        token.sign_token(self.app, dsn, "0" * 32)

    def form_for(self, crash: Crash) -> FeedbackForm | None:
        """The page's own form for one crash, prefilled for a signed-in user.

        :return: None if a report could not arrive or is not wanted: without an event, a DSN, a
            usable connection or a ``SECRET_KEY``, and with ``SENTRY_KIT_FEEDBACK=False``.
        """
        settings = self._host.settings
        if not settings.feedback or crash.event_id is None or crash.dsn is None:
            return None
        if self._host.outbox.connection.unusable:
            return None
        signed = token.sign_token(self.app, crash.dsn, crash.event_id)
        if signed is None:
            self.log_missing_secret()
            return None
        prefill = settings.prefill
        return FeedbackForm(
            action=self._host.url("feedback"),
            token=signed,
            name=crash.user_name if prefill else "",
            email=crash.user_email if prefill else "",
        )

    def take(self) -> Response:
        """Answer a POST of one report.

        :raises NotFound: if the form is switched off.
        """
        app, kit = self.app, self._host
        if not kit.settings.feedback:
            raise NotFound
        submission = form.read_submission(request.environ)
        event_id = None
        try:
            event_id, outcome = self._relay(submission)
        except RefusedReport as refused:
            return self._refuse(submission, refused)
        except Exception:
            logger.exception(
                "A visitor's report could not be taken; the visitor is asked to try again"
            )
            return self._refuse(submission, RefusedReport("broken"))
        if outcome == "refused":
            return self._refuse(submission, RefusedReport("refused"))
        if _wants_json():
            return _json(200, outcome, kit.page.say(phrases.OUTCOMES[outcome]), {})
        receipt = token.sign_token(app, kit.dsn, event_id, f"receipt {outcome}")
        address = kit.url("feedback/{outcome}/{receipt}", outcome=outcome, receipt=receipt)
        answer = Response(status=303, headers={"Location": address})
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def _relay(self, submission: form.Submission) -> tuple[str, str]:
        """Check a report, hand it to the outbox, and return its event id and outcome.

        :raises RefusedReport: for the first thing that is wrong; what the visitor cannot change
            comes first.
        """
        app, kit = self.app, self._host
        event_id = self._event_of(submission)
        self._limit_by_address()
        for check in limits_of(app):
            try:
                check()
            except HTTPException as error:
                asked = dict(error.get_headers(request.environ)).get("Retry-After")
                raise RefusedReport("limited", asked) from None
            except Exception:
                logger.exception("The limit on feedback failed; the report is taken without it")
        if submission.problem:
            raise RefusedReport(submission.problem)
        if event_id is None:
            raise RefusedReport("forged")
        if submission.trapped:
            raise RefusedReport("trapped")
        if submission.errors:
            raise RefusedReport("")
        if kit.dsn is None:
            raise RefusedReport("full")
        report = relay.Report(
            event_id, submission.comments, submission.name, form.email_of(submission)
        )
        with self._taken.lock:
            ticket = self._taken.find(report)
            wait = relay.WAIT if ticket is None else 0
            if ticket is None:
                if not self._taken.takes_others(event_id):
                    raise RefusedReport("again")
                page = headers.value(request.environ, "HTTP_REFERER")
                ticket = relay.put(kit, report, origin_of(request), page)
                if ticket is None:
                    raise RefusedReport("full")
                self._taken.note(report, ticket)
        # A second click is answered with the state of the first one's report. If each click waited
        # for Sentry, a few clicks would take all of a server's threads.
        return event_id, relay.outcome(ticket, wait)

    def _event_of(self, submission: form.Submission) -> str | None:
        """The event that a submission's token names; None if there is no valid token in it.

        :raises RefusedReport: if it is too old. That comes before the limits: nothing is sent yet,
            and a limit of one would refuse the second press, which the visitor is asked for.
        """
        try:
            return token.read_token(self.app, self._host.dsn, submission.token)
        except token.TokenExpired:
            raise RefusedReport(submission.problem or "expired") from None
        except token.TokenError:
            return None

    def _limit_by_address(self) -> None:
        rate = self._host.settings.feedback_limit
        if rate is None:
            return
        address = address_of(request.environ)
        if address is None:
            if "address" not in self._logged:
                self._logged.add("address")
                logger.warning(
                    "SENTRY_KIT_FEEDBACK_LIMIT is not applied to %r: its requests carry no"
                    " visitor's address of their own. Behind a proxy, wrap app.wsgi_app in"
                    " Werkzeug's ProxyFix",
                    self.app.name,
                )
            return
        if self._by_address is None:
            self._by_address = AddressLimit(rate)
        wait = self._by_address.seconds_to_wait(address)
        if wait:
            raise RefusedReport("limited", str(math.ceil(wait)))

    def thank(self, outcome: str, receipt: str) -> Response:
        """Answer with the page that thanks, to which a report sent without a script leads.

        :raises NotFound: for a receipt that is not ours.
        """
        app, kit = self.app, self._host
        if outcome not in phrases.OUTCOMES:
            raise NotFound
        try:
            # Signed, so that no link can thank for a report that was never sent. Of any age: a
            # reload, or a browser that opens its tabs again, shows the same.
            event_id = token.read_token(app, kit.dsn, receipt, f"receipt {outcome}", None)
        except token.TokenError:
            raise NotFound from None
        form_facts = FeedbackForm(kit.url("feedback"), "", outcome=outcome)
        return kit.page.outcome(_crash(event_id), form_facts, 200)

    def _refuse(self, submission: form.Submission, refused: RefusedReport) -> Response:
        """Answer with what is wrong, and with everything that was typed."""
        if headers.says(request.environ, "HTTP_SEC_FETCH_SITE", "cross-site"):
            # Another site's form sent this: do not show its text as if the visitor had typed it.
            submission = form.Submission(token=submission.token, errors=submission.errors)
        errors = {
            name: phrases.FIELD_ERRORS[name, error] for name, error in submission.errors.items()
        }
        kit, reason = self._host, refused.reason
        renewed = None
        with contained(None):  # if signing fails, so did reading, which is logged
            # In every answer, so that who is asked to wait, or to mend a field, has time for it.
            renewed = token.renew_token(self.app, kit.dsn, submission.token)
        status = _STATUS.get(reason, HTTPStatus.BAD_REQUEST)
        words = phrases.REFUSALS.get(reason, "")
        if reason:
            # One thing at a time: errors of fields are shown once the form can be sent at all.
            errors = {"": words}
        if _wants_json():
            said = kit.page.say(phrases.REFUSED) + " "
            said += kit.page.say(words or phrases.CHECK_FIELDS)
            marked = {name: kit.page.say(error) for name, error in errors.items() if name}
            answer = _json(status, "refused", said, marked, renewed)
        else:
            again = FeedbackForm(
                action=kit.url("feedback"),
                token=renewed or submission.token,
                name=submission.name,
                email=submission.email,
                comments=submission.comments,
                outcome="refused",
                errors=errors,
            )
            answer = kit.page.outcome(_crash(None), again, int(status))
        if refused.retry_after and re.fullmatch(r"[A-Za-z0-9:, ]{1,40}", refused.retry_after):
            answer.headers["Retry-After"] = refused.retry_after
        return answer


def limits_of(app: Flask) -> list[Callable[[], object]]:
    """The limiters that are asked before a report of an app is taken."""
    limits: list[Callable[[], object]] = app.extensions.setdefault(_EXTENSION, [])
    return limits


def limit_feedback(
    app: Flask, limit: Callable[[Callable[[], object]], Callable[[], object]]
) -> None:
    """Ask a rate limiter before a report is taken, besides ``SENTRY_KIT_FEEDBACK_LIMIT``.

    That setting counts in each process; the app's own limiter may count for all of them. With
    Flask-Limiter, after the blueprint has been registered::

        limiter = Limiter(get_remote_address, app=app)
        limit_feedback(app, limiter.limit("5 per hour"))

    The kit's routes are answered before the app's own hooks run, so that a limiter that works
    through ``before_request`` does not see them.

    :param limit: a decorator. The function that it returns is called inside the request. If it
        raises an HTTP exception (Flask-Limiter's is a 429), the visitor sees the form again with
        what was typed. Any other error is logged, and the report is taken.
    """

    def sentry_kit_feedback() -> None:
        return None

    limits_of(app).append(limit(sentry_kit_feedback))


def _crash(event_id: str | None) -> Crash:
    # Without a DSN there is no dialog, which would ask a visitor who has just written to write.
    return Crash(event_id, method="POST", root_url=f"{mount_point(request.environ)}/")


def _json(
    status: int, outcome: str, message: str, errors: dict[str, str], renewed: str | None = None
) -> Response:
    said: dict[str, object] = {"outcome": outcome, "message": message, "errors": errors}
    if renewed:
        said["token"] = renewed
    # Not with the app's JSON provider, whose output the page's script may not understand.
    answer = Response(json.dumps(said) + "\n", status=status, mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Vary"] = "Accept, Accept-Language"
    return answer


def _wants_json() -> bool:
    kinds = headers.media_types(request.environ)
    return kinds.best_match(["text/html", "application/json"]) == "application/json"
