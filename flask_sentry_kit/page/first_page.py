"""Does at registration the one-time work that the first page of a process would otherwise do."""

from __future__ import annotations

from dataclasses import replace

from flask import Request
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from .. import phrases
from ..containment import contained
from ..crash import Crash, FeedbackForm
from ..dsn import Dsn
from ..phrases import ENGLISH
from ..settings import Settings
from . import facts, negotiate
from .dialog import report_dialog
from .pieces import BundledPages

_ENVIRON = {
    "REQUEST_METHOD": "GET",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
    "wsgi.url_scheme": "http",
    "HTTP_ACCEPT": "text/html,*/*;q=0.8",
    "HTTP_ACCEPT_LANGUAGE": "en",
    "HTTP_REFERER": "http://localhost/",
}


def warm_up(
    pages: BundledPages, name: str, settings: Settings, dsn: Dsn | None, form: bool
) -> None:
    """Render the page that a visitor most likely sees: in English, for a GET, with an event.

    :param name: name of the bundled page.
    :param dsn: where events go; None if there are no events.
    :param form: whether the page has a form.
    """
    # A failure here is not logged: it is logged if it happens again at a crash.
    with contained(None):
        request = Request(_ENVIRON)
        crash = Crash("0" * 32, dsn, url="/x") if dsn else Crash(None, url="/x")
        negotiate.choose(request)
        phrases.of_browser(request)
        facts.back_url(crash, request)
        scripts = []
        dialog = Markup("")
        if dsn and settings.dialog is not None:
            dialog = htmlsafe_json_dumps(report_dialog(crash, settings, ENGLISH.tag))
        raven_js = settings.raven_js
        if dialog and raven_js.url:
            scripts.append(facts.Script(raven_js.url, raven_js.integrity))
        if form or (dialog and not raven_js.url):
            scripts.append(facts.Script("/dialog.js"))
        known = replace(
            facts.EVERYTHING,
            brand=settings.brand,
            nonce="",
            scripts=tuple(scripts),
            dialog=dialog,
            sentry_browser=raven_js.sentry_browser,
            sent_by_visitor=False,
            back_url="",
            support_url=facts.support_url(settings.brand, crash, ENGLISH),
        )
        feedback = FeedbackForm(action="/", token="x") if form else None
        context = {
            "event_id": crash.event_id,
            "crash": crash,
            "feedback": feedback,
            "sentry_kit": known,
        }
        pages.render(name, context, ENGLISH)
