"""P: what loses the page, because the reporter's own code raises while the app crashes."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .book import row
from .rig import Rig, errors, expect

# Breadcrumbs are on by default in raven; ours has them where they are asked for.
CRUMBS = {"enable_breadcrumbs": True}


@row("P1", "an unhashable exception", seen="page lost")
def unhashable(sentry_class: Any, rig: Rig) -> None:
    """An exception that cannot be hashed gets its page and its event."""

    @dataclass
    class OutOfStock(Exception):
        item: str

    def view() -> None:
        raise OutOfStock("lamp")

    app, sentry = rig.crashing(sentry_class, view)
    event = rig.crash(sentry, app)
    # sentry-sdk gives the whole path of a class.
    expect(errors(event)[-1][0].endswith("OutOfStock"), errors(event))


def _adapter() -> None:
    logging.LoggerAdapter(logging.getLogger("shop"), None).warning("about to fail")


def _no_extra() -> None:
    logging.getLogger("shop").info("about to fail", extra=None)


def _odd_keys() -> None:
    logging.getLogger("shop").debug("%s", {(1, 2): 3})


@row("P2a", "LoggerAdapter(logger, None)", _adapter, seen="page lost")
@row("P2b", "logger.info(…, extra=None)", _no_extra, seen="page lost")
@row("P2c", "a disabled debug() with odd dict keys", _odd_keys, seen="page lost")
def odd_logging(sentry_class: Any, rig: Rig, say: Callable[[], None]) -> None:
    """What the app logs before it crashes cannot cost the visitor the page."""

    def view() -> None:
        say()
        raise KeyError("lamp")

    app, sentry = rig.crashing(sentry_class, view, SENTRY_CONFIG=CRUMBS)
    rig.crash(sentry, app)


@row("P2d", "… and the page of every later crash", seen="page lost")
def odd_logging_later(sentry_class: Any, rig: Rig) -> None:
    """What one request logged has no say in the crash of the next."""

    def view() -> None:
        _odd_keys()
        raise KeyError("lamp")

    app, sentry = rig.crashing(sentry_class, view, SENTRY_CONFIG=CRUMBS)
    app.add_url_rule("/other", "other", lambda: str(1 / 0))
    rig.visit(app)
    visit = rig.visit(app, "/other")
    expect(visit.page, f"page lost: {visit}")
    events = rig.settle(sentry, app)
    expect(visit.id in [event["event_id"] for event in events], f"no event {visit.id}")


def _raises(error: type[BaseException]) -> Callable[[object], str]:
    def method(self: object) -> str:
        raise error

    return method


@row("P3a", "str(error) raises SystemExit", "__str__", SystemExit, seen="page lost")
@row("P3b", "str(error) raises KeyboardInterrupt", "__str__", KeyboardInterrupt, seen="page lost")
@row("P3c", "repr(error) raises SystemExit", "__repr__", SystemExit, seen="page lost")
def hostile_error(sentry_class: Any, rig: Rig, name: str, error: type[BaseException]) -> None:
    """An exception that cannot be printed, whatever printing it raises, gets page and event."""
    hostile = type("Hostile", (Exception,), {name: _raises(error)})

    def view() -> None:
        try:
            raise hostile
        except Exception as caught:  # a local of the frame, so that it is printed too
            kept = caught
            raise kept from None

    app, sentry = rig.crashing(sentry_class, view)
    event = rig.crash(sentry, app)
    expect(errors(event)[-1][0] == "Hostile", errors(event))


@row("P3d", "repr(local) raises SystemExit", SystemExit, seen="page lost")
@row("P3e", "repr(local) raises KeyboardInterrupt", KeyboardInterrupt, seen="page lost")
def hostile_local(sentry_class: Any, rig: Rig, error: type[BaseException]) -> None:
    """A local that cannot be printed is left out, and nothing else."""
    hostile = type("Hostile", (), {"__repr__": _raises(error)})

    def view() -> None:
        basket = hostile()
        raise KeyError(basket is None)

    app, sentry = rig.crashing(sentry_class, view)
    rig.crash(sentry, app)


@row("P3f", "a class whose __name__ is no str", seen="page lost")
def odd_class_name(sentry_class: Any, rig: Rig) -> None:
    """An exception whose class has no proper name gets its page and its event."""

    class Odd(type):
        @property
        def __name__(cls) -> Any:  # type: ignore[override]  # that is what is odd about it
            return ["no", "name"]

    class Nameless(Exception, metaclass=Odd):
        pass

    def view() -> None:
        raise Nameless("gone")

    app, sentry = rig.crashing(sentry_class, view)
    rig.crash(sentry, app)


@row("P4a", "an include_paths module whose import raises", seen="page lost")
def broken_include_path(sentry_class: Any, rig: Rig) -> None:
    """A module named in include_paths is only a name: that it cannot be imported harms nothing."""
    folder = rig.folder()
    (folder / "brokenparts.py").write_text("raise RuntimeError('no database here')\n")
    sys.path.insert(0, str(folder))

    def view() -> None:
        raise KeyError("lamp")

    app, sentry = rig.crashing(sentry_class, view, SENTRY_CONFIG={"include_paths": ["brokenparts"]})
    rig.crash(sentry, app)


@row("P4b", "the app's module is imported again", "imported", seen="imported, version")
@row("P4c", "the app's version() is called", "version", seen="imported, version")
def app_code_run(sentry_class: Any, rig: Rig, what: str) -> None:
    """A crash runs no code of the app's: no import, no version()."""
    folder = rig.folder()
    # As with `python partshop.py`: the app's module is __main__, not yet known by its name.
    (folder / "partshop.py").write_text(
        "import builtins\n"
        "builtins.ran = ['imported']\n"
        "def version():\n"
        "    builtins.ran.append('version')\n"
        "    return '1.0'\n"
    )
    sys.path.insert(0, str(folder))
    import builtins

    def view() -> None:
        raise KeyError("lamp")

    app, sentry = rig.crashing(sentry_class, view, SENTRY_INCLUDE_PATHS=["partshop"])
    rig.crash(sentry, app)
    ran = getattr(builtins, "ran", [])
    expect(what not in ran, f"ran: {', '.join(ran)}")


@row("P5a", "-W error: the page", "page", seen="page lost")
@row("P5b", "-W error: the event", "event", seen="no event")
def warnings_are_errors(sentry_class: Any, rig: Rig, what: str) -> None:
    """With ``-W error`` the reporter raises no warning of its own: page and event both arrive."""

    def view() -> None:
        raise KeyError("lamp")

    app, sentry = rig.crashing(sentry_class, view)
    rig.visit(app, "/nowhere")  # the server's own first-request work is done before
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        visit = rig.visit(app)
    if what == "page":
        expect(visit.page, f"page lost: {visit.status}")
    events = rig.settle(sentry, app)
    expect(len(events) == 1, f"no event: {len(events)}")
