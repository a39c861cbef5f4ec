"""An inbox that runs, and what tests do with it over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3

from flask_sentry_kit.inbox import InboxServer, create_inbox

EVENT_ID = "0123456789abcdef0123456789abcdef"


def feedback_item(
    number: int, words: object, about: object = EVENT_ID, **more: Any
) -> dict[str, Any]:
    """A ``feedback`` item as the specification has it; ``said`` goes to its context."""
    said = {"message": words, "associated_event_id": about, **more.pop("said", {})}
    return {"event_id": f"{number:032x}", "contexts": {"feedback": said}, **more}


class RunningInbox:
    """One running inbox, and the few things every test does with it."""

    def __init__(self, server: InboxServer, http: urllib3.PoolManager) -> None:
        self.server, self.http = server, http
        self.url, self.dsn = server.url, server.dsn
        self.key = server.dsn.partition("//")[2].partition("@")[0]
        self.event_id = EVENT_ID

    def request(self, method: str, path: str, **how: Any) -> urllib3.BaseHTTPResponse:
        return self.http.request(method, self.url + path, redirect=False, **how)

    def store(
        self,
        body: object = None,
        *,
        project: str = "1",
        key: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """POST to ``/store/`` as raven does."""
        auth = f"Sentry sentry_version=6, sentry_key={key or self.key}, sentry_client=test/1"
        data = body if isinstance(body, bytes) else json.dumps(body or self.event()).encode()
        return self.request(
            "POST",
            f"/api/{project}/store/",
            body=data,
            headers={"X-Sentry-Auth": auth, **(headers or {})},
        )

    def event(self, event_id: str = EVENT_ID, kind: str = "ValueError", **more: Any) -> Any:
        """A small event of raven's shape."""
        frames = [
            {
                "module": "flask.app",
                "filename": "flask/app.py",
                "function": "dispatch_request",
                "lineno": 902,
                "in_app": False,
                "context_line": "        return view()",
            },
            {
                "module": "shop.cart",
                "filename": "shop/cart.py",
                "function": "total",
                "lineno": 19,
                "in_app": True,
                "pre_context": ["def total(cart):"],
                "context_line": "    return cart['sum']",
                "post_context": [""],
                "vars": {"cart": {"'items'": "3"}},
            },
        ]
        failure = {"type": kind, "value": "no sum", "stacktrace": {"frames": frames}}
        return {"event_id": event_id, "exception": {"values": [failure]}, **more}

    def envelope(self, *items: object, kind: str = "feedback") -> Any:
        """Send items of one type in one envelope, as JSON or as the text given. Returns the
        answer's JSON."""
        lines: list[object] = [{"dsn": self.dsn, "event_id": f"{99:032x}"}]
        for item in items:
            lines += [{"type": kind}, item]
        body = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines)
        answer = self.request("POST", "/api/1/envelope/", body=body.encode())
        assert answer.status == 200
        return answer.json()

    def error_page(self, method: str, **how: Any) -> urllib3.BaseHTTPResponse:
        """Ask the dialog's address; ``query`` changes its arguments, None leaves one out."""
        query = {"eventId": EVENT_ID, "dsn": self.dsn, **how.pop("query", {})}
        given = {name: value for name, value in query.items() if value is not None}
        return self.request(method, f"/api/embed/error-page/?{urlencode(given)}", **how)

    def report(
        self, words: str = "I pressed pay", event_id: str = EVENT_ID, name: str = "Ann"
    ) -> urllib3.BaseHTTPResponse:
        return self.error_page(
            "POST",
            query={"eventId": event_id},
            body=urlencode({"name": name, "email": "ann@shop.example", "comments": words}),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )

    def api(self, path: str) -> Any:
        answer = self.request("GET", f"/api/v1/{path}")
        assert answer.status == 200
        return answer.json()


@contextmanager
def running(folder: Path) -> Iterator[Callable[..., RunningInbox]]:
    """Start inboxes in a folder; keywords are `create_inbox`'s. They are stopped at the end."""
    started: list[tuple[InboxServer, threading.Thread]] = []
    http = urllib3.PoolManager(timeout=10, retries=False)

    def start(**options: Any) -> RunningInbox:
        app = create_inbox(folder / f"inbox-{len(started)}.sqlite", **options)
        server = InboxServer(app)
        thread = threading.Thread(target=server.run)
        thread.start()
        started.append((server, thread))
        return RunningInbox(server, http)

    try:
        yield start
    finally:
        http.clear()
        for server, thread in started:
            server.stop()
            thread.join(10)
            assert not thread.is_alive()
