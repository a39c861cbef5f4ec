"""Lets the app crash once, and reads what it answers: through its whole WSGI stack, with its hooks,
handlers, templates and headers.

No route is added. The crash is raised where the app's ``before_request`` functions have run, for
one request that this file makes, in place of the view. What such a function answers, a login wall
for example, is set aside. No event is sent, no log record is emitted, and all is undone at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from flask import Flask, request, template_rendered
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule
from werkzeug.test import EnvironBuilder, run_wsgi_app

from ..kit import Kit
from ..watch import notes_key, notes_of
from .deadline import OutOfTime, within
from .quiet import quiet

_MARK: Final = "flask_sentry_kit.check"
BODY_MAX: Final = 2 * 2**20
"""Bytes of an answer that are read."""

VISITOR: Final = "192.0.2.1"
"""The address in X-Forwarded-For, which nobody has (RFC 5737)."""


class MarkedCrash(Exception):
    """Raised by ``flask sentry-kit check``: it is no fault of the app."""


@dataclass(slots=True)
class Rehearsal:
    """What became of one crash."""

    path: str
    address: str
    """The page's absolute address."""
    blueprints: tuple[str, ...] = ()
    environ: Any = None
    """As the app's hooks saw it; None if something before them answered."""
    status: int = 0
    headers: Headers = field(default_factory=Headers)
    body: str = ""
    templates: list[tuple[str, str]] = field(default_factory=list)
    """Names and files of the app's templates that were rendered."""
    by_kit: bool = False
    later_errors: list[BaseException] = field(default_factory=list)
    """Errors of handlers and templates while the crash was answered."""
    hook_error: BaseException | None = None
    """The error of a ``before_request`` function, with which every request would crash."""
    escaped: BaseException | None = None
    """An exception that reached the server, which answers with its own bare page."""
    proxy_fix: bool = False
    trusts_for: bool = False
    """ProxyFix takes the visitor's address from X-Forwarded-For."""

    @property
    def reached(self) -> bool:
        """The crash happened."""
        return self.environ is not None

    @property
    def kind(self) -> str:
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def paths_to_try(app: Flask, kit: Kit) -> list[tuple[str, tuple[str, ...]]]:
    """Paths of pages whose crashes may be answered in different ways, and their blueprints: one of
    the app, and one of each blueprint with handlers of its own or in ``SENTRY_KIT_APIS``."""
    special = {*kit.settings.apis}
    for name, by_code in app.error_handler_spec.items():
        if name is not None and any(by_code.get(code) for code in (None, 500)):
            special.add(name)
    found: dict[str | None, tuple[str, tuple[str, ...]]] = {}
    for rule in sorted(app.url_map.iter_rules(), key=_preference):
        names = _blueprints(rule)
        if not _is_page(app, kit, rule):
            continue
        key = next((name for name in names if name in special), None)
        found.setdefault(key, (rule.rule, names))
    plain = found.pop(None, ("/", ()))
    return [plain, *list(found.values())[:10]]


def _preference(rule: Rule) -> tuple[bool, int, str]:
    return rule.rule != "/", rule.rule.count("/"), rule.rule


def _blueprints(rule: Rule) -> tuple[str, ...]:
    parts = rule.endpoint.split(".")[:-1]
    return tuple(".".join(parts[:length]) for length in range(len(parts), 0, -1))


def _is_page(app: Flask, kit: Kit, rule: Rule) -> bool:
    return (
        "GET" in (rule.methods or ())
        and not rule.arguments
        and not rule.websocket
        and not rule.rule.startswith(f"{kit.prefix}/")
        and rule.endpoint in app.view_functions
    )


def rehearse(
    app: Flask, kit: Kit, path: str, base_url: str, accept: str, seconds: float
) -> Rehearsal:
    """Crash on one path.

    :param base_url: the app's address, with the path that it is mounted at.
    :param accept: the request's Accept header.
    :param seconds: the most that the app may take.
    :raises OutOfTime: the app did not answer in time.
    """
    headers = Headers()
    headers["Accept"] = accept
    headers["User-Agent"] = "flask-sentry-kit-check"
    headers["X-Forwarded-For"] = VISITOR
    builder = EnvironBuilder(path, base_url=base_url, headers=headers)
    environ = builder.get_environ()
    found = Rehearsal(path, builder.base_url.rstrip("/") + path)
    environ[_MARK] = found
    with ExitStack() as stack:
        held = stack.enter_context(ExitStack())
        held.enter_context(kit.reporter.holding_back())
        stack.enter_context(quiet())
        stack.enter_context(_answering(app))
        stack.enter_context(_crashing(app))
        stack.enter_context(template_rendered.connected_to(_note_template, app))
        try:
            within(seconds, lambda: _request(app, environ, found))
        except OutOfTime:
            # Its thread goes on, and its crash is still to come. No crash of this app is sent or
            # logged any more in this process, which is a command that ends soon.
            held.pop_all()
            app.log_exception = lambda *given: None  # type: ignore[method-assign]  # of this app alone
            raise
    if found.environ is not None:
        notes = notes_of(found.environ, notes_key(app))
        found.by_kit = notes.answered_by_kit
        found.later_errors = list(notes.later_errors)
        found.proxy_fix = "werkzeug.proxy_fix.orig" in found.environ
        found.trusts_for = found.environ.get("REMOTE_ADDR") == VISITOR
    return found


def _request(app: Flask, environ: Any, found: Rehearsal) -> None:
    try:
        # A server calls the app, and not its wsgi_app: SDKs wrap either.
        body, status, headers = run_wsgi_app(app, environ)
    except Exception as error:
        found.escaped = error
        return
    found.status = int(status.partition(" ")[0])
    found.headers = headers
    try:
        content = b""
        for chunk in body:
            content += chunk
            if len(content) > BODY_MAX:
                break
        found.body = content.decode("utf-8", "replace")
    finally:
        close: Callable[[], object] = getattr(body, "close", lambda: None)
        close()


@contextmanager
def _answering(app: Flask) -> Iterator[None]:
    """The app answers its crash, also in debug mode and in tests, where it would raise it on."""
    before = app.config["PROPAGATE_EXCEPTIONS"]
    app.config["PROPAGATE_EXCEPTIONS"] = False
    try:
        yield
    finally:
        app.config["PROPAGATE_EXCEPTIONS"] = before


@contextmanager
def _crashing(app: Flask) -> Iterator[None]:
    """The one marked request crashes when the app's hooks have run; others pass."""
    before: Callable[..., Any] = app.preprocess_request
    own = app.__dict__.get("preprocess_request")

    def preprocess_request(*context: Any) -> Any:
        found = request.environ.get(_MARK)
        if not isinstance(found, Rehearsal):
            return before(*context)
        found.environ = request.environ
        found.blueprints = tuple(request.blueprints)
        try:
            before(*context)
        except HTTPException:
            pass  # a login wall: what it answers is no crash
        except Exception as error:
            found.hook_error = error
        raise MarkedCrash("flask sentry-kit check: no fault of the app")

    app.preprocess_request = preprocess_request  # type: ignore[method-assign]  # for one request
    try:
        yield
    finally:
        if own is None:
            del app.__dict__["preprocess_request"]
        else:
            app.__dict__["preprocess_request"] = own


def _note_template(app: Flask, *, template: Any, **extra: Any) -> None:
    found = request.environ.get(_MARK) if request else None
    if isinstance(found, Rehearsal) and template.name:
        found.templates.append((str(template.name), str(template.filename or "")))
