"""Holes that were published of Mailpit, which is for mail what this inbox is for crashes.

Each is tried here by its name. The advisories are at https://github.com/axllent/mailpit/security.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page

from flask_sentry_kit.inbox.protocol.body import MAX_WIRE
from flask_sentry_kit.inbox.storage.attachment_table import Attachment
from tests.support.inbox import EVENT_ID, RunningInbox, feedback_item
from tests.support.inbox_routes import deeds, pages
from tests.support.types import NewSentry

EVIL = "https://evil.example"

# What another site's page tries in a browser. Each answer says whether it came to anything.
ATTEMPTS = """async ([inbox, key, event]) => {
  const load = (tag, path) => new Promise((done) => {
    const node = document.createElement(tag);
    node.onload = () => done("loaded");
    node.onerror = () => done("refused");
    node[tag === "link" ? "href" : "src"] = inbox + path;
    if (tag === "link") node.rel = "stylesheet";
    document.body.append(node);
  });
  const said = {};
  said.fetch = await fetch(inbox + "/api/v1/events").then((a) => a.text(), () => "refused");
  said.withPassword = await fetch(inbox + "/api/v1/events", { credentials: "include" })
    .then((a) => a.text(), () => "refused");
  said.stream = await new Promise((done) => {
    const stream = new EventSource(inbox + "/api/v1/stream");
    stream.onopen = () => done("open");
    stream.onerror = () => { stream.close(); done("refused"); };
  });
  said.socket = await new Promise((done) => {
    const socket = new WebSocket(inbox.replace("http", "ws") + "/api/v1/stream");
    socket.onopen = () => done("open");
    socket.onerror = () => done("refused");
  });
  said.script = await load("script", "/inbox/static/inbox.js");
  said.json = await load("script", "/api/v1/events/" + event);
  said.style = await load("link", "/inbox/static/inbox.css");
  said.image = await load("img", "/inbox/static/inbox.svg");
  for (const deed of ["delete", "read"]) {
    const path = inbox + "/crashes/" + key + "/" + deed;
    await fetch(path, { method: "POST", mode: "no-cors", body: "" }).catch(() => 0);
    said["json " + deed] = await fetch(path, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: "{}",
    }).then(() => "done", () => "refused");
    navigator.sendBeacon(path, "");
  }
  said["delete by the API"] = await fetch(inbox + "/api/v1/crashes/" + key, { method: "DELETE" })
    .then(() => "done", () => "refused");
  return said;
}"""


@pytest.mark.parametrize("site", ["localhost", "127.0.0.1"])
def test_another_sites_page_reads_and_changes_nothing(
    served: RunningInbox, serve: Callable[..., str], page: Page, site: str
) -> None:
    """Cross-site WebSocket (CVE-2026-22689), event stream, CSRF and open CORS, in Chromium: from
    another site, and from an app that is developed on another port of this machine."""
    served.store()
    key = served.api("crashes")["crashes"][0]["crash"]
    before = served.api("pulse")
    app = Flask("evil")
    app.add_url_rule("/", view_func=lambda: "<!doctype html><title>evil</title><body>")
    page.goto(serve(app).replace("127.0.0.1", site))
    said = page.evaluate(ATTEMPTS, [served.url, key, EVENT_ID])
    assert set(said.values()) == {"refused"}, said
    # A form's answer would replace the page, so it is sent last.
    with page.expect_navigation():
        page.evaluate(
            """([inbox, key]) => {
              const form = document.createElement("form");
              form.method = "post";
              form.action = inbox + "/crashes/" + key + "/delete";
              document.body.append(form);
              form.submit();
            }""",
            [served.url, key],
        )
    assert "only be done from the inbox" in page.inner_text("main")
    assert served.api("pulse") == before


@pytest.mark.parametrize("path", ["/", "/api/v1/pulse", "/api/v1/stream", "/api/v1%2Fstream"])
@pytest.mark.parametrize("origin", [EVIL, "null", ""])
def test_no_upgrade_is_granted(shared: RunningInbox, path: str, origin: str) -> None:
    """A WebSocket's handshake of another site is 403 in every spelling (GHSA-8r62-w5wh-fc5m)."""
    sent = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Origin": origin,
    }
    connection = http.client.HTTPConnection("127.0.0.1", shared.server.port, timeout=10)
    connection.request("GET", path, headers=sent)
    assert connection.getresponse().status == 403
    connection.close()


def named_everywhere(url: str) -> dict[str, Any]:
    """An event that has an address wherever one can be."""
    frame = {
        name: url for name in ("abs_path", "filename", "module", "function", "context_line")
    } | {"vars": {url: url}, "post_context": [f"//# sourceMappingURL={url}"]}
    return {
        "event_id": EVENT_ID,
        "exception": {"values": [{"type": url, "value": url, "stacktrace": {"frames": [frame]}}]},
        "request": {
            "url": url,
            "headers": [["Referer", url], ["Origin", url], ["Host", url]],
            "data": f'<link rel=stylesheet href="{url}"><img src="{url}">',
        },
        "user": {"id": url, "avatar_url": url, "email": f"<img src={url}>"},
        "message": f"![]({url}) <img src={url}> [a]({url})",
        "logentry": {"message": url},
        "transaction": url,
        "server_name": url,
        "release": url,
        "environment": url,
        "tags": {"url": url, "site": url},
        "extra": {"url": url},
        "contexts": {"trace": {"url": url}, "feedback": {"url": url}},
        "breadcrumbs": [{"type": "http", "category": url, "data": {"url": url}, "message": url}],
        "debug_meta": {"images": [{"debug_file": url, "code_file": url}]},
        "sdk": {"name": url, "packages": [{"name": url}]},
    }


def test_nothing_that_an_event_names_is_fetched(
    served: RunningInbox, new_sentry: NewSentry, page: Page
) -> None:
    """Screenshot proxy (CVE-2026-21859), HTML check (CVE-2026-23845), link check (CVE-2026-27808
    and CVE-2026-55187): neither the inbox nor the browser that shows it asks a named address."""
    outside = new_sentry()
    url = f"http://127.0.0.1:{outside.port}/asked?from=event"
    served.store(named_everywhere(url))
    served.envelope(feedback_item(7, f"<img src={url}> {url}", said={"url": url}))
    served.report(f"<img src='{url}'> ![]({url})")
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url))
    for path in pages(served):
        served.request("GET", f"{path}?url={url}&dsn={url}&src={url}")
    for path in ("/", f"/events/{EVENT_ID}/", "/words/"):
        page.goto(served.url + path)
    for path in (f"/proxy?url={url}", f"/api/v1/events/{EVENT_ID}/link-check"):
        assert served.request("GET", path).status == 404
    for method, path in deeds(served):
        served.request(
            method,
            f"{path}?url={url}&dsn={url}",
            headers={"Origin": served.url, "Content-Type": "application/x-www-form-urlencoded"},
            body=f"url={url}&dsn={url}&to={url}",
        )
    assert len(asked) > 5 and all(one.startswith(served.url) for one in asked)
    assert outside.connections == 0


def bodies() -> dict[str, tuple[str, bytes]]:
    values = b"0," * 2**15
    return {
        "ids": ("application/json", b'{"ids":[' + values + b"0]}"),
        "deep": ("application/json", b"[" * 70_000),
        "fields": ("application/x-www-form-urlencoded", b"a=&" * 2**15),
        "parts": (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 2**11,
        ),
    }


@pytest.mark.parametrize("kind", list(bodies()))
def test_no_address_takes_an_unbounded_body(served: RunningInbox, kind: str) -> None:
    """Unbounded bodies (CVE-2026-45710), and those of the addresses beside the first one that was
    mended (CVE-2026-48824): 64 kB are answered with no 500, and more with 413, not read."""
    served.store()
    content_type, body = bodies()[kind]
    sent = {"Origin": served.url, "Content-Type": content_type}
    for method, path in deeds(served):
        assert served.request(method, path, headers=sent, body=body).status == 413, path
        answer = served.request(method, path, headers=sent, body=body[: 64 * 2**10])
        assert answer.status < 500, (method, path, answer.status)
        too_much = {**sent, "Content-Length": str(MAX_WIRE + 2**21)}
        assert ask(served, method, path, too_much) == 413
    assert served.store(served.event("e" * 32)).status == 200


def ask(served: RunningInbox, method: str, path: str, headers: dict[str, str]) -> int:
    """The status of a request that promises a body and sends none of it."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{served.server.port}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with socket.create_connection(("127.0.0.1", served.server.port), 10) as sock:
        sock.sendall("\r\n".join([*lines, "", ""]).encode())
        return int(sock.recv(12).split()[1])


def test_no_answer_of_ours_can_be_a_script(served: RunningInbox, page: Page) -> None:
    """Stored XSS through a script of one's own origin (Mailpit 1.19.3): what was sent comes back
    with a type that no browser runs, so that "script-src 'self'" means our own files."""
    code = "window.broken = 1"
    served.store({**named_everywhere(code), "event_id": EVENT_ID})
    store = served.server.app.extensions["sentry_kit_inbox"].store
    picture = f"<svg xmlns='http://www.w3.org/2000/svg'><script>{code}</script></svg>"
    store.add_attachments(
        EVENT_ID,
        [
            Attachment("a.js", "text/javascript", code.encode()),
            Attachment("b.svg", "image/svg+xml", picture.encode()),
            Attachment("c.html", "text/html", f"<script>{code}</script>".encode()),
            Attachment("d.png", "image/png", b"\x89PNG\r\n\x1a\n" + code.encode()),
        ],
    )
    files = [f"/events/{EVENT_ID}/attachments/{one.id}" for one in store.attachments(EVENT_ID)]
    assert len(files) == 4
    page.goto(served.url)
    for path in [*pages(served), *files, *(f"/api/v1{path}" for path in files)]:
        answer = served.request("GET", path)
        kind = answer.headers.get("Content-Type", "")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        if "static" not in path:
            assert "script" not in kind and "css" not in kind and "svg" not in kind
        if "attachments" in path and answer.status == 200:
            assert "sandbox" in answer.headers["Content-Security-Policy"]
            assert kind in ("application/octet-stream", "image/png")
        # import() is the one way to load a script that Trusted Types leaves open.
        page.evaluate("(path) => import(path).catch(() => 0)", path)
    assert page.evaluate("window.broken") is None
    # In the page's own scripts too no text becomes markup or a script.
    for attempt in (
        "document.body.innerHTML = '<img src=x onerror=alert(1)>'",
        "document.createElement('script').src = '/x'",
        "new DOMParser().parseFromString('<p>', 'text/html')",
        "trustedTypes.createPolicy('any', {})",
    ):
        with pytest.raises(PlaywrightError, match="Trust|Policy"):
            page.evaluate(f"() => {{ {attempt} }}")


@pytest.mark.parametrize(
    "name",
    [
        "../guard.py",
        "..%2fguard.py",
        "%2e%2e/guard.py",
        "..%5cguard.py",
        "%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2fetc/passwd",
        "/etc/passwd",
        "%00",
        "inbox.css%00.py",
    ],
)
@pytest.mark.parametrize("folder", ["/inbox/static/", "/events/", "/crashes/", "/api/v1/events/"])
def test_no_path_leads_out_of_its_folder(shared: RunningInbox, folder: str, name: str) -> None:
    """Path traversal (GHSA-qx5x-85p8-vg4j), also by an id that a client made up."""
    connection = http.client.HTTPConnection("127.0.0.1", shared.server.port, timeout=10)
    connection.request("GET", folder + name)
    answer = connection.getresponse()
    assert answer.status in (308, 400, 404)
    body = answer.read()
    assert b"root:" not in body and b"import " not in body
    connection.close()


@pytest.mark.parametrize("text", ["a\r\nX-Evil: 1", "a\rX-Evil: 1\x85\u2028"])
def test_no_text_becomes_a_header(served: RunningInbox, text: str) -> None:
    """Header injection (CVE-2026-23829): a line break in a value stays in the value, or is 400."""
    event = {**named_everywhere(text), "event_id": EVENT_ID}
    assert served.store(event).status == 200
    answers = [
        served.request("GET", path, fields={"reference": text, "q": text, "page": text})
        for path in pages(served)
    ]
    answers += [served.error_page("GET", query={"eventId": text, "lang": text, "title": text})]
    answers += [served.store(b"{}", key=json.dumps(text)[1:-1])]
    answers += [served.request("POST", "/api/1/store/", fields={"sentry_key": text})]
    for answer in answers:
        assert answer.status < 500
        assert "X-Evil" not in answer.headers


def test_a_preflight_is_never_agreed_to(served: RunningInbox) -> None:
    """Open CORS: no address but Sentry's lets another site's script send or read."""
    served.store()
    sent = {"Origin": EVIL, "Access-Control-Request-Method": "DELETE"}
    for path in [*pages(served), *(path for _, path in deeds(served))]:
        for method in ("OPTIONS", "GET", "POST"):
            answer = served.request(method, path, headers=sent)
            assert answer.status == 403
            assert not [name for name in answer.headers if name.startswith("Access-Control-")]
