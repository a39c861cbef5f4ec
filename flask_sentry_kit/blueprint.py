"""The front door: what ``app.register_blueprint(sentry_kit)`` switches on.

Joins the rooms for one app (reporter, page, feedback) and keeps them apart from every other
app in the process. Holds no logic of theirs.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from typing import Any, Final

from flask import Blueprint, Flask, current_app, g, has_request_context, request
from flask.wrappers import Response
from markupsafe import Markup
from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.routing import Map, Rule

from . import settings as kit_settings
from .addresses import asked_for, encoded, mount_point
from .cli import add_commands
from .crash import Crash
from .dsn import Dsn, DsnError
from .feedback import add_routes, feedback_form, tell_missing_secret
from .feedback.form import EMAIL_LENGTH, NAME_LENGTH
from .headers import framed
from .outbox import Outbox
from .page import Page
from .page.preview import add_preview
from .reporters.raven.sentry import Sentry, original
from .settings import SettingError, Settings
from .text import one_line
from .user import Person, person

logger = logging.getLogger("flask_sentry_kit")

URL_PREFIX: Final = "/_sentry_kit"

_CONDITIONS: Final = (
    "HTTP_IF_MATCH",
    "HTTP_IF_NONE_MATCH",
    "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_UNMODIFIED_SINCE",
    "HTTP_IF_RANGE",
    "HTTP_RANGE",
)
_CONDITION_MAX: Final = 1_000
# Characters. A browser sends one ETag, which is 40 long here; a longer condition is not looked at.


class Kit:
    """The kit of one app: ``app.extensions["sentry_kit"]``.

    :param app: the app; held weakly.
    :param settings: its settings, checked.
    :param name: the name the blueprint was registered under.
    :param prefix: where its routes are, without the app's mount point.
    """

    def __init__(self, app: Flask, settings: Settings, name: str, prefix: str) -> None:
        self._app = weakref.ref(app)
        self.settings = settings
        self.name = name
        self.prefix = prefix
        self._spare_outbox: Outbox | None = None
        self.page = Page(app, settings, asset_url=self.asset_url, report=self._report_second)

    @property
    def app(self) -> Flask:
        app = self._app()
        assert app is not None, "the app of this kit is gone"
        return app

    @property
    def sentry(self) -> Any:
        """The app's reporter as it is now: ours or raven's own class, made by whomever."""
        return self.app.extensions.get("sentry")

    @property
    def dsn(self) -> Dsn | None:
        """Where events and feedback go, or None."""
        sentry = self.sentry
        if isinstance(sentry, Sentry):
            found = sentry.dsn_of(self.app)
            if found is not None:
                return found
            sentry = sentry.client_of(self.app)
            return _dsn_of_raven(sentry)
        return _dsn_of_raven(getattr(sentry, "client", None))

    @property
    def outbox(self) -> Outbox:
        """The reporter's queue, so that feedback follows its event; one of the kit's own beside
        a reporter that has none."""
        sentry = self.sentry
        if isinstance(sentry, Sentry):
            found = getattr(sentry.client_of(self.app), "outbox", None)
            if isinstance(found, Outbox):
                return found
        if self._spare_outbox is None:
            dsn = self.dsn
            self._spare_outbox = Outbox(
                spool=self.settings.spool, destination=dsn.origin if dsn else None
            )
        return self._spare_outbox

    def url(self, tail: str, **values: Any) -> str:
        """The path of one of the kit's own routes, with the app's mount point.

        Made without ``url_for``, whose hooks are the app's and may be what is broken.
        """
        root = mount_point(request.environ) if has_request_context() else ""
        return f"{root}{encoded(self.prefix)}/{tail.format(**values)}"

    def asset_url(self, name: str) -> str:
        """The path of a bundled static file."""
        return self.url(f"static/{name}")

    def crash(self, error: BaseException) -> Crash:
        """The facts of the current request's crash, captured if it was not yet."""
        event_id = _capture(self.sentry, error)
        dsn = self.dsn if event_id else None
        who = self._prefilled() if event_id else Person()
        return Crash(
            event_id=event_id,
            dsn=dsn,
            method=request.method,
            url=asked_for(request.environ),
            root_url=f"{mount_point(request.environ)}/",
            user_name=who.name,
            user_email=who.email,
        )

    def _prefilled(self) -> Person:
        """Who is signed in, as dialog and form may show it: not in a frame, where somebody else's
        page may be around it."""
        if not self.settings.prefill or framed(request.environ):
            return Person()
        who = person(self.settings.user)
        email = one_line(who.email, EMAIL_LENGTH + 1)
        if len(email) > EMAIL_LENGTH:
            email = ""  # cut, it would be somebody else's
        return Person(one_line(who.name, NAME_LENGTH), email)

    def respond(self, error: BaseException) -> Response:
        """The page for a crash. Never raises."""
        try:
            crash = self.crash(error)
        except Exception:
            logger.exception("The facts of a crash could not be gathered; the page still shows")
            crash = Crash(None)
        try:
            form = feedback_form(self.app, crash)
        except Exception:
            logger.exception("The feedback form could not be made; the page shows without it")
            form = None
        response = self.page.respond(crash, form)
        if crash.event_id and crash.event_id.isascii() and crash.event_id.isprintable():
            # Set here too: a hook of the app's that breaks keeps later hooks from running.
            response.headers["X-Sentry-ID"] = crash.event_id
        return response

    def _report_second(self, error: BaseException) -> None:
        """Report what broke while the page was made; the page keeps the first one's reference."""
        shown = g.get("sentry_event_id")
        _capture(self.sentry, error)
        g.sentry_event_id = shown

    def dialog(self) -> Markup:
        """The snippet that opens Sentry's dialog, for a page of the app's own.

        Templates know it as ``sentry_crash_dialog()``; empty where this request has no event.
        """
        event_id = g.get("sentry_event_id")
        dsn = self.dsn if event_id else None
        if dsn is None:
            return Markup("")
        who = self._prefilled()
        return self.page.dialog(Crash(event_id, dsn=dsn, user_name=who.name, user_email=who.email))


def _capture(sentry: Any, error: BaseException) -> str | None:
    """The id of the one event of an exception, captured now if nobody did before."""
    if isinstance(sentry, Sentry):
        return sentry.report(error)
    client = getattr(sentry, "client", None)
    if client is None:
        return None
    # raven's own class: it tells what it has seen by the traceback, and forgets the id when
    # asked twice.
    try:
        error = original(error)
        exc_info = (type(error), error, error.__traceback__)
        before: str | None = g.get("sentry_event_id")
        if before is not None and client.skip_error_for_logging(exc_info):
            return before
        event_id: str | None = sentry.captureException(exc_info=exc_info)
        if event_id is None and before is not None:
            g.sentry_event_id = before
        return event_id
    except Exception:
        logger.exception("raven could not capture a crash; the page still shows")
        return None


def _dsn_of_raven(client: Any) -> Dsn | None:
    remote = getattr(client, "remote", None)
    if remote is None or not remote.is_active():
        return None
    scheme, _, rest = str(remote.base_url).partition("://")
    secret = f":{remote.secret_key}" if remote.secret_key else ""
    try:
        return Dsn.parse(f"{scheme}://{remote.public_key}{secret}@{rest}/{remote.project}")
    except DsnError:
        return None


def _kit_of(app: Flask) -> Kit | None:
    kit = app.extensions.get("sentry_kit")
    return kit if isinstance(kit, Kit) else None


def crash_response(error: BaseException) -> Response:
    """The crash page, for an app's own error handler.

    Captures the exception if nobody did yet::

        @app.errorhandler(DatabaseDown)
        def database_down(error):
            metrics.count("database_down")
            return crash_response(error)

    :param error: what the handler was given.
    :raises RuntimeError: where the blueprint is not registered on the current app.
    """
    kit = _kit_of(current_app)
    if kit is None:
        raise RuntimeError(
            "crash_response() needs the kit: call app.register_blueprint(sentry_kit) first"
        )
    return kit.respond(error)


class SentryKit(Blueprint):
    """The blueprint. One instance serves any number of apps, each with its own state.

    :param options: the settings without ``SENTRY_KIT_`` and in small letters, as keywords:
        ``SentryKit(dialog={"title": "…"}, spool="/var/lib/app/sentry.sqlite")``. They win over
        ``app.config``.
    :raises SettingError: names the option, what it got and what it takes.
    """

    def __init__(self, **options: Any) -> None:
        kit_settings.check_keywords(options)
        super().__init__(
            "sentry_kit",
            __name__,
            static_folder="static",
            template_folder="templates",
            url_prefix=URL_PREFIX,
            cli_group="sentry-kit",
        )
        self._options = options
        add_routes(self)
        add_preview(self)
        add_commands(self.cli)

    def register(self, app: Flask, options: dict[str, Any]) -> None:  # type: ignore[override]  # App's are all Flask
        """Called by ``register_blueprint``.

        :raises SettingError, DsnError: before anything of the app is touched; no secret in it.
        """
        if "sentry_kit" in app.extensions:
            raise SettingError(
                f"The app {app.name!r} has the kit already: register it once. To change its"
                " address use register_blueprint(sentry_kit, url_prefix=…)"
            )
        prefix = self._prefix(options)
        settings = kit_settings.read(app.config, self._options)
        if "sentry" not in app.extensions:
            _make_sentry(app, settings)
        super().register(app, options)
        name = f"{options.get('name_prefix', '')}.{options.get('name', self.name)}".lstrip(".")
        kit = Kit(app, settings, name, prefix)
        app.extensions["sentry_kit"] = kit
        if kit.dsn is None:
            logger.warning(
                "No SENTRY_DSN in app.config or in the environment: the crash page of %r shows,"
                " but nothing is reported unless the app makes a Sentry of its own",
                app.name,
            )
        elif settings.feedback:
            tell_missing_secret(app)
        if kit.dsn is not None and settings.spool:
            # What a killed worker left shall not wait for the next crash.
            kit.outbox.resume()
        _serve_first(app, name, prefix)
        _handle_500(app)
        # Not a global of app.jinja_env: asking for that would make it, before the app is set up.
        app.context_processor(lambda: {"sentry_crash_dialog": kit.dialog})

    def send_static_file(self, filename: str) -> Response:
        """A bundled file; the stylesheet in the app's accent colour."""
        # Werkzeug before 3.1.9 reads a condition in quadratic time: 250 kB of blanks took minutes.
        for name in _CONDITIONS:
            if len(request.environ.get(name, "")) > _CONDITION_MAX:
                del request.environ[name]
        kit = _kit_of(current_app)
        if filename != "crash.css" or kit is None:
            return super().send_static_file(filename)
        response = Response(kit.page.stylesheet, mimetype="text/css")
        response.add_etag()
        response.cache_control.no_cache = True  # as Flask's own static files: ask, then reuse
        response.make_conditional(request)
        return response

    def _prefix(self, options: dict[str, Any]) -> str:
        prefix = str(options.get("url_prefix") or self.url_prefix or "")
        if "<" in prefix:
            raise SettingError(
                f"url_prefix of the kit takes a fixed path such as {URL_PREFIX!r}; got {prefix!r}"
            )
        return "/" + prefix.strip("/") if prefix.strip("/") else ""


def _make_sentry(app: Flask, settings: Settings) -> None:
    log = settings.logging
    Sentry(
        app,
        logging=log is not None,
        level=log.level if log else logging.NOTSET,
        logging_exclusions=log.exclusions if log else None,
    )


def _serve_first(app: Flask, name: str, prefix: str) -> None:
    """Answer the kit's own routes before the app's hooks: a login wall, a dead database or a
    CSRF check must not take down the page's stylesheet or the visitor's words."""
    own = f"{name}."
    preprocess = app.preprocess_request

    # Around all hooks, and not one of them: that costs a healthy request less.
    def preprocess_request(*args: Any, **kwargs: Any) -> Any:
        rule = request._get_current_object().url_rule  # type: ignore[attr-defined]  # LocalProxy
        if rule is not None and rule.endpoint.startswith(own):
            return _dispatch(app, rule.endpoint)
        return preprocess(*args, **kwargs)

    app.preprocess_request = preprocess_request  # type: ignore[method-assign]  # of this app alone
    if app.url_map.host_matching or app.subdomain_matching:
        hooks = app.before_request_funcs.setdefault(None, [])
        hooks.insert(0, _serve_on_any_host(app, own, prefix))


def _serve_on_any_host(app: Flask, own: str, prefix: str) -> Callable[[], Any]:
    """The hook for apps whose routes have hosts: ours have none, and a page may crash on any."""
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith(own)]
    adapter = Map(
        [Rule(rule.rule, endpoint=rule.endpoint, methods=rule.methods) for rule in rules]
    ).bind("any")

    def serve_own() -> Any:
        if not request.path.startswith(f"{prefix}/"):
            return None
        try:
            rule, values = adapter.match(request.path, request.method, return_rule=True)
        except HTTPException:
            return None  # the app's routes may know it
        request.url_rule, request.view_args = rule, dict(values)
        request.routing_exception = None
        return _dispatch(app, rule.endpoint)

    return serve_own


def _dispatch(app: Flask, endpoint: str) -> Any:
    # Once a request: a report that was taken must not be taken again, and refused for that,
    # because a hook of the app's broke behind it.
    if "_kit_answer" not in g:
        answer = app.ensure_sync(app.view_functions[endpoint])(**(request.view_args or {}))
        g._kit_answer = app.make_response(answer)
    return g._kit_answer


def _handle_500(app: Flask) -> None:
    """Make the kit's page the app's answer to a crash, unless the app has an answer of its own."""
    if InternalServerError in app.error_handler_spec[None][500]:
        logger.warning(
            "The app %r has a handler for 500 of its own, which stays. To show the kit's page"
            " from it, return crash_response(error)",
            app.name,
        )
        return
    app.register_error_handler(500, _on_500)


def _on_500(error: InternalServerError) -> Any:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # LocalProxy
    kit = _kit_of(app)
    assert kit is not None
    if not g.get("_kit_served"):
        # The app broke around one of the kit's own routes (its session store, say).
        g._kit_served = True
        try:
            _match_late(app)
            rule = request.url_rule
            if rule is not None and rule.endpoint.startswith(f"{kit.name}."):
                return _dispatch(app, rule.endpoint)
        except HTTPException:
            pass  # no route of anybody's
        except Exception:
            logger.exception("One of the kit's own routes failed")
    return kit.respond(error)


def _match_late(app: Flask) -> None:
    # Flask opens the session before it looks for the route, and never looks if that fails.
    if request.url_rule is not None or request.routing_exception is not None:
        return
    adapter = app.create_url_adapter(request)
    if adapter is not None:
        request.url_rule, values = adapter.match(return_rule=True)
        request.view_args = dict(values)


sentry_kit: Final = SentryKit()
"""The ready-made blueprint: ``app.register_blueprint(sentry_kit)``."""
