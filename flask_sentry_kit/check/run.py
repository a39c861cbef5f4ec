"""Puts the parts of the check in order, and leaves out what cannot be looked at."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from flask import Flask

from ..dsn import Dsn
from ..kit import Kit, kit_of
from .around import look_at_mode, look_at_proxy_fix, look_at_secret_key, look_at_spool
from .asking import Asker
from .crash_page import look_at_crash
from .deadline import Budget, OutOfTime
from .destination import look_at_dsn, look_at_network
from .dialog_script import DialogScript, ask_for_dialog
from .finding import Finding, plain
from .marked import Sent, send_marked
from .reporting import look_at_reporter, sender_of
from .server_kind import Server, find_server
from .server_setting import look_at_server_setting

_LOCAL: Final = "http://localhost/"

_WORKER: Final = Finding(
    "worker",
    "ok",
    "Its environment may differ from this command's. Its log says at start, at level INFO, where"
    " it reports",
)


def not_loaded(error: BaseException, *, setting: bool) -> list[Finding]:
    """The finding about an app that cannot be made.

    :param setting: the kit refused a setting, and its text says all.
    """
    if setting:
        return [Finding("settings", "broken", plain(error), "Change the setting that it names.")]
    return [
        Finding(
            "app",
            "broken",
            f"The app does not load: {type(error).__name__}: {plain(error)}",
            "See the whole traceback with: flask routes",
        )
    ]


def check_app(app: Flask, *, send: bool = True, url: str = "") -> list[Finding]:
    """Look at everything.

    :param send: send a marked event, and marked words about it.
    :param url: the app's address as visitors have it; by default of ``SERVER_NAME``.
    """
    kit = kit_of(app)
    if kit is None:
        return [
            Finding(
                "app",
                "broken",
                f"The kit is not registered on the app {app.name!r}",
                "Call app.register_blueprint(sentry_kit).",
            )
        ]
    address = url or _own_address(app)
    findings = [look_at_dsn(app, kit), *look_at_reporter(app, kit)]
    dialog = None
    dsn = kit.dsn
    if dsn is not None:
        found, dialog = _look_at_server(kit, dsn, _origin(address), send=send)
        findings += found
    findings += look_at_mode(app)
    page, crash = look_at_crash(app, kit, address or _LOCAL, dialog)
    findings += page
    findings += look_at_secret_key(app, kit)
    if crash is not None and crash.reached:
        findings.append(look_at_proxy_fix(kit, crash))
    findings += look_at_spool(kit)
    findings.append(_WORKER)
    return findings


def _own_address(app: Flask) -> str:
    name = app.config.get("SERVER_NAME")
    if not name:
        return ""
    root = str(app.config.get("APPLICATION_ROOT") or "/").strip("/")
    return f"{app.config['PREFERRED_URL_SCHEME']}://{name}/{root}"


def _origin(address: str) -> str:
    if not address:
        return ""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _look_at_server(
    kit: Kit, dsn: Dsn, origin: str, *, send: bool
) -> tuple[list[Finding], DialogScript | None]:
    connection, budget = kit.outbox.connection, Budget()
    findings = look_at_network(dsn, connection, budget, sender_of(kit))
    if any(finding.level == "broken" for finding in findings):
        return findings, None
    asker = Asker(connection, budget)
    dialog = None
    try:
        try:
            server = find_server(dsn, asker)
        except Exception as error:
            return [*findings, _silent(dsn, error, sender_of(kit).fate)], None
        sent = Sent([], False)
        if send:
            words = kit.settings.feedback
            sent = send_marked(kit, dsn, connection, budget, origin, words=words)
        if not server.name and sent.is_glitchtip:
            server = Server("GlitchTip", "glitchtip")
        findings += [look_at_server_setting(dsn, server, kit.settings.server), *sent.findings]
        if kit.settings.dialog is not None:
            dialog = ask_for_dialog(dsn, asker, origin)
            findings.append(dialog.finding)
    except OutOfTime as error:
        findings.append(
            Finding("server", "broken", f"The rest was not asked: {error}", "Try again later.")
        )
    return findings, dialog


def _silent(dsn: Dsn, error: Exception, fate: str) -> Finding:
    return Finding(
        "server",
        "broken",
        f"{dsn.host} takes connections and does not answer: {plain(error)}. {fate}",
        "Look whether the server behind it runs, and at its log.",
    )
