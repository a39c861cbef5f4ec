"""The kit's own inbox as one more server."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from flask_sentry_kit.inbox import InboxServer, create_inbox

from .book import End, Look
from .port import Port


class Inbox:
    """Read by its own read API."""

    name = "inbox"
    title = "the kit's inbox"
    server = ""
    keeps = End.READ
    dialog_keeps = True
    may_have_words_twice = False
    uses = "auto"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = Port()
        self._number = 0
        self._running: tuple[InboxServer, threading.Thread] | None = None
        self.dsn = f"http://public:hidden@{self._port.netloc}/1"
        self.origins = (f"http://{self._port.netloc}",)

    def start(self) -> None:
        database = self._folder / f"inbox-{self._number}.sqlite"
        server = InboxServer(
            create_inbox(database, public_key="public", allowed_origins=("*",)),
            "127.0.0.1",
            self._port.number,
        )
        thread = threading.Thread(target=server.run)
        thread.start()
        self._running = server, thread

    def stop(self) -> None:
        if self._running:
            server, thread = self._running
            self._running = None
            server.stop()
            thread.join()

    def close(self) -> None:
        self.stop()
        self._port.close()

    def fresh(self) -> None:
        self.stop()
        self._number += 1
        self.start()

    def _read(self, path: str) -> Any:
        with urlopen(f"{self.origins[0]}/api/v1/{path}", timeout=10) as answer:
            return json.load(answer)

    def look(self, crash_id: str) -> Look:
        crash, beside, others = "", [], []
        for listed in self._read("events?limit=1000")["events"]:
            found = self._read(f"events/{listed['event_id']}")
            page = json.dumps(found["event"], ensure_ascii=False)
            if listed["event_id"] == crash_id:
                crash = page
            else:
                others.append(page)
        for report in self._read("words")["words"]:
            if report["event_id"] == crash_id:
                beside.append(json.dumps(report, ensure_ascii=False))
        return Look(crash, tuple(beside), tuple(others))
