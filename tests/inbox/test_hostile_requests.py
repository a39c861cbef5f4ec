"""Requests and events that no client sends: each is a 4xx or an entry that can be read, never a 500
and never a script."""

from __future__ import annotations

import gzip
import json
import logging
import re
import socket
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.inbox import EVENT_ID, RunningInbox, running
from tests.support.inbox_routes import pages

MARKUP = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


@pytest.fixture(autouse=True)
def no_traceback(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No exception got as far as Flask."""
    caplog.set_level(logging.ERROR)
    yield
    assert not [record for record in caplog.records if record.exc_info]


def talk(served: RunningInbox, sent: bytes, *, half_close: bool = True) -> list[int]:
    """Send bytes as they are, and read until the server closes. Returns the answers' statuses."""
    with socket.create_connection(("127.0.0.1", served.server.port), 15) as sock:
        try:
            sock.sendall(sent)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was refused before all was sent
        got = b""
        try:
            while data := sock.recv(65_536):
                got += data
        except ConnectionError:
            pass
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", got)]


HOST = b"Host: localhost\r\n"
POST = b"POST /api/1/store/ HTTP/1.1\r\n" + HOST

REQUESTS = {
    "10,000 headers": b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 10_000 + b"\r\n",
    "10,000 cookies": b"GET / HTTP/1.1\r\n" + HOST + b"Cookie: a=b; \r\n" * 4_000 + b"\r\n",
    "endless header": b"GET / HTTP/1.1\r\nX: " + b"a" * 2**20,
    "endless line": b"GET /" + b"a" * 2**20,
    "endless chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 2**20,
    "endless chunks": POST
    + b"Transfer-Encoding: chunked\r\n\r\n"
    + b"10000\r\n%s\r\n" % (b"a" * 65_536) * 400,
    "no chunk": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    "negative chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\na\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    "length and chunks": POST
    + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    "negative length": POST + b"Content-Length: -1\r\n\r\n{}",
    "huge length": POST + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n{}",
    "no length": POST + b"Content-Length: x\r\n\r\n{}",
    "odd coding": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "odd version": b"GET / HTTP/9.9\r\n" + HOST + b"\r\n",
    "odd method": b"G\0T / HTTP/1.1\r\n" + HOST + b"\r\n",
    "long method": b"A" * 5_000 + b" / HTTP/1.1\r\n" + HOST + b"\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: localhost\n\n",
    "folded header": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\n" + HOST + b"nothing\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\n" + HOST + b"Host: evil.example\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "no host at all": b"GET / HTTP/1.0\r\n\r\n",
    "absolute": b"GET http://evil.example/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    "connect": b"CONNECT evil.example:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    "trace": b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n",
    "not ASCII": b"GET /\xff\xfe?\xff=\xfe HTTP/1.1\r\n" + HOST + b"X: \xff\r\n\r\n",
    "percent": b"GET /%ff%00%?reference=%zz%ff%00 HTTP/1.1\r\n" + HOST + b"\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 512,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "nothing": b"",
    "line breaks": b"\r\n" * 5_000,
    "zeros": b"\0" * 100_000,
}


@pytest.mark.parametrize("name", REQUESTS)
def test_no_request_is_a_500(shared: RunningInbox, name: str) -> None:
    """Whatever comes over a connection that is then half closed is answered with less than 500, or
    the connection ends."""
    assert all(status < 500 or status in (501, 505) for status in talk(shared, REQUESTS[name]))
    assert shared.request("GET", "/").status == 200


@pytest.mark.parametrize("name", ["two hosts", "length and chunks", "two lengths", "odd coding"])
def test_no_request_has_two_meanings(shared: RunningInbox, name: str) -> None:
    """What a proxy in front may read in another way is refused, and nothing behind it is read."""
    sent = REQUESTS[name].replace(HOST, HOST + b"Connection: close\r\n")
    statuses = talk(shared, sent, half_close=False)
    assert len(statuses) == 1 and 400 <= statuses[0] < 600


def test_pipelined_requests_are_answered_in_order(shared: RunningInbox) -> None:
    """Each for itself, a bad one among them ending the connection."""
    good, bad = b"GET /nothing HTTP/1.1\r\n" + HOST + b"\r\n", b"GET\r\n\r\n"
    last = b"GET / HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n"
    assert talk(shared, good * 50 + last, half_close=False) == [404] * 50 + [200]
    assert talk(shared, good * 3 + bad + good, half_close=False) == [404] * 3 + [400]


NUMBERS = (
    "1e308 -1e308 1e999 -1e999 NaN Infinity -0 -0.0 5e-324 1e-999 253402300800 -1 -1e18".split()
)
NUMBERS += ["9" * 40, "9" * 5_000, "-" + "9" * 400, "1" + "0" * 18, "18446744073709551616"]
TIMES = [
    "9999999-01-01T00:00:00Z",
    "-0001-01-01T00:00:00",
    "2026-99-99T99:99:99",
    "",
    "\\u0000",
    "x",
]


def odd_bodies() -> dict[str, bytes]:
    """JSON of events that have something strange wherever an event has something."""
    values = {f"number {number[:12]}": number for number in NUMBERS}
    values |= {f"time {time[:12]}": f'"{time}"' for time in TIMES}
    values |= {
        "markup": json.dumps(MARKUP),
        "NUL": '"a\\u0000b"',
        "half surrogate": '"\\ud800 \\udfff\\ud800"',
        "bidi": '"\\u202e\\u2066\\u200f"',
        "line separators": '"a\\u2028b\\u2029c\\u0085d"',
        "control signs": '"\\u001b[31m\\u0007\\u009b"',
        "no sign": '"\\uffff\\ufffe"',
        "null": "null",
        "true": "true",
        "lists": "[[],[[]],null,[null]]",
        "objects": '{"":{"":{}},"values":null}',
        "values": '{"values":{"values":[null,1,"x",[]]}}',
        "deep": "[" * 150 + "]" * 150,
    }
    found = {}
    for name, value in values.items():
        inner = f'{{"type":{value},"value":{value},"module":{value},"mechanism":{value},'
        inner += f'"stacktrace":{{"frames":[{value},{{"lineno":{value},"function":{value},'
        inner += (
            f'"pre_context":{value},"context_line":{value},"vars":{value},"in_app":{value}}}]}}}}'
        )
        keys = (
            "message logentry level timestamp platform culprit transaction server_name release"
            " environment dist fingerprint tags extra contexts user request modules sdk threads"
            " debug_meta logger type breadcrumbs errors"
        ).split()
        rest = ",".join(f'"{key}":{value}' for key in keys)
        found[name] = f'{{"event_id":"{EVENT_ID}",{rest},"exception":[{inner},{value}]}}'.encode()
    raw = f'{{"event_id":"{EVENT_ID}","message":"%s","user":{{"id":"%s"}}}}'
    found["raw surrogates"] = raw.replace("%s", "\ud800").encode("utf-8", "surrogatepass")
    found["duplicate keys"] = (
        b'{"event_id":"'
        + EVENT_ID.encode()
        + b'"'
        + b',"message":"m","tags":{"a":1,"a":[2]}' * 99
        + b"}"
    )
    return found


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningInbox]:
    """An inbox that gets all of them."""
    with running(tmp_path_factory.mktemp("odd")) as start:
        yield start()


@pytest.mark.parametrize("name", list(odd_bodies()))
def test_an_odd_event_is_refused_or_can_be_read(odd: RunningInbox, name: str) -> None:
    """Kept, it is shown on its page, as Markdown and in the API, and none of it is markup there."""
    event_id = f"{list(odd_bodies()).index(name) + 1:032x}"
    answer = odd.store(odd_bodies()[name].replace(EVENT_ID.encode(), event_id.encode()))
    assert answer.status in (200, 400)
    if answer.status == 400:
        assert answer.headers["X-Sentry-Error"]
        return
    for path in (f"/events/{event_id}/", f"/events/{event_id}.md", f"/api/v1/events/{event_id}"):
        check_shown(odd, path)


def test_the_lists_show_odd_events(odd: RunningInbox) -> None:
    """All of them together, on every page and in every answer of the API."""
    odd.store(odd_bodies()["markup"])
    for path in ["/", *pages(odd, EVENT_ID)]:
        check_shown(odd, path)


def check_shown(served: RunningInbox, path: str) -> None:
    shown = served.request("GET", path)
    assert shown.status < 500, path
    if shown.headers["Content-Type"].startswith("text/html"):
        assert b"<script>alert" not in shown.data and b"<img" not in shown.data
    elif "json" in shown.headers["Content-Type"]:
        json.loads(shown.data, parse_constant=pytest.fail)


def nested(depth: int) -> bytes:
    return b'{"extra":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"


REFUSED: dict[str, Any] = {
    "100,000 deep": nested(100_000),
    "100,000 lists deep": b'{"extra":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "unclosed": b'{"extra":' + b"[" * 100_000,
    "10 MB": b'{"message":"' + b"a" * 10_000_000 + b'"}',
    "half a letter": b'{"message":"\xe2\x82"}',
    "Latin-1": b'{"message":"\xe9"}',
    "a list": b"[]",
    "text": b"hello",
    "NUL bytes": b"\0" * 1_000,
    "two objects": b"{}{}",
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("packed", [False, True])
def test_what_cannot_be_an_event_is_refused(shared: RunningInbox, name: str, packed: bool) -> None:
    """400 or 413 with the reason, packed or not."""
    body = zlib.compress(REFUSED[name]) if packed else REFUSED[name]
    try:
        answer = shared.store(body, headers={"Content-Encoding": "deflate"} if packed else {})
    except Exception as error:  # noqa: BLE001
        # Far beyond the limit the connection is closed while the body is still sent.
        assert not packed and "Broken pipe" in repr(error) or "reset" in repr(error)
        return
    assert answer.status in (400, 413)
    assert packed or answer.status == 413 or answer.headers["X-Sentry-Error"]


PARTS = {
    "no boundary": ("multipart/form-data", b"--x\r\n\r\n--x--"),
    "empty boundary": ('multipart/form-data; boundary=""', b"--\r\n\r\n----"),
    "long boundary": ("multipart/form-data; boundary=" + "b" * 5_000, b"x"),
    "never ends": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="comments"\r\n\r\nwords',
    ),
    "no headers end": ("multipart/form-data; boundary=x", b"--x\r\nA: " + b"b" * 60_000),
    "a file": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="name"; filename="../x"\r\n\r\na\r\n--x--',
    ),
    "odd charset": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="comments"\r\n'
        b"Content-Type: text/plain; charset=utf-99\r\n\r\nwords\r\n--x--",
    ),
    "many parts": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 1_100 + b"--x--",
    ),
    "not UTF-8": ("application/x-www-form-urlencoded", b"name=%ff&email=%fe&comments=%00%ff"),
    "odd escapes": ("application/x-www-form-urlencoded", b"name=%&email=%z&comments=%u1234"),
    "odd type": ("\xff/\xfe; \0", b"name=a&email=a@b.example&comments=c"),
}


@pytest.mark.parametrize("name", PARTS)
def test_an_odd_form_is_refused_or_kept(served: RunningInbox, name: str) -> None:
    """The dialog's form, as no browser sends it."""
    kind, body = PARTS[name]
    answer = served.error_page("POST", body=body, headers={"Content-Type": kind})
    assert answer.status in (200, 400, 413)
    assert served.request("GET", "/words/").status == 200


@pytest.mark.parametrize("times", [1, 5])
def test_packing_twice_is_no_way_round_a_bound(shared: RunningInbox, times: int) -> None:
    """A bomb in a bomb is unpacked once, and is no JSON then."""
    body = b"[" * 10_000_000
    for _ in range(times):
        body = gzip.compress(body)
    answer = shared.store(body, headers={"Content-Encoding": ", ".join(["gzip"] * times)})
    assert answer.status in (400, 413, 415)
