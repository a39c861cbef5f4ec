"""What a visitor sees after a crash: judges the answers to marked crashes."""

from __future__ import annotations

import os
import traceback
from typing import Any, Final
from urllib.parse import urljoin

from flask import Flask

from ..kit import Kit
from .deadline import CRASH_SECONDS, CRASHES_SECONDS, Budget, OutOfTime
from .dialog_script import DialogScript
from .finding import Finding, plain
from .markup import Markup, read_markup
from .policy_report import look_at_policies
from .rehearsal import Rehearsal, paths_to_try, rehearse

HTML: Final = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
"""What browsers accept for a page."""

_OWN: Final = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")

_HTML_KINDS: Final = ("text/html", "application/xhtml+xml")


def look_at_crash(
    app: Flask, kit: Kit, base_url: str, dialog: DialogScript | None
) -> tuple[list[Finding], Rehearsal | None]:
    """Crash once for each way in which the app may answer, and say what each answer shows.

    :param base_url: the app's address.
    :param dialog: what is known of the hosted dialog; None if there is none.
    :return: the findings, and the first crash.
    """
    findings: list[Finding] = []
    first = None
    budget = Budget(CRASHES_SECONDS)
    for path, blueprints in paths_to_try(app, kit):
        is_api = any(name in kit.settings.apis for name in blueprints)
        try:
            accept = "*/*" if is_api else HTML
            found = rehearse(app, kit, path, base_url, accept, budget.step(CRASH_SECONDS))
        except OutOfTime as error:
            findings.append(
                Finding(
                    "page",
                    "broken",
                    f"The app did not answer a crash at {path}: {plain(error)}",
                    "Look at its before_request and after_request functions, its handler for 500"
                    " and its templates: one of them waits.",
                )
            )
            return findings, first
        findings += _judge_api(app, kit, found) if is_api else _judge(app, kit, found, dialog)
        first = first or found
    return list(dict.fromkeys(findings)), first


def _judge_api(app: Flask, kit: Kit, found: Rehearsal) -> list[Finding]:
    if not found.reached or found.escaped is not None:
        return _judge(app, kit, found, None)
    name = next(name for name in found.blueprints if name in kit.settings.apis)
    shows = "with" if found.headers.get("X-Sentry-ID", "-") in found.body else "without"
    what = f"A crash in {name!r} is answered with {found.kind or 'no type'}, {shows} its reference"
    return [*_errors(found, app), Finding("api", "ok", what)]


def _judge(app: Flask, kit: Kit, found: Rehearsal, dialog: DialogScript | None) -> list[Finding]:
    if found.escaped is not None:
        return [
            Finding(
                "page",
                "broken",
                f"At a crash the app raises {_said(found.escaped)}: visitors get the server's bare"
                " page",
                "Look at the app's middleware, its teardown functions and its overridden methods.",
            )
        ]
    if not found.reached:
        return [
            Finding(
                "page",
                "note",
                f"Something before the app's views answered {found.path} with {found.status}, so no"
                " crash was seen",
                "Look at the app's middleware; with --url you say where the app is mounted.",
            )
        ]
    findings = _errors(found, app)
    if found.status < 500:
        findings.append(
            Finding(
                "page",
                "note",
                f"A crash at {found.path} is answered with {found.status}, by"
                f" {_handler(found, kit)}",
                "Answer 500, so that crawlers, caches and monitors see that it is a crash.",
            )
        )
    if found.kind not in _HTML_KINDS:
        findings.append(
            Finding(
                "page",
                "note",
                f"A browser's crash at {found.path} is answered with {found.kind or 'no type'}, by"
                f" {_handler(found, kit)}: no dialog, no form",
                "Return crash_response(error) from that handler, or set"
                " SENTRY_KIT_REPLACE_HANDLERS = True.",
            )
        )
        return findings
    return findings + _judge_html(app, kit, found, dialog)


def _judge_html(
    app: Flask, kit: Kit, found: Rehearsal, dialog: DialogScript | None
) -> list[Finding]:
    markup = read_markup(found.body, found.address)
    what = f"{_answerer(app, kit, found)} answers a crash"
    event = "X-Sentry-ID" in found.headers
    if not event:
        if kit.dsn is None:
            return [Finding("page", "ok", f"{what}, with neither dialog nor form: no DSN")]
        return [
            Finding(
                "page",
                "note",
                f"{what}, but it had no event, so there is neither dialog nor form",
                "Look at ignore_exceptions and at an overridden capture() or send().",
            )
        ]
    lacks_sdk = markup.opens_dialog and _lacks_sdk(kit, markup)
    if lacks_sdk:
        markup.opens_dialog = False
    wanted, shown, missing = _pieces(app, kit, found, markup)
    if shown:
        what += f", with {' and '.join(shown)}"
    if lacks_sdk:
        finding = Finding(
            "page",
            "note",
            f"{what}, without {' and '.join(missing)}: SENTRY_KIT_RAVEN_JS is 'browser', and no"
            " script of the page loads @sentry/browser",
            "Load it in the app's 500.html, in the block head, and define window.Sentry; or leave"
            " SENTRY_KIT_RAVEN_JS out.",
        )
    elif missing:
        finding = Finding(
            "page",
            "note",
            f"{what}, without {' and '.join(missing)}",
            "Print {{ sentry_crash() }} in the app's template, or {{ sentry_crash_form() }} and"
            " {{ sentry_crash_dialog() }}.",
        )
    else:
        finding = Finding("page", "ok", what if wanted else f"{what}; dialog and form are off")
    return [finding, *look_at_policies(found, markup, kit, dialog, form="form" in shown)]


def _lacks_sdk(kit: Kit, markup: Markup) -> bool:
    """Whether the page needs @sentry/browser, and has no script but the kit's own."""
    return kit.settings.raven_js.sentry_browser and not any(
        (part.kind == "script" and f"{kit.prefix}/static/" not in part.url)
        or (part.kind == "inline script" and "sentryKitDialog" not in part.text)
        for part in markup.parts
    )


def _pieces(
    app: Flask, kit: Kit, found: Rehearsal, markup: Markup
) -> tuple[list[str], list[str], list[str]]:
    """Which of dialog and form are wanted, which are there, which are missing."""
    wanted = []
    if kit.settings.dialog is not None:
        wanted.append("dialog")
    if kit.settings.feedback and app.secret_key:
        wanted.append("form")
    has = {
        "dialog": markup.opens_dialog,
        "form": urljoin(found.address, f"{kit.prefix}/feedback")
        in [action.partition("?")[0] for action in markup.actions]
        or any(action.endswith(f"{kit.prefix}/feedback") for action in markup.actions),
    }
    shown = [name for name, there in has.items() if there]
    return wanted, shown, [name for name in wanted if not has[name]]


def _errors(found: Rehearsal, app: Flask) -> list[Finding]:
    findings = []
    if found.hook_error is not None:
        findings.append(
            Finding(
                "page",
                "broken",
                f"A before_request function raises {_said(found.hook_error)}: every page crashes",
                "Mend it, or run the check where its database or service can be reached.",
            )
        )
    for error in dict.fromkeys(found.later_errors):
        findings.append(
            Finding(
                "page",
                "broken",
                f"While a crash is answered, {_place(error, app)} fails: {_said(error)}. Visitors"
                " get the next simpler page",
                "Mend it: it should need nothing that may be missing after a crash.",
            )
        )
    return findings


def _said(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        text = ""
    return plain(f"{type(error).__name__}: {text}"[:300].rstrip(": "))


def _place(error: BaseException, app: Flask) -> str:
    """The file and line of the app that an error comes from; a template's line is its own."""
    folder = os.path.join(app.root_path, "")
    frames = traceback.extract_tb(error.__traceback__)
    line = getattr(error, "lineno", None)
    if line is not None and getattr(error, "filename", None):
        return f"{_short(str(getattr(error, 'filename', '')), folder)}, line {line},"
    for frame in reversed(frames):
        is_apps = frame.filename.startswith(folder) and not frame.filename.startswith(_OWN)
        if is_apps and "site-packages" not in frame.filename:
            return f"{_short(frame.filename, folder)}, line {frame.lineno},"
    return "a handler or template of the app"


def _short(filename: str, folder: str) -> str:
    return filename.removeprefix(folder)


def _answerer(app: Flask, kit: Kit, found: Rehearsal) -> str:
    """Which handler and which template made the answer."""
    own = [name for name, filename in found.templates if filename]
    folder = os.path.join(app.root_path, "")
    if found.by_kit:
        files = [_short(filename, folder) for _, filename in found.templates if filename]
        return f"The app's {files[0]}" if files and own else "The kit's page"
    template = f" with {own[0]}" if own else ""
    return f"{_handler(found, kit)[:1].upper()}{_handler(found, kit)[1:]}{template}"


def _handler(found: Rehearsal, kit: Kit) -> str:
    if found.by_kit:
        return "the kit's page"
    handlers: list[Any] = kit.answers.handlers(found.blueprints)
    if not handlers:
        return "something after the kit"
    call = handlers[0].call
    name = f"{getattr(call, '__module__', '')}.{getattr(call, '__qualname__', type(call).__name__)}"
    return f"the app's handler for {handlers[0]} ({name})"
