"""What a setting is played on: a shop that reports to one server, a visitor with a browser, and the
reader of that server."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from flask import Flask
from playwright.sync_api import Browser

from tests.matrix.book import Lost
from tests.matrix.shop import Quiet, make_shop
from tests.matrix.visitor import Words
from tests.support.serving import serving

from .book import End, Look, Notice, Peer, Setting, Verdict, judge
from .visitor import Writer

PATIENCE = 3.0
"""Seconds for the server to show what it has taken."""


@dataclass(frozen=True)
class Written:
    """What one visitor wrote about one crash."""

    mark: str
    crash_id: str
    words: Words
    sentence: str
    """What the page said last."""
    road: str
    """Through which form they were sent: ``"dialog"`` or ``"form"``."""


class Stage:
    """One setting's world, on one server.

    :param browser: shared; each setting has a context of its own.
    """

    def __init__(self, peer: Peer, browser: Browser, stack: ExitStack) -> None:
        self.peer = peer
        self.written: Written | None = None
        self._browser = browser
        self._stack = stack
        self._shops: list[Flask] = []

    def shop(self, **config: Any) -> Flask:
        """A shop with the kit; keywords are the app's settings."""
        config = {"SENTRY_KIT_SERVER": self.peer.uses, **config}
        app = make_shop("kit", self.peer.dsn, **config)
        self._shops.append(app)
        return app

    def crash_and_write(
        self,
        app: Flask,
        *,
        anonymous: bool = False,
        block: tuple[str, ...] = (),
        **options: Any,
    ) -> None:
        """Crash, write, send, and remember what the page said.

        :param block: origins that the browser asks nothing of.
        :param options: of the browser context.
        """
        address = (
            f"http://127.0.0.1:{self._stack.enter_context(serving(app, request_handler=Quiet))}"
        )
        context = self._browser.new_context(ignore_https_errors=True, **options)
        self._stack.callback(context.close)
        context.set_default_timeout(10_000)
        for origin in block:
            context.route(f"{origin}/**", lambda route: route.abort("blockedbyclient"))
        mark = secrets.token_hex(8)
        page = context.new_page()
        answer = page.goto(f"{address}/crash/{mark}")
        assert answer is not None
        writer = Writer(page)
        words = Words.new(name="", email="") if anonymous else Words.new()
        writer.write(words)
        writer.send_until_answered(words)
        crash_id = answer.header_value("x-sentry-id") or ""
        self.written = Written(mark, crash_id, words, writer.sentence, writer.road)

    def look(self) -> tuple[End, list[str]]:
        """Have all that waits sent, and judge what a reader sees then."""
        for app in self._shops:
            app.extensions["sentry"].flush(10)
        assert self.written is not None
        one, deadline = self.written, time.monotonic() + PATIENCE
        while True:
            look = self.peer.look(one.crash_id) if one.crash_id else Look()
            notice, twice = Notice.read(one.sentence), self.peer.may_have_words_twice
            end, faults = judge(one.words, notice, look, one.crash_id, one.mark, twice)
            if (end in (End.READ, End.KEPT) and not faults) or time.monotonic() > deadline:
                return end, faults
            time.sleep(0.1)


@contextmanager
def stage(peer: Peer, browser: Browser) -> Iterator[Stage]:
    """A stage, and the end of everything on it but the server."""
    with ExitStack() as stack:
        yield Stage(peer, browser, stack)


def play(setting: Setting, peer: Peer, browser: Browser) -> Verdict:
    """Play one setting on one server that is up."""
    began = time.monotonic()
    peer.fresh()
    with stage(peer, browser) as on:
        try:
            setting.play(on)
            end, faults = on.look()
            notice = Notice.read(on.written.sentence) if on.written else Notice.NOTHING
        except Lost as lost:
            end, faults, notice = End.LOST, [str(lost)], Notice.NOTHING
    by_dialog = on.written is not None and on.written.road == "dialog"
    if end is End.LIE and by_dialog and setting.by_dialog and not peer.dialog_keeps:
        end = End.ITS_DIALOG
    if end in (End.READ, End.KEPT) and notice not in setting.notices:
        faults.append(f"the page said {notice.value!r}")
    if end is End.KEPT and peer.keeps is End.READ:
        faults.append("the words are not beside the crash, where this server could show them")
    return Verdict(setting.title, peer.name, end, notice, tuple(faults), time.monotonic() - began)
