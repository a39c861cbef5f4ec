"""The front door: sets an app up when it calls ``app.register_blueprint(sentry_kit)``.

Connects reporter, page and feedback for one app, and keeps each app separate from every other
app in the process. Contains none of their logic.
"""

from __future__ import annotations

import logging
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Flask, current_app, request
from flask.wrappers import Response
from werkzeug.exceptions import NotFound
from werkzeug.local import LocalProxy

from . import settings as kit_settings
from .cli import add_commands
from .settings import SettingError

if TYPE_CHECKING:
    from .kit import Kit

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
# Characters. A browser sends one ETag, which is 40 long here; a longer condition is ignored.


def _current_kit() -> Kit:
    # Imported late: most modules are loaded only when an app is registered.
    from .kit import current_kit

    return current_kit()


def crash_response(error: BaseException) -> Response:
    """The crash page, for an app's own error handler.

    Captures the exception if it is not captured yet::

        @app.errorhandler(DatabaseDown)
        def database_down(error):
            metrics.count("database_down")
            return crash_response(error)

    :param error: the handler's argument.
    :raises RuntimeError: if the blueprint is not registered on the current app.
    """
    return _current_kit().respond(error)


class SentryKit(Blueprint):
    """The blueprint. One instance serves any number of apps, each with its own state.

    :param options: the settings as keywords, in lower case and without ``SENTRY_KIT_``:
        ``SentryKit(dialog={"title": "…"}, spool="/var/lib/app/sentry.sqlite")``. They win over
        ``app.config``.
    :raises SettingError: names the option, the value it got and the values it takes.
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
        self._add_routes()
        add_commands(self.cli)

    def register(self, app: Flask, options: dict[str, Any]) -> None:  # type: ignore[override]  # App's are all Flask
        """Called by ``register_blueprint``.

        :raises SettingError, DsnError: before the app is changed; the text holds no secret.
        """
        from .kit import Kit, kit_of, set_up_kit
        from .page import PARTS
        from .reporters import choose_reporter, when_settled
        from .watch import add_event_id_to_log_records

        if kit_of(app) is not None:
            raise SettingError(
                f"The app {app.name!r} has the kit already: register it once. To change its"
                " address use register_blueprint(sentry_kit, url_prefix=…)"
            )
        prefix = self._prefix(options)
        settings = kit_settings.set_up_settings(app, self._options)
        choose_reporter(app, settings)
        super().register(app, options)
        name = f"{options.get('name_prefix', '')}.{options.get('name', self.name)}".lstrip(".")
        kit = Kit(app, settings, name, prefix)
        set_up_kit(app, kit)
        when_settled(app, partial(_begin, app, kit))
        add_event_id_to_log_records(app)
        kit.warm_up()
        kit.own_routes.serve_first()
        kit.answers.install()
        # Not globals of app.jinja_env: using it here would create it before the app is set up.
        parts = {name: partial(kit.part, part) for name, part in PARTS.items()}
        app.context_processor(lambda: parts)

    def _add_routes(self) -> None:
        # Each view looks the kit up at each request: one blueprint serves any number of apps.
        add = self.add_url_rule
        add(
            "/feedback",
            endpoint="feedback",
            view_func=lambda: _current_kit().feedback.take(),
            methods=["POST"],
            provide_automatic_options=False,
        )
        add("/feedback/<outcome>/<receipt>", endpoint="thanks", view_func=_thank)
        add("/preview", endpoint="preview", view_func=_preview)
        add("/preview/<name>", endpoint="preview_state", view_func=_preview)

    def send_static_file(self, filename: str) -> Response:
        """A bundled file; the stylesheet has the app's accent colour."""
        # Werkzeug before 3.1.9 reads a condition in quadratic time: 250 kB of blanks took minutes.
        for name in _CONDITIONS:
            if len(request.environ.get(name, "")) > _CONDITION_MAX:
                del request.environ[name]
        if filename == "crash.css":
            response = Response(_current_kit().page.stylesheet, mimetype="text/css")
        elif filename == "icon.png":
            # From memory: a browser that leaves the page at once would leave its file open.
            response = Response(_current_kit().page.icon, mimetype="image/png")
        else:
            return super().send_static_file(filename)
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


def _begin(app: Flask, kit: Kit) -> None:
    """Log where crashes go, and deliver what was left, once the app's reporter is known."""
    from .missing_dsn import log_missing_dsn
    from .start_log import log_start

    dsn = kit.dsn
    if dsn is None:
        log_missing_dsn(app, kit)
        return
    log_start(app, kit, dsn)
    if kit.settings.feedback:
        kit.feedback.log_missing_secret()
    if kit.settings.spool:
        # What a killed worker left is delivered now, not at the next crash.
        kit.outbox.resume()
    Context().run(kit.reporter.warm_up)  # nothing of a request that is running


def _thank(outcome: str, receipt: str) -> Response:
    return _current_kit().feedback.thank(outcome, receipt)


def _preview(name: str | None = None) -> Response:
    """The page in every state; not found unless debug mode is on."""
    from .page import preview

    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # LocalProxy
    if not app.debug:
        raise NotFound
    return preview.answer(app, _current_kit(), name)


sentry: Any = LocalProxy(lambda: current_app.extensions["sentry"])
"""The current app's reporter: ``sentry.captureMessage("hello")``."""

sentry_kit: Final = SentryKit()
"""The ready-made blueprint: ``app.register_blueprint(sentry_kit)``."""
