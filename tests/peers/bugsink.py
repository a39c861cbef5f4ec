"""Bugsink, from PyPI: an installation of its own, read by its own pages as its superuser sees them.

Set up as its documentation says for one machine (the template ``local``), but that it calls no home
and keeps its files in one folder.
"""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID, uuid4

from tests.browsers.processes import running

from .book import End, Look
from .port import Port
from .waiting import answers, until

BIN = Path(sys.prefix).with_name(Path(sys.prefix).name + "-bugsink") / "bin"
"""Beside the environment that runs this; made by ``make peers``."""
READER = "reader@peers.example"
PASSWORD = "a reader's own"
_MORE = """
BUGSINK["PHONEHOME"] = False
BUGSINK["INGEST_STORE_BASE_DIR"] = {folder!r} + "/ingestion"
DATABASES["default"]["NAME"] = {folder!r} + "/db.sqlite3"
DATABASES["snappea"]["NAME"] = {folder!r} + "/snappea.sqlite3"
"""


class Bugsink:
    """One installation; each setting has a project of its own."""

    name = "bugsink"
    server = "bugsink"
    keeps = End.KEPT
    dialog_keeps = True
    may_have_words_twice = False
    uses = "auto"

    def __init__(self, folder: Path) -> None:
        if not (BIN / "gunicorn").exists():
            raise SystemExit(f"Bugsink is not in {BIN.parent}: `make peers` installs it there")
        self._folder = folder
        self._port = Port()
        self._url = f"http://{self._port.netloc}"
        self._stack = ExitStack()
        self._environment = {
            "HOME": str(folder),
            "PYTHONPATH": str(folder),
            "CREATE_SUPERUSER": f"{READER}:{PASSWORD}",
        }
        self._set_up()
        self.title = f"Bugsink {self._run('bugsink-show-version').strip()}"
        self._token = self._run("bugsink-manage", "create_auth_token").split()[-1]
        self._team = ""
        self._project = 0
        self._browser: urllib.request.OpenerDirector | None = None
        self.dsn = ""
        self.origins = (self._url,)

    def _run(self, command: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(BIN / command), *arguments],
            cwd=self._folder,
            env={**os.environ, **self._environment},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=120,
        )
        return done.stdout

    def _set_up(self) -> None:
        host, port = self._port.netloc.split(":")
        self._run("bugsink-create-conf", "--template=local", f"--host={host}", f"--port={port}")
        with (self._folder / "bugsink_conf.py").open("a") as settings:
            settings.write(_MORE.format(folder=str(self._folder)))
        self._run("bugsink-manage", "migrate", "--verbosity=0")
        self._run("bugsink-manage", "migrate", "snappea", "--database=snappea", "--verbosity=0")
        self._run("bugsink-manage", "prestart")

    def start(self) -> None:
        where = f"--bind=127.0.0.1:{self._port.number}"
        command = (str(BIN / "gunicorn"), where, "--threads=4", "bugsink.wsgi")
        self._stack.enter_context(running(*command, environment=self._environment, tidies=True))
        until(lambda: answers(f"{self._url}/health/ready"), "Bugsink answers", 60)
        if self._project:
            return
        # The first event takes seconds: its code is loaded then.
        self.fresh()
        event = {"event_id": uuid4().hex, "platform": "python", "message": "the first of all"}
        store = f"{self._url}/api/{self._project}/store/?sentry_key={urlsplit(self.dsn).username}"
        first = urllib.request.Request(store, json.dumps(event).encode())
        urllib.request.urlopen(first, timeout=60).close()

    def stop(self) -> None:
        self._stack.close()

    def close(self) -> None:
        self.stop()
        self._port.close()

    def _api(self, path: str, body: object = None) -> Any:
        request = urllib.request.Request(
            f"{self._url}/api/canonical/0/{path}/",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def fresh(self) -> None:
        self._team = self._team or self._api("teams", {"name": "peers"})["id"]
        made = self._api("projects", {"name": f"shop {self._project + 1}", "team": self._team})
        self._project = int(made["id"])
        self.dsn = self._api(f"projects/{self._project}")["dsn"]

    @property
    def digested(self) -> int:
        """How many events of the project are in its database."""
        return int(self._api(f"projects/{self._project}")["digested_event_count"])

    # What its superuser reads

    def list_page(self) -> str:
        """The page that lists the project's issues."""
        return self._page(f"/issues/{self._project}/all/")

    def _page(self, path: str, form: dict[str, str] | None = None) -> str:
        if self._browser is None:
            self._browser = urllib.request.build_opener(
                urllib.request.HTTPCookieProcessor(CookieJar())
            )
            login = self._page("/accounts/login/")
            token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', login)
            assert token, login
            # In: the pages of issues send everybody else to the login.
            user = {"username": READER, "password": PASSWORD, "csrfmiddlewaretoken": token[1]}
            self._page("/accounts/login/", user)
        body = urlencode(form).encode() if form else None
        request = urllib.request.Request(self._url + path, body, {"Referer": self._url})
        with self._browser.open(request, timeout=10) as answer:
            text: str = answer.read().decode()
            return text

    def look(self, crash_id: str) -> Look:
        pages = [self._event(path) for path in _links(self.list_page())]
        crash = next((page for page in pages if f"event_id {UUID(crash_id)}" in page), "")
        # There is no place for a visitor's words, so that they could only stand on the page itself.
        return Look(crash, (crash,), tuple(page for page in pages if page is not crash))

    def _event(self, path: str) -> str:
        return f"{_text(self._page(path))} {_text(self._page(path + 'details/'))}"


def _links(listed: str) -> list[str]:
    """The addresses of the events, one an issue: in a project of one crash there are no more."""
    return sorted(set(re.findall(r'"(/issues/issue/[0-9a-f-]+/event/last/)"', listed)))


def _text(page: str) -> str:
    """What a page says, without its markup."""
    page = re.sub(r"(?s)<(script|style)\b.*?</\1>", "", page)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())
