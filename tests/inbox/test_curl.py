"""The curl command of a request, run by a real shell: it sends that request and does no more."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request

from flask_sentry_kit.inbox.content.reading import clean
from flask_sentry_kit.inbox.pages.curl import curl_of

HOSTILE_TEXTS = [
    "it's", 'a "b" c', "$(touch owned)", "`touch owned`", "a\nb\ntouch owned", "@/etc/passwd",
    "'; touch owned; '", "\\'; touch owned #", "-o owned", "--output=owned", "!! !x", "a&b=c%41+d",
    "~/x", "*", "{a,b}[1-3]", "\u202eabc", "\x1b[201~touch owned\n", "=", "é שלום 🎈",
    "< /etc/passwd", "********", "[Filtered]", "\0",
]  # fmt: skip


@dataclass
class Arrived:
    method: str = ""
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    form: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""


@pytest.fixture
def run(serve: Callable[..., str], tmp_path: Path) -> Callable[[dict[str, Any]], Arrived]:
    """Has a shell run the command of a request, whose address is a path of a recording server."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    arrived: list[Arrived] = []
    app = Flask("recorder")

    @app.route("/", defaults={"path": ""}, methods=["GET", "POST", "PUT", "DELETE", "HEAD"])
    @app.route("/<path:path>", methods=["GET", "POST", "PUT", "DELETE", "HEAD"])
    def record(path: str) -> str:
        body = request.get_data()
        form = [*request.form.items(multi=True)]
        headers = {name.lower(): value for name, value in request.headers}
        arrived.append(Arrived(request.method, request.full_path, headers, form, body))
        return "recorded"

    base = serve(app)

    def start(facts: dict[str, Any]) -> Arrived:
        body = {"request": {**facts, "url": base + facts.get("url", "/pay")}}
        command = curl_of(clean(body)).command
        done = subprocess.run(
            ["sh", "-c", command], cwd=tmp_path, timeout=20, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert not list(tmp_path.iterdir())
        assert len(arrived) == 1
        return arrived.pop()

    return start


FORM = [["Content-Type", "application/x-www-form-urlencoded"]]


def test_hostile_values_are_sent_as_they_are(run: Callable[..., Arrived]) -> None:
    """In a form's names and values, in JSON, in the query: nothing runs, and no file is read."""
    form = {f"{text}{number}": text for number, text in enumerate(HOSTILE_TEXTS)}
    found = run(
        {"method": "POST", "data": form, "headers": FORM, "query_string": {"q": HOSTILE_TEXTS}}
    )
    assert dict(found.form) == form
    sent = run({"method": "PUT", "data": form, "headers": [["Content-Type", "application/json"]]})
    assert (sent.method, json.loads(sent.body)) == ("PUT", form)


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_hostile_text_as_a_body_or_a_header(run: Callable[..., Arrived], text: str) -> None:
    """What a terminal would act on is replaced by a mark; all else arrives."""
    headers = [["X-Text", text], [f"@{text}", "a name"], ["Content-Type", "text/plain"]]
    found = run({"method": "POST", "data": text, "headers": headers, "cookies": {text: text}})
    mark = text.translate(dict.fromkeys((0, 0x1B, 0x202E), "\ufffd"))
    assert found.body.decode() == mark
    shown = found.headers["x-text"].encode("latin-1").decode()
    assert shown == " ".join(mark.split())
    assert "a name" not in found.headers.values()


def test_it_is_the_same_request(run: Callable[..., Arrived]) -> None:
    """Method, address, query and the headers that count; masked values stay visibly masked."""
    headers = [
        ["Accept", "text/html"], ["Sec-Fetch-Mode", "navigate"], ["Content-Length", "999"],
        ["Content-Type", "application/x-www-form-urlencoded"], ["Authorization", "********"],
        ["Accept-Encoding", "gzip"], ["X-Empty", ""], ["Connection", "close"],
    ]  # fmt: skip
    found = run(
        {
            "url": "/a%20b/[x]/{y}/../z", "method": "post", "query_string": "step=2&b[]=1",
            "headers": headers, "cookies": {"theme": "dark", "session": "[Filtered]"},
            "data": {"amount": ["1", "2"], "password": "********"},
        }
    )  # fmt: skip
    assert (found.method, found.url) == ("POST", "/a b/[x]/{y}/../z?step=2&b[]=1")
    assert found.form == [("amount", "1"), ("amount", "2"), ("password", "********")]
    sent = found.headers
    assert sent["cookie"] == "theme=dark; session=[Filtered]"
    assert (sent["authorization"], sent["accept"], sent["x-empty"]) == ("********", "text/html", "")
    assert not {"sec-fetch-mode", "accept-encoding"} & sent.keys()


def test_a_form_with_files_is_sent_as_one(run: Callable[..., Arrived]) -> None:
    """With a boundary of curl's own. What curl cannot say is left out, and said."""
    fields = {f"n{number}": text for number, text in enumerate(HOSTILE_TEXTS) if "\0" not in text}
    kind = [["Content-Type", "multipart/form-data; boundary=x"]]
    found = run({"method": "POST", "data": fields, "headers": kind})
    plain = {
        name: text.replace("\x1b", "\ufffd").replace("\u202e", "\ufffd")
        for name, text in fields.items()
    }
    assert dict(found.form) == plain
    request_ = {"url": "http://a/", "data": {"a=b": "c", "d": "e"}, "headers": kind}
    curl = curl_of({"request": request_})
    assert "d=e" in curl.command and "a=b" not in curl.command
    assert curl.notes == ("curl has no way to send a field with = in its name: some are left out.",)


def test_a_large_body_is_left_out_and_said() -> None:
    """A shell takes 128 KiB in one argument."""
    for data in ("x" * 200_000, {"a": "x" * 200_000}, [["a"] * 100] * 1_000):
        curl = curl_of({"request": {"url": "http://a/", "data": data}})
        assert len(curl.command) < 100
        assert curl.notes == ("The body is left out: it has more than 64,000 characters.",)
    many = {"url": "http://a/", "data": {f"n{number}": "x" for number in range(1_000)}}
    curl = curl_of({"request": {**many, "headers": FORM}})
    assert curl.notes == ("Only the first 200 of 1,000 fields are in it.",)


@pytest.mark.parametrize(
    "url",
    [
        "", None, 7, "javascript:alert(1)", "file:///etc/passwd", "--output=x", "http://",
        "http://[", "/pay", "gopher://a/",
    ],
)  # fmt: skip
def test_only_an_address_of_http_makes_a_command(url: object) -> None:
    """curl reads files and speaks much else."""
    assert curl_of({"request": {"url": url}}).command == ""
