"""What a setting is played on: a shop, an inbox on another host name, a visitor, and the judge.

The judge is the inbox's read API alone. Nothing that a page says counts.
"""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Route
from playwright.sync_api import Request as BrowserRequest
from playwright.sync_api import TimeoutError as Timeout
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from flask_sentry_kit.dsn import ERROR_PAGE_PATH
from flask_sentry_kit.inbox import InboxServer, create_inbox
from tests.support.certificates import Certificates
from tests.support.serving import serving

from .book import WORDS_ALONE, Lost
from .sentry_dialog import dialog_script
from .shop import ON_SDK, ROOT, Quiet, Who, make_shop
from .tls import tls_proxy
from .visitor import PATIENCE, Hand, Tab, Words


class Sentry:
    """An inbox on ``localhost``; the shops are on ``127.0.0.1``, so to them it is another site.

    Its port stays its own while it is down.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._stack = stack
        self._reserved = stack.enter_context(socket.socket())
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self.port = self._reserved.getsockname()[1]
        self._folder = folder
        self._hanging: socket.socket | None = None
        self._running: tuple[InboxServer, threading.Thread] | None = None
        self.origin = f"http://localhost:{self.port}"
        self.dsn = f"http://public:hidden@localhost:{self.port}/1"
        self.allowed_origins: tuple[str, ...] = ("*",)
        self.insists = True
        """Whether its dialog wants name and address, as Sentry's does; else it is the inbox's."""
        self.allows_cors = True
        """Whether any page may load the dialog's script by CORS: Sentry from 23.7 on."""
        self.refuses_dialog: HTTPStatus | None = None
        """With what it answers the form of its own dialog; apps are answered as always."""

    def start(self) -> None:
        if self._hanging:
            self._hanging.close()
        app = create_inbox(
            self._folder / "inbox.sqlite",
            public_key="public",
            allowed_origins=self.allowed_origins,
        )
        app.wsgi_app = partial(self._insist, app.wsgi_app)  # type: ignore[method-assign]  # as usual
        server = InboxServer(app, "127.0.0.1", self.port)
        thread = threading.Thread(target=server.run)
        thread.start()
        self._running = server, thread

    def _insist(self, inbox: Any, environ: Any, start_response: Any) -> Any:
        """Answer as the inbox does, but with a dialog like Sentry's."""
        request = Request(environ)
        if request.path != ERROR_PAGE_PATH or not self.insists:
            return inbox(environ, start_response)
        # Every browser sends this header, and no app's server.
        if request.method == "POST" and "Sec-Fetch-Mode" in request.headers and self.refuses_dialog:
            return Response("{}", self.refuses_dialog)(environ, start_response)
        response = Response.from_app(inbox, environ)
        if (request.method, response.status_code) == ("GET", 200):
            response.set_data(dialog_script(f"{self.origin}{request.full_path}", request.args))
            response.headers.remove("Cross-Origin-Resource-Policy")
            if not self.allows_cors:
                response.headers.remove("Access-Control-Allow-Origin")
        return response(environ, start_response)

    def behind_ingest_host(self) -> None:
        """Have the DSN name a host that takes events and redirects all else, as sentry.io's do."""

        def ingest(environ: Any, start_response: Any) -> Any:
            if environ["PATH_INFO"] != ERROR_PAGE_PATH and self._running:
                return self._running[0].app(environ, start_response)
            place = f"{self.origin}{environ['PATH_INFO']}?{environ['QUERY_STRING']}"
            answer = redirect(place)
            # The script of @sentry/browser's dialog asks by CORS, and has got past the redirect
            # (getsentry/sentry-javascript issue 14112).
            answer.access_control_allow_origin = "*"
            return answer(environ, start_response)

        served = serving(ingest, request_handler=Quiet)
        self.dsn = f"http://public:hidden@localhost:{self._stack.enter_context(served)}/1"

    @cached_property
    def certificates(self) -> Certificates:
        return Certificates(self._folder)

    def behind_tls(self) -> None:
        """Have it at an https address, with a certificate that shops trust."""
        context = self.certificates.context("localhost")
        self.origin = self._stack.enter_context(tls_proxy(self.origin, context, "localhost"))
        host = self.origin.removeprefix("https://")
        self.dsn = f"https://public:hidden@{host}/1?ca_certs={self.certificates.ca}"

    def hang(self) -> None:
        """Be there and answer nobody, until ``start``."""
        self._hanging = socket.create_server(("127.0.0.1", self.port))
        self._stack.callback(self._hanging.close)

    def stop(self) -> None:
        """Go down: connections are refused."""
        if self._running is None:
            return
        server, thread = self._running
        self._running = None
        server.stop()
        thread.join()

    def read(self, path: str) -> Any:
        with urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}", timeout=10) as answer:
            return json.load(answer)

    def events(self) -> list[dict[str, Any]]:
        """Every event that is here, each with its report."""
        found = self.read("events?limit=1000")["events"]
        return [self.read(f"events/{one['event_id']}") for one in found]


@dataclass(frozen=True)
class Crash:
    """One crash of the visitor's, and the tab in which it happened."""

    mark: str
    tab: Tab


class Stage:
    """One setting's world, for one of the columns.

    :param who: whose column.
    :param browser: shared; each setting has contexts of its own.
    """

    def __init__(self, who: Who, browser: Browser, folder: Path, stack: ExitStack) -> None:
        self.who = who
        self.road = ""
        self._browser = browser
        self._folder = folder
        self._stack = stack
        self._shops: list[Flask] = []
        self.sentry = Sentry(folder, stack)
        stack.callback(self.sentry.stop)
        if who in ON_SDK:
            stack.callback(_close_sdk)

    def shop(self, **how: Any) -> Flask:
        """A shop of this column's kind; keywords are ``make_shop``'s."""
        app = make_shop(self.who, self.sentry.dsn, **how)
        self._shops.append(app)
        return app

    def serve(self, app: Any, port: int = 0, host: str = "127.0.0.1") -> str:
        """Serve a WSGI app; returns its address without a slash."""
        served = serving(app, port=port, request_handler=Quiet)
        return f"http://{host}:{self._stack.enter_context(served)}"

    def tls(self, address: str) -> str:
        """Put a proxy that ends TLS before an address; returns the proxy's."""
        context = self.sentry.certificates.context("127.0.0.1")
        return self._stack.enter_context(tls_proxy(address, context))

    def visitor(self, hand: Hand = Hand.MOUSE, *, block: str = "", **options: Any) -> Visitor:
        """Somebody with a browser.

        :param block: no request whose address matches this pattern leaves the browser; in place
            of a pattern ``"fetch"``, for whatever scripts send.
        :param options: of the browser context.
        """
        context = self._browser.new_context(**options)
        self._stack.callback(context.close)
        context.set_default_timeout(10_000)
        if block == "fetch":
            context.route("**", _stop_fetches)
        elif block:
            context.route(block, lambda route: route.abort("blockedbyclient"))
        return Visitor(self, context, hand)

    @property
    def blocked_host(self) -> str:
        """The pattern of everything at Sentry's host."""
        return f"{self.sentry.origin}/**"

    @contextmanager
    def worker(self) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
        """The shop in a process of its own, with a spool; killed at the end if not before."""
        spool = self._folder / "spool.sqlite"
        arguments = [self.who, self.sentry.dsn, str(spool)]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.matrix.shop", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            assert process.stdout
            yield f"http://127.0.0.1:{int(process.stdout.readline())}", process
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()

    def retry_until(self) -> None:
        """Have what waits tried now: the kit's own clock may be seconds from its next attempt.

        The recipes have nothing that waits.
        """
        for app in self._shops:
            flush = getattr(app.extensions.get("sentry"), "flush", None)
            if flush:
                flush(10)

    def judge(self, crash: Crash, words: Words, kind: str = "Broken") -> None:
        """Whether the crash's event is in the inbox, and the words are that event's: a report on
        it, or where the server refuses one, an event of their own that names it.

        :param kind: the type of the exception that is the crash.
        :raises Lost: not within ``PATIENCE``; says what was there instead.
        """
        self.retry_until()
        deadline = time.monotonic() + PATIENCE
        while True:
            events = self.sentry.events()
            mine = [one for one in events if _is_of(one["event"], crash.mark, kind)]
            tied = [one for one in mine if words.are(one["latest_words"])]
            reports = self.sentry.read("words")["words"]
            ids = {one["event_id"] for one in mine}
            own = [one for one in events if _names(one["event"], ids, words)]
            reported = sum(words.are(report) for report in reports)
            if len(tied) + len(own) == reported + len(own) == 1:
                self.road = crash.tab.road
                return
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        said = any(words.are(report) for report in reports)
        if mine:
            raise Lost(f"event, {'words not tied to it' if said else 'no words'}")
        raise Lost(WORDS_ALONE if said else "no event, no words")

    def crash_and_write(
        self,
        app: Any,
        path: str = "/crash/{}",
        *,
        kind: str = "Broken",
        visitor: Visitor | None = None,
    ) -> None:
        """The common course: crash, write, send, judge.

        :param app: a shop, or the address of one.
        """
        visitor = visitor or self.visitor()
        crash = visitor.crash(app if isinstance(app, str) else self.serve(app), path)
        words = Words.new()
        crash.tab.write(words)
        crash.tab.send(words)
        self.judge(crash, words, kind)


class Visitor:
    """Somebody with a browser. Each crash opens a tab."""

    def __init__(self, stage: Stage, context: BrowserContext, hand: Hand) -> None:
        self._stage = stage
        self._context = context
        self._hand = hand

    def crash(self, address: str, path: str = "/crash/{}", *, press: str = "") -> Crash:
        """Open a page that crashes, or press a button of a page, which does."""
        mark = secrets.token_hex(8)
        page = self._context.new_page()
        tab = Tab(page, self._hand)
        page.goto(address + path.format(mark), wait_until="domcontentloaded")
        if press:
            page.get_by_role("button", name=press).click()
        try:
            # A script that hangs holds this up; a person would look at the page all the same.
            page.wait_for_load_state("load", timeout=PATIENCE * 1000)
        except Timeout:
            pass
        return Crash(mark, tab)


def _stop_fetches(route: Route, request: BrowserRequest) -> None:
    if request.resource_type in ("fetch", "xhr"):
        route.abort("blockedbyclient")
    else:
        route.continue_()


def _names(event: Any, ids: set[str], words: Words) -> bool:
    """Whether an event holds the words, and names a crash."""
    tags = dict(event.get("tags") or {})
    return words.comments in str(event.get("message")) and tags.get("crash.event_id") in ids


def _is_of(event: dict[str, Any], mark: str, kind: str) -> bool:
    """Whether this event is the crash's own, and not one about what broke after it."""
    values = (event.get("exception") or {}).get("values") or [{}]
    request = event.get("request") or {}
    said = f"{values[-1].get('value')} {request.get('url')}"
    return values[-1].get("type") == kind and mark in said


def _close_sdk() -> None:
    """Forget sentry-sdk's client, if there is one: the next stage has another."""
    import sentry_sdk

    sentry_sdk.get_client().close(timeout=0)
    sentry_sdk.Scope.get_global_scope().set_client(None)


@contextmanager
def stage(who: Who, browser: Browser) -> Iterator[Stage]:
    """A stage, and the end of everything on it."""
    folder = Path(tempfile.mkdtemp(prefix="matrix-"))
    try:
        with ExitStack() as stack:
            yield Stage(who, browser, folder, stack)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
