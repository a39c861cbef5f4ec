"""The settings, in the order of the table."""

from __future__ import annotations

from jinja2 import DictLoader

from tests.matrix.shop import OWN_PAGE

from .book import Notice, setting
from .stage import Stage

NAMED = "`SENTRY_KIT_SERVER` names the server"


@setting("nothing in the way", by_dialog=True)
def plain(stage: Stage) -> None:
    stage.crash_and_write(stage.shop())


@setting("JavaScript off")
def no_javascript(stage: Stage) -> None:
    stage.crash_and_write(stage.shop(), java_script_enabled=False)


@setting("the server's host blocked in the browser")
def blocked(stage: Stage) -> None:
    stage.crash_and_write(stage.shop(), block=stage.peer.origins)


@setting("no name and no address")
def anonymous(stage: Stage) -> None:
    stage.crash_and_write(stage.shop(), anonymous=True)


@setting("the server down at the crash, back later", Notice.SAVED)
def down(stage: Stage) -> None:
    stage.peer.stop()
    try:
        stage.crash_and_write(stage.shop())
    finally:
        stage.peer.start()


@setting("a page of one's own, with `sentry_crash()`", by_dialog=True)
def own_page(stage: Stage) -> None:
    app = stage.shop()
    app.jinja_loader = DictLoader({"500.html": OWN_PAGE})
    stage.crash_and_write(app)


@setting(NAMED)
def named(stage: Stage) -> None:
    # By the page's form, which is what the setting is about.
    app = stage.shop(SENTRY_KIT_SERVER=stage.peer.server)
    stage.crash_and_write(app, block=stage.peer.origins)
