"""Answers one failed request: with the app's page, else the bundled page, else a constant string.

Never raises, and never shows any part of the exception. It sends no reports: errors that happen
here are passed to the ``report`` argument.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, Final, Literal, TypeVar

from flask import Flask, Request, Response, before_render_template, request, template_rendered
from jinja2 import Environment, FileSystemLoader, TemplateNotFound
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from .. import headers
from .. import phrases as languages
from ..compat import update_template_context
from ..crash import Crash, FeedbackForm
from ..dsn import Dsn
from ..phrases import ENGLISH, Language, Languages
from ..settings import Settings
from ..text import well_formed
from . import bounds, colour, facts, negotiate, plain
from .crash_answer import CrashResponse
from .dialog import report_dialog
from .first_page import warm_up
from .pieces import BundledPages

logger = logging.getLogger("flask_sentry_kit")

TEMPLATES: Final = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "templates"))

STATIC: Final = os.path.join(os.path.dirname(TEMPLATES), "static")

_CRASH: Final = "500.html"
_FRAGMENT: Final = "flask_sentry_kit/fragment.html"
_OUTCOME: Final = "flask_sentry_kit/feedback.html"
_DIALOG: Final = "flask_sentry_kit/dialog.html"
_FORM: Final = "flask_sentry_kit/form.html"
_OWN_PAGE: Final = "flask_sentry_kit/own_page.html"
_OWN_FORM: Final = "flask_sentry_kit/own_form.html"
_PARTS: Final = ("flask_sentry_kit/crash.html", _DIALOG, _FORM)

Part = Literal["crash", "form", "dialog"]

PARTS: Final[dict[str, Part]] = {
    "sentry_crash": "crash",
    "sentry_crash_form": "form",
    "sentry_crash_dialog": "dialog",
}
"""The template functions that print parts of the page, by their names in templates."""

_OWN_PARTS: Final[dict[Part, str]] = {"crash": _OWN_PAGE, "form": _OWN_FORM, "dialog": _DIALOG}

T = TypeVar("T")


def _from_outside(error: BaseException) -> bool:
    """Whether this request is being ended from outside: a killed greenlet, a cancelled task.

    SystemExit and KeyboardInterrupt do not count: they are handled like any other failure of the
    page. A server that is asked to stop while a page renders stops after this answer.
    """
    libraries = {"greenlet", "gevent", "eventlet", "asyncio", "trio", "anyio"}
    return isinstance(error, GeneratorExit) or (
        not isinstance(error, Exception)
        and any(kind.__module__.partition(".")[0] in libraries for kind in type(error).__mro__)
    )


def _plain_html(crash: Crash, language: Language) -> str:
    say, tag, direction = language.say, language.tag, language.direction
    return plain.html(crash.event_id, say, tag, direction, crash.refused)


@lru_cache(maxsize=1)
def _bundled() -> Environment:
    """An environment, independent of any app, with the bundled templates compiled in advance."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        cache_size=-1,
    )
    for name in (_CRASH, _FRAGMENT, _OUTCOME, _OWN_PAGE, _OWN_FORM, *_PARTS):
        environment.get_template(name)
    return environment


class Page:
    """The page of one app.

    :param app: the app; its templates, context and language are looked up at each crash.
    :param settings: its settings.
    :param asset_url: the address of a bundled file, by name; called inside a request.
    :param report: called with each error that happens while the page is made. It may raise.
    """

    def __init__(
        self,
        app: Flask,
        settings: Settings,
        *,
        asset_url: Callable[[str], str],
        report: Callable[[BaseException], object],
    ) -> None:
        self._app = app
        self._settings = settings
        self._asset_url = asset_url
        self._report = report
        self._languages = Languages(languages.folders(app))
        self._watched: Environment | None = None
        self._not_apps: set[str] = set()
        self._bundled = _bundled()
        self._pages = BundledPages(self._bundled)
        with open(os.path.join(STATIC, "crash.css"), encoding="utf-8") as file:
            rules = file.read() + colour.accent_rules(settings.brand.accent)
        self.stylesheet: Final = rules.encode()
        """crash.css with the app's accent colour: the content to serve at crash.css's address."""
        with open(os.path.join(STATIC, "icon.png"), "rb") as image:
            self.icon: Final = image.read()

    def warm_up(self, dsn: Dsn | None, form: bool) -> None:
        """Do the one-time work of the first page now.

        :param dsn: where events go; None if there are no events.
        :param form: whether the page has a form.
        """
        warm_up(self._pages, _CRASH, self._settings, dsn, form)

    def is_wanted(self) -> bool:
        """Whether the current request names HTML in its Accept header and prefers nothing to it."""
        if not headers.names_media_type(request.environ, "text/html"):
            return False
        return self._kind() in ("html", "fragment")

    def _kind(self) -> negotiate.Kind:
        return self._ask_foreign(
            "Reading what the request asked for",
            lambda: negotiate.choose(request, self._settings.apis),
            "html",
        )

    def respond(
        self,
        crash: Crash,
        feedback: FeedbackForm | None = None,
        error: BaseException | None = None,
    ) -> Response:
        """The answer to a failed request, in the form that it accepts. Never raises.

        :param error: the exception, passed to ``SENTRY_KIT_PROBLEM``.
        """
        try:
            language = self._language()
            kind = self._kind()
            if kind == "problem":
                response = self._problem_by_app(crash.event_id, error)
                if response is not None:
                    return response
                body = plain.problem(crash.event_id, language.say, crash.refused)
                mimetype = negotiate.PROBLEM
            elif kind == "text":
                body = plain.text(crash.event_id, language.say, crash.refused)
                mimetype = "text/plain"
            else:
                name = _FRAGMENT if kind == "fragment" else self._settings.template
                bundled = _FRAGMENT if kind == "fragment" else _CRASH
                context = self._context(crash, feedback, language)
                body, mimetype = self._html(name, bundled, context, language), "text/html"
            return self._answer(body, mimetype, 500, language)
        except BaseException as error:
            if _from_outside(error):
                raise
            self._failed("The crash page", error)
            return self._last_resort(crash, 500)

    def outcome(self, crash: Crash, feedback: FeedbackForm, status: int = 200) -> Response:
        """The page that answers a form sent without JavaScript. Never raises.

        :param feedback: the form with its outcome; if that is ``"refused"``, the page shows the
            form again with the visitor's input.
        :param status: status of the response.
        """
        try:
            language = self._language()
            context = self._context(crash, feedback, language, dialog=False)
            body = self._html(_OUTCOME, _OUTCOME, context, language)
            return self._answer(body, "text/html", status, language)
        except BaseException as error:
            if _from_outside(error):
                raise
            self._failed("The page that answers the form", error)
            return self._last_resort(Crash(None), status)

    def part(self, name: Part, crash: Crash, feedback: FeedbackForm | None) -> Markup:
        """Markup for an error page of the app's own. Never raises.

        :param name: ``"crash"`` for everything, or only ``"form"`` or ``"dialog"``.
        :return: empty where there is nothing to show: no event, no form, no dialog.
        """

        def render() -> Markup:
            language = self._language()
            context = self._context(crash, feedback, language, dialog=name != "form")
            template = _OWN_PARTS[name]
            body = self._ask_foreign(
                f"The app's {template}", lambda: self._by_app(template, context), None
            )
            return Markup(self._pages.render(template, context, language) if body is None else body)

        if feedback is None and (name == "form" or not crash.event_id):
            return Markup("")
        return self._ask_foreign("A part of the app's own page", render, Markup(""))

    def say(self, message: str, **values: object) -> str:
        """One of the kit's sentences in the current visitor's language."""
        return self._language().say(message, **values)

    def _problem_by_app(self, event_id: str | None, error: BaseException | None) -> Response | None:
        """The response of ``SENTRY_KIT_PROBLEM``; None if it is not set or fails."""
        make = self._settings.problem
        if make is None:
            return None
        app = self._app
        original = getattr(error, "original_exception", None) or error

        def ask() -> Response:
            answer = app.ensure_sync(make)(event_id, original)
            if answer is None:
                raise TypeError("it takes an event's id and the exception, and returned None")
            response = app.make_response(answer)
            if isinstance(answer, dict | list):
                response.status_code = 500
            response.headers.setdefault("Cache-Control", "no-store")
            response.vary.update(negotiate.VARY.split(", "))
            return response

        return self._ask_foreign("SENTRY_KIT_PROBLEM", ask, None)

    def _language(self) -> Language:
        """Flask-Babel's choice, else the browser's."""
        nothing: list[str] = []
        chosen = self._ask_foreign("The app's locale", lambda: languages.of_app(self._app), nothing)
        asked = self._ask_foreign("Accept-Language", lambda: languages.of_browser(request), nothing)
        return self._ask_foreign(
            "The catalogue", lambda: self._languages.best([*chosen, *asked]), ENGLISH
        )

    def _html(self, name: str, bundled: str, context: Mapping[str, Any], language: Language) -> str:
        try:
            body = self._by_app(name, context)
            if body is not None:
                return body
        except BaseException as error:
            if _from_outside(error):
                raise
            self._failed(f"The app's {name}", error)
        try:
            return self._pages.render(bundled, context, language)
        except BaseException as error:
            if _from_outside(error):
                raise
            self._failed(f"The bundled {bundled}", error)
        return _plain_html(context["crash"], language)

    def _by_app(self, name: str, context: Mapping[str, Any]) -> str | None:
        """The page by the app's template and context, or None if the app has no such template."""
        app = self._app
        if name in self._not_apps:
            return None
        bundled_name = name in (_CRASH, _FRAGMENT, _OUTCOME, *_OWN_PARTS.values())
        if bundled_name and not any(self._is_apps(part) for part in (name, *_PARTS)):
            if not app.jinja_env.auto_reload:
                # Remembered, because Jinja without auto_reload also looks a template up only once.
                self._not_apps.add(name)
            return None
        if self._watched is None or self._watched.linked_to is not app.jinja_env:
            self._watched = bounds.watched(app.jinja_env)
        template = self._watched.get_template(name)
        values = dict(context)
        update_template_context(app, values)
        before_render_template.send(
            app, _async_wrapper=app.ensure_sync, template=template, context=values
        )
        body = bounds.render(template, values)
        template_rendered.send(
            app, _async_wrapper=app.ensure_sync, template=template, context=values
        )
        return body

    def _is_apps(self, name: str) -> bool:
        environment = self._app.jinja_env
        if environment.loader is None:
            return False
        try:
            _, filename, _ = environment.loader.get_source(environment, name)
        except TemplateNotFound:
            return False
        if filename is None:
            return True
        # realpath() reads the disk, so it runs only if the names differ: a link, a virtualenv.
        bundled = TEMPLATES + os.sep
        return not (filename.startswith(bundled) or os.path.realpath(filename).startswith(bundled))

    def _context(
        self,
        crash: Crash,
        feedback: FeedbackForm | None,
        language: Language,
        *,
        dialog: bool = True,
    ) -> dict[str, Any]:
        """The variables of every template. A part that the app's code fails to give is left out."""
        settings, brand = self._settings, self._settings.brand
        options, snippet = None, Markup("")
        if crash.event_id and dialog:
            options = self._ask_foreign(
                "The dialog", lambda: report_dialog(crash, settings, language.tag), None
            )
        if options and language.tag != "en":
            # Sentry's dialog is in English unless it is given texts; the app's own texts win.
            options |= {**languages.dialog_phrases(language.say), **options}
        if options:
            snippet = self._ask_foreign("The dialog", lambda: htmlsafe_json_dumps(options), snippet)
        scripts = []
        if snippet and settings.raven_js.url:
            scripts.append(facts.Script(settings.raven_js.url, settings.raven_js.integrity))
        form = feedback is not None and feedback.outcome in ("", "refused")
        if form or (snippet and not settings.raven_js.url):
            address = self._asset("dialog.js")
            scripts += [facts.Script(address)] if address else []
        asked: Request = request._get_current_object()  # type: ignore[attr-defined]  # LocalProxy
        known = facts.Facts(
            lang=language.tag,
            dir=language.direction,
            brand=brand,
            nonce=self._ask_foreign("The nonce", lambda: facts.nonce(self._app, asked), ""),
            stylesheet=self._asset("crash.css"),
            icon=self._asset("icon.png"),
            scripts=tuple(scripts),
            dialog=snippet,
            sentry_browser=settings.raven_js.sentry_browser,
            sent_by_visitor=crash.method not in ("GET", "HEAD"),
            retry_url=facts.retry_url(crash),
            back_url=self._ask_foreign(
                "The way back", lambda: facts.back_url(crash, asked, feedback), ""
            ),
            home_url=brand.home_url or facts.local_path(crash.root_url),
            support_url=facts.support_url(brand, crash, language),
        )
        return {
            "event_id": crash.event_id,
            "public_dsn": crash.public_dsn,
            "crash": crash,
            "report_dialog": options if snippet else None,
            "feedback": feedback,
            "sentry_kit": known,
            "crash_text": language.say,
            **{name: partial(self.part, part, crash, feedback) for name, part in PARTS.items()},
        }

    def _asset(self, name: str) -> str:
        return self._ask_foreign(f"The address of {name}", lambda: self._asset_url(name), "")

    def _answer(self, body: str, mimetype: str, status: int, language: Language) -> Response:
        # Encoded here, because Werkzeug raises on a half surrogate, which a shown name may hold.
        headers = {
            "Cache-Control": "no-store",
            "Vary": negotiate.VARY,
            "Content-Language": language.tag,
            "X-Content-Type-Options": "nosniff",
            "X-Robots-Tag": "noindex",
        }
        return CrashResponse(well_formed(body).encode(), status, headers, mimetype)

    def _last_resort(self, crash: Crash, status: int) -> Response:
        body = _plain_html(crash, ENGLISH)
        return self._answer(body, "text/html", status, ENGLISH)

    def _ask_foreign(self, what: str, ask: Callable[[], T], fallback: T) -> T:
        """Call code that may be the app's; if it fails, report that and return the fallback."""
        try:
            return ask()
        except BaseException as error:
            if _from_outside(error):
                raise
            self._failed(what, error)
            return fallback

    def _failed(self, what: str, error: BaseException) -> None:
        """Report and log a failure of the page. The visitor's reference stays that of the crash."""
        try:
            self._report(error)
        except BaseException as second:
            if _from_outside(second):
                raise
        try:
            logger.error("%s failed; the visitor gets the next simpler page.", what, exc_info=error)
        except BaseException as second:
            if _from_outside(second):
                raise
