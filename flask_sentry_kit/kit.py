"""The kit of one app: its settings, reporter, page and feedback."""

from __future__ import annotations

import logging
import weakref
from typing import Any, Final
from uuid import UUID

from flask import Flask, Request, current_app, g, has_request_context, request
from flask.wrappers import Response
from markupsafe import Markup

from .addresses import asked_for, encoded, mount_point
from .containment import contained
from .crash import Crash
from .dsn import Dsn
from .feedback import FeedbackDesk
from .feedback.form import EMAIL_LENGTH, NAME_LENGTH
from .feedback.words import put_words
from .headers import framed
from .outbox import Outbox, request_end
from .page import Page, Part
from .page.dialog import policy_sources
from .reporters import (
    NoReporter,
    Reporter,
    expected_dsn,
    log_two_reporters,
    made_for,
    reporter_for,
)
from .settings import WITHOUT_DIALOG, Settings
from .text import one_line
from .user import Person, person
from .watch import (
    Answers,
    OwnRoutes,
    RequestNotes,
    add_header,
    is_ordinary_answer,
    notes_key,
    notes_of,
)

logger = logging.getLogger("flask_sentry_kit")

_EXTENSION: Final = "sentry_kit"
_MISSING: Final = (
    "The app {!r} does not have the kit: call app.register_blueprint(sentry_kit) first"
)


class Kit:
    """The kit of one app: ``app.extensions["sentry_kit"]``.

    :param app: the app; held weakly.
    :param settings: its settings, checked.
    :param name: the name that the blueprint was registered under.
    :param prefix: the path prefix of its routes, without the app's mount point.
    """

    def __init__(self, app: Flask, settings: Settings, name: str, prefix: str) -> None:
        self._app = weakref.ref(app)
        self.settings = settings
        self.prefix = prefix
        self._encoded_prefix = encoded(prefix)
        self.own_routes = OwnRoutes(app, name, prefix)
        self._sentry: Any = None
        self._reporter: Reporter = NoReporter()
        self._own_outbox: Outbox | None = None
        self.feedback = FeedbackDesk(app, self)
        self.page = Page(app, settings, asset_url=self.asset_url, report=self._report_second)
        self.answers = Answers(
            app,
            respond=self.respond,
            report=self._report_second,
            capture=lambda error: self.reporter.capture(error),
            own_route=self.own_routes.answer_after_crash,
            wants_page=self.page.is_wanted,
            replace=settings.replace_handlers,
        )

    @property
    def app(self) -> Flask:
        """The app.

        :raises RuntimeError: the app no longer exists.
        """
        app = self._app()
        if app is None:
            raise RuntimeError("The app of this kit is gone")
        return app

    @property
    def reporter(self) -> Reporter:
        """The current reporter of the app's crashes. It may change: an app may make its ``Sentry``
        after registering the blueprint, or replace it later."""
        app = self.app
        sentry = made_for(app)
        if sentry is not self._sentry:
            self._reporter = reporter_for(app, sentry)
            self._reporter.use_settings(self.settings)
            self._sentry = sentry
        return self._reporter

    @property
    def dsn(self) -> Dsn | None:
        """Where events and feedback go, or None."""
        return self.reporter.dsn

    @property
    def server(self) -> str:
        """Which server the DSN leads to: a value of ``SENTRY_KIT_SERVER``. ``"auto"`` becomes
        ``"glitchtip"`` when an event was answered as GlitchTip answers."""
        server, dsn = self.settings.server, self.dsn
        if server == "auto" and dsn is not None and self.outbox.is_glitchtip(dsn.store_url):
            return "glitchtip"
        return server

    @property
    def outbox(self) -> Outbox:
        """The reporter's queue, so that feedback is sent after its event. If the reporter has
        none, a queue of the kit's own."""
        found = self.reporter.outbox
        if found is not None:
            return found
        if self._own_outbox is None:
            dsn = self.dsn
            self._own_outbox = Outbox(
                spool=self.settings.spool,
                envelopes=self.settings.server == "spotlight",
                destination=dsn.origin if dsn else None,
            )
        return self._own_outbox

    def warm_up(self) -> None:
        """Do the one-time work of a process's first crash now, so that no visitor waits for it."""
        self.reporter.warm_up()
        dsn = expected_dsn(self.app)
        if dsn is not None:
            request_end.prepare()
        form = self.settings.feedback and bool(self.app.secret_key)
        if form and dsn is not None:
            # A failure is not logged: it is logged if it happens again at a crash.
            with contained(None):
                self.feedback.warm_up(dsn)
        self.page.warm_up(dsn, form and dsn is not None)

    def url(self, tail: str, **values: Any) -> str:
        """The path of one of the kit's own routes, with the app's mount point.

        Made without ``url_for``, because that runs the app's own hooks, which may be broken.
        """
        root = mount_point(request.environ) if has_request_context() else ""
        return f"{root}{self._encoded_prefix}/{tail.format(**values)}"

    def asset_url(self, name: str) -> str:
        """The path of a bundled static file."""
        return self.url(f"static/{name}")

    def crash(self, error: BaseException) -> Crash:
        """The data of the current request's crash, which is captured if it was not captured yet."""
        log_two_reporters(self.app, self.settings)
        reporter = self.reporter
        known, event_id = reporter.recall(error)
        if not known:
            event_id = reporter.capture(error)
        dsn = reporter.dsn if event_id else None
        who = self._prefilled() if event_id else Person()
        failed: Request = request._get_current_object()  # type: ignore[attr-defined]  # LocalProxy
        return Crash(
            event_id=event_id,
            refused=event_id is not None and reporter.refused,
            hosted_dialog=self.server not in WITHOUT_DIALOG,
            dsn=dsn,
            method=failed.method,
            url=asked_for(failed.environ),
            root_url=f"{mount_point(failed.environ)}/",
            user_name=who.name,
            user_email=who.email,
        )

    def _prefilled(self) -> Person:
        """The signed-in user's name and address for dialog and form. Empty in a frame, where
        another site's page may be around it."""
        if not self.settings.prefill or framed(request.environ):
            return Person()
        who = person(self.settings.user)
        email = one_line(who.email, EMAIL_LENGTH + 1)
        if len(email) > EMAIL_LENGTH:
            email = ""  # a cut address would be a different person's
        return Person(one_line(who.name, NAME_LENGTH), email)

    def respond(self, error: BaseException) -> Response:
        """The page for a crash. Never raises."""
        crash, form = Crash(None), None
        with contained("The facts of a crash could not be gathered; the page still shows"):
            crash = self.crash(error)
            if crash.event_id:
                # A later error may have replaced the id.
                g.sentry_event_id = crash.event_id
        with contained("The feedback form could not be made; the page shows without it"):
            form = self.feedback.form_for(crash)
        self._notes().answered_by_kit = True
        response = self.page.respond(crash, form, error)
        if crash.event_id:
            # Set here too: if one of the app's hooks fails, the later hooks do not run.
            add_header(response, crash.event_id)
        return response

    def _report_second(self, error: BaseException) -> None:
        """Report an error while the page was made; the page keeps the first error's reference."""
        self._notes().later_errors.append(error)
        shown = g.get("sentry_event_id")
        self.reporter.capture(error)
        g.sentry_event_id = shown

    def _notes(self) -> RequestNotes:
        return notes_of(request.environ, notes_key(self.app))

    def part(self, name: Part) -> Markup:
        """Markup about the crash, for an error page of the app's own. Never raises.

        In templates it is ``sentry_crash()``, ``sentry_crash_form()`` and
        ``sentry_crash_dialog()``. Captures the crash that a handler of the app's is answering, if
        it is not captured yet.

        :return: empty if this request has no event.
        """
        crash, form = Crash(None), None
        with contained("The facts of a crash could not be gathered; the app's page shows without"):
            crash = self._shown_crash()
            form = self.feedback.form_for(crash)
        return self.page.part(name, crash, form)

    def _shown_crash(self) -> Crash:
        if not has_request_context():
            return Crash(None)
        error = self.answers.answered_crash
        # A handler for all errors is also called for a 404.
        if error is not None and not is_ordinary_answer(self.app, error):
            return self.crash(error)
        event_id = g.get("sentry_event_id")
        dsn = self.dsn if event_id else None
        if dsn is None:
            return Crash(None)
        who = self._prefilled()
        return Crash(
            event_id=event_id,
            refused=self.reporter.refused,
            hosted_dialog=self.server not in WITHOUT_DIALOG,
            dsn=dsn,
            user_name=who.name,
            user_email=who.email,
        )


def set_up_kit(app: Flask, kit: Kit) -> None:
    """Set this kit as the kit of an app."""
    app.extensions[_EXTENSION] = kit


def kit_of(app: Flask) -> Kit | None:
    """The kit of an app, or None if the blueprint is not registered on it."""
    kit = app.extensions.get(_EXTENSION)
    return kit if isinstance(kit, Kit) else None


def current_kit() -> Kit:
    """The kit of the current app, for views and commands.

    :raises RuntimeError: the blueprint is not registered on the app.
    """
    kit = kit_of(current_app._get_current_object())  # type: ignore[attr-defined]  # LocalProxy
    if kit is None:
        raise RuntimeError(_MISSING.format(current_app.name))
    return kit


def capture_feedback(
    message: str,
    *,
    name: str | None = None,
    email: str | None = None,
    event_id: str | UUID | None = None,
    url: str | None = None,
) -> str | None:
    """Send words without a crash, or about an earlier one, from an app's own form or command::

        @app.post("/feedback")
        def feedback():
            capture_feedback(request.form["words"], email=current_user.email)
            return "Thank you."

    It needs an app context. They have the environment, release, user and tags of the crash, if this
    process has captured it lately, else of the current request. On a server that is not known to
    have feedback they are an event of level info, of its own issue; ``SENTRY_KIT_SERVER`` says
    which server it is.

    :param message: plain text. Of more than 4,096 characters the first ones are sent, and that is
        logged.
    :param name: who wrote it; None stays anonymous. At most 128 characters are sent.
    :param email: where an answer goes to. It is not checked, so that no words are lost for it; at
        most 320 characters are sent.
    :param event_id: the event that they are about, as ``g.sentry_event_id`` or ``X-Sentry-ID`` had
        it: 32 hexadecimal digits, with or without hyphens.
    :param url: the page that they are about, http or https. What is secret in it is masked. The
        default is the address of the crash, where this process knows it.
    :return: the id of what arrives, 32 hexadecimal digits; None if it was not accepted for sending:
        there is no DSN, or the queue is full.
    :raises TypeError: an argument is no string.
    :raises ValueError: the message is empty or blank, or ``event_id`` or ``url`` is malformed.
    :raises RuntimeError: there is no app context, or the blueprint is not registered on the app.
    """
    return put_words(current_kit(), message, name=name, email=email, event_id=event_id, url=url)


def csp_sources(app: Flask) -> dict[str, list[str]]:
    """The Content-Security-Policy sources that the hosted dialog needs, by directive.

    Every list begins with ``'self'``, because a specific directive replaces
    ``default-src 'self'``. The form is that of Flask-Talisman; if a policy has one of these
    directives already, join the two lists::

        policy = {"default-src": "'self'", **csp_sources(app)}
        Talisman(app, content_security_policy=policy,
                 content_security_policy_nonce_in=["script-src"])

    Leave ``style-src`` out of ``content_security_policy_nonce_in``: beside a nonce, browsers
    ignore ``'unsafe-inline'``, and the dialog brings its styles in its own markup.

    A self-hosted Sentry whose ``system.url-prefix`` is another than the DSN's host needs that one
    too, since its dialog posts there: add it to ``connect-src``.

    Call it after registering the blueprint, and after ``sentry_sdk.init()`` if the app has one.

    :return: empty if there is no dialog: no DSN, or ``SENTRY_KIT_DIALOG=False``.
    :raises RuntimeError: the blueprint is not registered on the app.
    """
    kit = kit_of(app)
    if kit is None:
        raise RuntimeError(_MISSING.format(app.name))
    return policy_sources(expected_dsn(app), kit.settings)
