"""The page in every state, for its developers: in debug mode Flask shows the debugger instead.

Made from sample data; nothing is captured and nothing is sent. The blueprint serves it in debug
mode only; ``flask sentry-kit preview`` serves and writes the same pages.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any, Final, Protocol

from flask import Flask, Response, request
from werkzeug.exceptions import NotFound

from ..compat import preprocess_request
from ..crash import Crash, FeedbackForm
from ..dsn import Dsn
from ..phrases import FIELD_ERRORS
from ..settings import Settings
from .respond import Page

_EVENT: Final = "0123456789abcdef0123456789abcdef"
_SAMPLE: Final = Dsn.parse("https://public@sentry.example/1")
# Nothing listens on the discard port, so the dialog fails as behind an ad blocker or a firewall.
_BLOCKED: Final = Dsn.parse("http://public@127.0.0.1:9/1")


@dataclass(frozen=True, slots=True)
class State:
    """One state of the page."""

    name: str
    meaning: str
    event: bool = True
    method: str = "GET"
    blocked: bool = False
    signed_in: bool = False
    outcome: str = ""


STATES: Final = (
    State("event", "A report has been made; Sentry's dialog opens, if it can"),
    State("no-event", "No report: nothing is claimed", event=False),
    State("signed-in", "For somebody signed in: name and email are filled in", signed_in=True),
    State("blocked", "Sentry's dialog cannot load: the page's own form stays", blocked=True),
    State("post", "What failed was a form of the visitor's", method="POST", blocked=True),
    State("sent", "The visitor's words were sent", outcome="sent"),
    State("passed", "They were passed on to a server that may not keep them", outcome="passed"),
    State("saved", "They wait to be sent", outcome="saved"),
    State("failed", "They could not be sent, and are still in the form", outcome="refused"),
)
_BY_NAME: Final = {state.name: state for state in STATES}


class Host(Protocol):
    """The parts of the app's kit that the preview uses."""

    @property
    def settings(self) -> Settings: ...

    @property
    def page(self) -> Page: ...

    @property
    def dsn(self) -> Dsn | None: ...

    def url(self, tail: str, **values: Any) -> str: ...


def show(
    app: Flask,
    kit: Host,
    state: State,
    language: str = "",
    asset_url: Callable[[str], str] | None = None,
) -> str:
    """The HTML of one state, made by the app's own template if there is one.

    :param language: the visitor's languages, written as in Accept-Language.
    :param asset_url: gives different addresses for the bundled files.
    """
    page = kit.page
    if asset_url is not None:
        page = Page(app, kit.settings, asset_url=asset_url, report=lambda error: None)
    headers = {"Accept": "text/html"} | ({"Accept-Language": language} if language else {})
    root = request.root_path if request else "/"
    with app.test_request_context("/", headers=headers, environ_overrides={"SCRIPT_NAME": root}):
        _run_hooks(app)
        crash = Crash(
            event_id=_EVENT if state.event else None,
            dsn=(_BLOCKED if state.blocked else kit.dsn or _SAMPLE) if state.event else None,
            method=state.method,
            url=f"{root.rstrip('/')}/",
            root_url=f"{root.rstrip('/')}/",
            user_name="Ada Lovelace" if state.signed_in else "",
            user_email="ada@example.com" if state.signed_in else "",
        )
        form = FeedbackForm(
            action=kit.url("feedback"),
            token="preview",
            name=crash.user_name,
            email=crash.user_email,
            comments="I pressed “Pay”." if state.outcome == "refused" else "",
            outcome=state.outcome,
            errors=_ERRORS if state.outcome == "refused" else {},
        )
        if state.outcome:
            response = page.outcome(crash, form)
        else:
            wanted = state.event and kit.settings.feedback
            response = page.respond(crash, form if wanted else None)
        return response.get_data(as_text=True)


_ERRORS: Final = {"email": FIELD_ERRORS["email", "wrong"]}


def _run_hooks(app: Flask) -> None:
    """Run the app's hooks, which may set values on ``g`` for its templates. A redirect by a login
    wall is ignored."""
    try:
        preprocess_request(app)
    except Exception:
        app.logger.debug("A hook of the app failed in the preview", exc_info=True)


def index(address: Callable[[State], str]) -> str:
    """A list of all states."""
    rows = "\n".join(
        f'<li><a href="{escape(address(state))}">{escape(state.name)}</a>:'
        f" {escape(state.meaning)}</li>"
        for state in STATES
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        "<title>The crash page in every state</title>\n</head>\n<body>\n"
        f"<h1>The crash page in every state</h1>\n<ul>\n{rows}\n</ul>\n</body>\n</html>\n"
    )


def answer(app: Flask, kit: Host, name: str | None) -> Response:
    """The list of states, or one state by its name; ``?lang=`` selects a language.

    :raises NotFound: there is no such state.
    """
    language = request.args.get("lang", "")
    if name is None:
        body = index(lambda state: kit.url(f"preview/{state.name}"))
    elif name in _BY_NAME:
        body = show(app, kit, _BY_NAME[name], language)
    else:
        raise NotFound
    return Response(body, headers={"Cache-Control": "no-store", "X-Robots-Tag": "noindex"})
