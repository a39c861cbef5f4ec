"""Which reporter an app has.

``SENTRY_KIT_REPORTER = "auto"``: a ``Sentry`` that the app made itself, else sentry-sdk if it is
initialised with a DSN, else raven. Where sentry-sdk is installed this is settled late, at the first
request or the first event, so that ``sentry_sdk.init()`` may come after ``register_blueprint()``.
"""

from __future__ import annotations

import logging
import sys
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import Context
from functools import partial
from importlib.util import find_spec
from typing import Any, Final

from flask import Flask

from ..containment import contained
from ..dsn import Dsn
from ..event.event_facts import EventFacts
from ..event.scope import Environ
from ..outbox import Counters, Outbox, diversion
from ..settings import SettingError, Settings, settings_of
from ..threads import lock_at_use
from ..watch import declare_event_id, watch_escapes, watch_handlers, watch_requests
from .base import NoReporter, Reporter
from .made import CHOSEN, capture_by_current, made_for, reporter_for
from .raven.options import check_configuration, check_options, make_outbox, transport_options

logger = logging.getLogger("flask_sentry_kit")

_lock: Final = lock_at_use()
_logged: Final[weakref.WeakSet[Flask]] = weakref.WeakSet()
_AT_FIRST_REQUEST: Final = "sentry_kit_at_first_request"
_made_by_kit: Final[weakref.WeakKeyDictionary[Flask, weakref.ref[Any]]] = (
    weakref.WeakKeyDictionary()
)
_BOTH: Final = (
    "The app %r has made a Sentry of its own and sentry_sdk is initialised: each sends an event of"
    " every crash. The page shows the id of the Sentry's event. Remove one of the two to have one"
    " event of each crash"
)
_LATE: Final = (
    "sentry_sdk.init() was called after the first request of the app %r, which raven reports for:"
    " each sends an event of every crash. Call it before the app serves"
)


def sdk_is_installed() -> bool:
    """Whether sentry-sdk can be imported. It is not loaded for this."""
    if "sentry_sdk" in sys.modules:
        return True
    with contained(None):  # a broken finder
        return find_spec("sentry_sdk") is not None
    return False


def sdk_reports() -> bool:
    """Whether sentry-sdk is initialised with a DSN. It is not loaded for this."""
    sdk: Any = sys.modules.get("sentry_sdk")
    found = False
    with contained("Whether sentry-sdk is initialised could not be found out"):
        # Absent while it is being imported, and before 2.0.
        get_client = getattr(sdk, "get_client", None)
        client = None if get_client is None else get_client()
        # While a test collects what is reported, a client needs no DSN.
        found = client is not None and client.is_active() and bool(client.dsn or diversion.dsn())
    return found


def choose_reporter(app: Flask, settings: Settings) -> None:
    """Give an app its reporter, or a stand-in until it is known.

    :raises SettingError, DsnError: the text names the setting and shows no secret.
    """
    if settings.reporter == "sentry-sdk":
        if not sdk_is_installed():
            raise SettingError(
                'SENTRY_KIT_REPORTER is "sentry-sdk", and sentry-sdk is not installed:'
                " pip install 'flask-sentry-kit[sentry-sdk]'"
            )
        import sentry_sdk

        if not hasattr(sentry_sdk, "get_client"):
            raise SettingError(
                'SENTRY_KIT_REPORTER is "sentry-sdk", which takes sentry-sdk 2.0 or newer; got'
                f" {sentry_sdk.VERSION}"
            )
        check_options(app.config, app.config.get("SENTRY_CONFIG") or {})
        _use_sdk(app, settings)
    elif "sentry" in app.extensions:
        pass
    elif settings.reporter == "raven" or not sdk_is_installed():
        _make_raven(app)
    else:
        found = check_configuration(app.config)
        if sdk_reports():
            _use_sdk(app, settings)
        else:
            dsn = Dsn.parse(found.text) if found.text else None
            app.extensions["sentry"] = StandIn(app, settings, dsn)
            _watch(app)
    if settings.reporter != "raven" and sdk_is_installed():
        watch_requests(app, _first_request)


def when_settled(app: Flask, then: Callable[[], object]) -> None:
    """Call a function once an app's reporter and its DSN are known, perhaps now."""
    made = app.extensions.get("sentry")
    if isinstance(made, StandIn):
        made.then = then
    elif _is_sdk(made_for(app)) and not sdk_reports():
        # SENTRY_KIT_REPORTER = "sentry-sdk": sentry_sdk.init() may come before the first request.
        app.extensions[_AT_FIRST_REQUEST] = then
    else:
        then()


def settle(app: Flask) -> Any:
    """Put an app's reporter in the place of its stand-in, if it has one still.

    :returns: what reports for the app.
    """
    with _lock.get():
        found = app.extensions.get("sentry")
        if not isinstance(found, StandIn):
            return made_for(app)
        made: StandIn = found
        with contained("The app's reporter could not be made; nothing is reported"):
            if sdk_reports():
                _use_sdk(app, made.settings)
            else:
                # Outside of the request that is running: nothing of it is asked for.
                Context().run(_make_raven, app)
        if app.extensions.get("sentry") is made:
            app.extensions["sentry"] = _Nothing()
    with contained("The app's reporter could not begin its work"):
        made.then()
    return made_for(app)


def log_two_reporters(app: Flask, settings: Settings) -> None:
    """Log once if sentry-sdk sends an event of each crash besides the app's reporter."""
    if settings.reporter != "auto" or app in _logged or not sdk_reports():
        return
    made = made_for(app)
    if not isinstance(made, StandIn) and not _is_sdk(made):
        _logged.add(app)
        logger.warning(_LATE if made_by_kit(app) else _BOTH, app.name)


def uses_sdk(app: Flask) -> bool:
    """Whether sentry-sdk sends an app's events. It is settled now if it was not."""
    return _is_sdk(settle(app))


def made_by_kit(app: Flask) -> bool:
    """Whether an app's ``Sentry`` is the one that the kit has made for it."""
    made = _made_by_kit.get(app)
    return made is not None and made() is app.extensions.get("sentry")


def _first_request(app: Flask) -> bool:
    with contained("The app's reporter could not be chosen"):
        settle(app)
        _FirstRecord.remove(app)
        app.extensions.pop(_AT_FIRST_REQUEST, lambda: None)()
        log_two_reporters(app, settings_of(app))
    return True


def _make_raven(app: Flask) -> None:
    from .raven.sentry import make_sentry

    make_sentry(app)
    _made_by_kit[app] = weakref.ref(app.extensions["sentry"])


def _use_sdk(app: Flask, settings: Settings) -> None:
    from .sentry_sdk.names import SdkSentry

    made = SdkSentry(app, settings)
    if settings.reporter == "sentry-sdk":
        # A Sentry that the app made stays where the app's code looks for it.
        app.extensions[CHOSEN] = made
    if isinstance(app.extensions.setdefault("sentry", made), StandIn):
        app.extensions["sentry"] = made
    _watch(app)


def _is_sdk(made: object) -> bool:
    return type(made).__module__.startswith(f"{__package__}.sentry_sdk.")


def _watch(app: Flask) -> None:
    capture = partial(capture_by_current, weakref.ref(app))
    declare_event_id(app)
    watch_escapes(app, capture)
    watch_handlers(app, capture)


class _Nothing:
    """In the place of a ``Sentry`` that could not be made: it has every method and does nothing."""

    def reporter_for(self, app: Flask) -> Reporter:
        return NoReporter()

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **kwargs: None


class StandIn:
    """In the place of an app's ``Sentry`` until it is known which it is. It imports neither client,
    and settles that when anything is asked of it.

    What an earlier process left in the spool is delivered meanwhile, by an outbox that goes with
    it: its thread ends when that is done.
    """

    is_undecided: Final = True

    def __init__(self, app: Flask, settings: Settings, dsn: Dsn | None) -> None:
        self._app = weakref.ref(app)
        self.settings = settings
        self._outbox: Outbox | None = None
        if settings.spool is not None and dsn is not None:
            given: dict[str, Any] = {**transport_options(dsn)}
            self._outbox = make_outbox(**given, spool=settings.spool, destination=dsn.origin)
            self._outbox.resume()
        self.then: Callable[[], object] = lambda: None
        """Called when it is settled."""
        self._reporter = UndecidedReporter(app)
        if settings.logging is not None:
            logging.getLogger().addHandler(_FirstRecord(app, settings.logging.level))

    def reporter_for(self, app: Flask) -> Reporter:
        """A reporter that settles it when it is used."""
        return self._reporter

    def __getattr__(self, name: str) -> Any:
        app = self._app()
        if app is None or name.startswith("__"):
            raise AttributeError(name)
        return getattr(settle(app), name)


class _FirstRecord(logging.Handler):
    """Settles an app's reporter at the first log record, which that then reports: it adds its own
    handler behind this one."""

    def __init__(self, app: Flask, level: int) -> None:
        super().__init__(level)
        self._app = weakref.ref(app)
        weakref.finalize(app, logging.getLogger().removeHandler, self).atexit = False

    @classmethod
    def remove(cls, app: Flask) -> None:
        """Remove that of an app. Not while a record is passed on: the next handler would miss
        it."""
        root = logging.getLogger()
        for handler in list(root.handlers):
            if isinstance(handler, cls) and handler._app() is app:
                root.removeHandler(handler)

    def emit(self, record: logging.LogRecord) -> None:
        app = self._app()
        if app is not None and not record.name.startswith("flask_sentry_kit"):
            settle(app)


class UndecidedReporter:
    """The reporter of an app until it is known which it is: every use settles that."""

    def __init__(self, app: Flask) -> None:
        self._app = weakref.ref(app)

    def _settled(self) -> Reporter:
        app = self._app()
        if app is None:
            return NoReporter()
        return reporter_for(app, settle(app))

    @property
    def name(self) -> str:
        return self._settled().name

    @property
    def dsn(self) -> Dsn | None:
        return self._settled().dsn

    @property
    def switched_off(self) -> bool:
        return self._settled().switched_off

    @property
    def refused(self) -> bool:
        return self._settled().refused

    @property
    def outbox(self) -> Outbox | None:
        return self._settled().outbox

    @property
    def counters(self) -> Counters | None:
        return self._settled().counters

    def use_settings(self, settings: Settings) -> None:
        """Does nothing: the one that is chosen gets them."""

    def capture(
        self, error: BaseException, *, environ: Environ | None = None, handled: bool = False
    ) -> str | None:
        return self._settled().capture(error, environ=environ, handled=handled)

    def recall(self, error: BaseException) -> tuple[bool, str | None]:
        return self._settled().recall(error)

    def facts(self, event_id: str | None) -> EventFacts:
        return self._settled().facts(event_id)

    def shown_url(self, url: str) -> str:
        return self._settled().shown_url(url)

    def holding_back(self) -> AbstractContextManager[object]:
        return self._settled().holding_back()

    def warm_up(self) -> None:
        """Does nothing: it is done when it is settled."""

    def flush(self, timeout: float = 2.0) -> bool:
        return self._settled().flush(timeout)
