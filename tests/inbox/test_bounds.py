"""Bodies, addresses, headers and events made to be expensive: each costs what its size allows."""

from __future__ import annotations

import gzip
import json
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_sentry_kit.inbox import create_inbox
from flask_sentry_kit.inbox.content.reading import clean, read_event
from flask_sentry_kit.inbox.protocol.body import MAX_PARTS, MAX_PLAIN

EVENT_ID = "0123456789abcdef0123456789abcdef"
KEY = "a" * 32
DSN = f"http://{KEY}@localhost/1"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    made = create_inbox(tmp_path_factory.mktemp("bounds") / "inbox.sqlite", public_key=KEY)
    yield made
    made.extensions["sentry_kit_inbox"].store.close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def store(client: FlaskClient, data: bytes, **headers: str) -> Any:
    return client.post(f"/api/1/store/?sentry_key={KEY}", data=data, headers=headers)


def store_packed(client: FlaskClient, event: dict[str, Any]) -> Any:
    body = zlib.compress(json.dumps(event).encode())
    return store(client, body, **{"Content-Encoding": "deflate"})


def envelope(client: FlaskClient, data: bytes) -> Any:
    return client.post(f"/api/1/envelope/?sentry_key={KEY}", data=data)


def error_page(client: FlaskClient, data: bytes, content_type: str = FORM) -> Any:
    path = f"/api/embed/error-page/?eventId={EVENT_ID}&dsn={DSN}"
    return client.post(path, data=data, content_type=content_type)


def seconds(run: Callable[[], object], times: int = 5) -> float:
    """What it takes of the processor, the least of some runs."""
    found = []
    for _ in range(times):
        began = time.process_time()
        run()
        found.append(time.process_time() - began)
    return min(found)


Attack = Callable[[FlaskClient, int], Any]

ATTACKS: dict[str, tuple[int, Attack]] = {
    "line breaks": (30_000, lambda c, n: envelope(c, b"{}\n" + b"\n" * n + b"x")),
    "carriage returns": (30_000, lambda c, n: envelope(c, b"{}\n" + b"\r" * n + b"x")),
    "items": (90_000, lambda c, n: envelope(c, b'{}\n{"type":"x"}\n{}\n' * n)),
    "open string": (200_000, lambda c, n: store(c, b'{"a":"' + b'\\"' * n)),
    "backslashes": (200_000, lambda c, n: store(c, b'{"a":"' + b"\\" * n + b'"}')),
    "quotes": (200_000, lambda c, n: store(c, b'"' * n)),
    "depth": (130_000, lambda c, n: store(c, b'{"a":' * n)),
    "digits": (200_000, lambda c, n: store(c, b'{"a":' + b"7" * n + b"}")),
    "fraction": (200_000, lambda c, n: store(c, b'{"a":0.' + b"7" * n + b"}")),
    "one key": (10_000, lambda c, n: store(c, b"{" + b'"a":1,' * n + b'"b":1}')),
    "form fields": (15_000, lambda c, n: error_page(c, b"a&" * n)),
    "email": (10_000, lambda c, n: error_page(c, b"name=A&comments=c&email=a@" + b"a-." * n)),
    "email, no dot": (10_000, lambda c, n: error_page(c, b"name=A&comments=c&email=" + b"a" * n)),
    "boundary": (
        15_000,
        lambda c, n: error_page(c, b"--x\r\n" + b"\r\n" * n, "multipart/form-data; boundary=x"),
    ),
    "content type": (15_000, lambda c, n: error_page(c, b"a=1", f"{FORM}; " + 'a="\\";' * n)),
    "auth": (30_000, lambda c, n: store(c, b"{}", **{"X-Sentry-Auth": "Sentry" + " " * n})),
    "auth parts": (30_000, lambda c, n: store(c, b"{}", **{"X-Sentry-Auth": "Sentry a" + "," * n})),
    "parameters": (30_000, lambda c, n: c.get("/?" + "a&" * n)),
    "search": (30_000, lambda c, n: c.get("/?q=" + "a-" * n)),
    "language": (
        30_000,
        lambda c, n: c.get(
            f"/api/embed/error-page/?eventId={EVENT_ID}&dsn={DSN}&lang=" + "aa-" * n
        ),
    ),
    "path": (10_000, lambda c, n: c.get("/api/1/store" * n + "x")),
    "path of api": (10_000, lambda c, n: c.get("/api" * n)),
    "slashes": (30_000, lambda c, n: c.get("/a" + "/" * n + "x")),
    "host": (30_000, lambda c, n: c.get("/", headers={"Host": "a." * n})),
    "origin": (30_000, lambda c, n: store(c, b"{}", Origin="http://" + "a@" * n)),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_twice_the_size_is_at_most_twice_the_time(client: FlaskClient, name: str) -> None:
    """Nothing that is read of a request takes the square of its length, and nothing is a 500."""
    size, attack = ATTACKS[name]
    assert attack(client, size).status_code < 500
    once = seconds(lambda: attack(client, size))
    twice = seconds(lambda: attack(client, 2 * size))
    assert twice < 2.5 * once + 0.002


def nested(number: int, leaf: Any) -> Any:
    return [leaf] * number


EVENTS: dict[str, Callable[[int], dict[str, Any]]] = {
    "list": lambda n: {"request": {"data": nested(n, [])}},
    "rows": lambda n: {"extra": {"a": nested(n // 8, {"b": [1, 2, {"c": 3}]})}},
    "pairs": lambda n: {"tags": nested(n // 4, ["a", "b"])},
    "fingerprint": lambda n: {
        "message": "m" * 8_000,
        "fingerprint": nested(n, "{{ default }}"),
    },
    "spaces": lambda n: {"fingerprint": ["{{" + " " * n]},
    "frames": lambda n: {
        "exception": [{"stacktrace": {"frames": nested(n // 8, {"vars": {"a": "b" * 900}})}}]
    },
    "exceptions": lambda n: {
        "exception": nested(n // 8, {"stacktrace": {"frames": nested(400, {"function": "f"})}})
    },
    "breadcrumbs": lambda n: {"breadcrumbs": nested(n // 4, {"message": "m" * 9_000})},
    "time": lambda n: {"timestamp": "2026-11-22T07:34:14." + "1" * n},
}


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_costs_what_is_shown_of_it(name: str) -> None:
    """With ten times the values, or ten times the text, as much is read as before."""
    some, many = (EVENTS[name](number) for number in (20_000, 200_000))
    once = seconds(lambda: read_event(some))
    assert seconds(lambda: read_event(many)) < 2.5 * once + 0.004
    assert len(repr(read_event(many))) < 2_500_000


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":[' + b"[]," * (MAX_PLAIN // 3 - 10) + b"0]}",
        b'{"a":[' + b'{"":0},' * (MAX_PLAIN // 7 - 10) + b"0]}",
        b'{"a":[' + b'"b",' * (MAX_PLAIN // 4 - 10) + b"0]}",
    ],
    ids=["lists", "objects", "strings"],
)
def test_too_many_values_are_refused_before_they_take_memory(
    client: FlaskClient, body: bytes
) -> None:
    """413 at once, for 8 MB as for less; a list of them took 690 MB once."""
    packed = gzip.compress(body)
    tracemalloc.start()
    try:
        answer = store(client, packed, **{"Content-Encoding": "gzip"})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert answer.status_code == 413
    assert peak < 6 * MAX_PLAIN


def test_the_most_that_is_taken_has_its_memory_bounded(client: FlaskClient) -> None:
    """The worst that passes: as many small objects as are allowed."""
    body = b'{"extra":[' + b'{"":0},' * (MAX_PARTS // 4) + b"0]}"
    tracemalloc.start()
    try:
        answer = store(client, body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert answer.status_code == 200
    assert peak < 200 * MAX_PARTS


def test_what_stands_in_strings_counts_as_text(client: FlaskClient) -> None:
    """Source lines and JSON in strings are full of commas and brackets; they are one value."""
    text = '[{"a": 1}, "\\'.replace("\\", "\\\\") * 300_000
    assert store_packed(client, {"event_id": EVENT_ID, "message": text}).status_code == 200
    event = client.get(f"/api/v1/events/{EVENT_ID}").get_json()["event"]
    assert event["message"] == text


def test_the_values_of_an_envelope_count_together(client: FlaskClient) -> None:
    """Not a bound for each of a hundred items."""
    event = b'{"extra":[' + b"0," * (MAX_PARTS // 3) + b"0]}"
    item = b'{"type":"event"}\n' + event + b"\n"
    assert envelope(client, b"{}\n" + item * 2).status_code == 200
    assert envelope(client, b"{}\n" + item * 4).status_code == 413


@pytest.mark.parametrize(
    "length", ["true", "false", "2.0", "1e1", "-1", "1" + "0" * 30, "9" * 5_000, '"2"', "[]", "NaN"]
)
def test_an_items_length_is_a_number_of_bytes(client: FlaskClient, length: str) -> None:
    """Anything else is 400: what would be read in its place is a guess."""
    body = f'{{}}\n{{"type":"event","length":{length}}}\n{{}}\n'
    assert envelope(client, body.encode()).status_code == 400


@pytest.mark.parametrize("depth", [100, 5_000])
def test_an_items_header_may_be_strange(client: FlaskClient, depth: int) -> None:
    """Deep or wide, it is JSON or it is 400; a type that is no string is skipped."""
    deep = "[" * depth + "]" * depth
    header = f'{{"type":{deep},"more":{json.dumps(dict.fromkeys(map(str, range(1000))))}}}'
    assert envelope(client, f"{{}}\n{header}\n{{}}\n".encode()).status_code in (200, 400)


def test_odd_numbers_are_kept_as_something_that_can_be_read(client: FlaskClient) -> None:
    """NaN and infinities become null, a number of more than 100 digits its text."""
    body = f'{{"event_id":"{EVENT_ID[::-1]}","extra":[NaN,1e999,-Infinity,{"9" * 2_000}]}}'
    assert store(client, body.encode()).status_code == 200
    kept = client.get(f"/api/v1/events/{EVENT_ID[::-1]}")
    assert kept.get_json()["event"]["extra"] == [None, None, None, "9" * 2_000]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_json_is_utf_8(client: FlaskClient, encoding: str) -> None:
    """As RFC 8259 has it: in another encoding the values could not be counted."""
    assert store(client, '{"message": "m"}'.encode(encoding)).status_code == 400
    assert store(client, '{"message": "m"}'.encode("utf-8-sig")).status_code == 200


def bare(data: bytes) -> bytes:
    return zlib.compress(data)[2:-4]


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", bare)],
    ids=["gzip", "deflate", "bare deflate"],
)
def test_a_bomb_is_never_unpacked(client: FlaskClient, encoding: str, pack: Any) -> None:
    """What is beyond the limit costs nothing, however much it would be."""
    packed = pack(b" " * 200_000_000)
    tracemalloc.start()
    try:
        answer = store(client, packed, **{"Content-Encoding": encoding})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert answer.status_code == 413
    assert peak < 6 * MAX_PLAIN


def test_several_members_are_refused(client: FlaskClient) -> None:
    """A second gzip member behind the first could hold a second bomb."""
    two = gzip.compress(b"{}") + gzip.compress(b" " * 1_000)
    assert store(client, two, **{"Content-Encoding": "gzip"}).status_code == 400


def test_a_page_shows_a_bounded_part_of_an_event(client: FlaskClient) -> None:
    """Its size is bounded, what it shows of stack, request and user stays, and it says so."""
    frame = {
        "function": "total",
        "filename": "shop/cart.py",
        "context_line": "x" * 8_000,
        "pre_context": ["<" * 8_000] * 10,
        "vars": {f"v{n}": "<" * 200 for n in range(100)},
    }
    event = {
        "event_id": "e" * 32,
        "exception": [{"type": "E", "value": "v", "stacktrace": {"frames": [frame] * 60}}],
        "request": {"url": "http://shop.example/pay", "headers": {"User-Agent": "Firefox"}},
        "user": {"id": "user-7"},
        "extra": {f"n{n}": "<" * 3_000 for n in range(150)},
    }
    assert len(json.dumps(event)) > 6_000_000
    assert store_packed(client, event).status_code == 200
    text = client.get(f"/events/{'e' * 32}/").get_data(as_text=True)
    assert len(text) < 4_000_000
    for shown in ("shop/cart.py", "http://shop.example/pay", "Firefox", "user-7"):
        assert shown in text
    assert "There is more in this event than a page can show." in text


def test_the_raw_event_is_no_longer_than_it_came(client: FlaskClient) -> None:
    """It goes out as it is kept, letters of any script as themselves."""
    body = json.dumps({"event_id": "d" * 32, "message": "é" * 500_000}, ensure_ascii=False).encode()
    assert store(client, body).status_code == 200
    raw = client.get(f"/api/v1/events/{'d' * 32}")
    assert raw.get_json()["event"]["message"] == "é" * 500_000
    assert len(raw.get_data()) < len(body) + 1_000


def test_visitors_words_are_bounded_wherever_several_are_shown(
    client: FlaskClient, app: Flask
) -> None:
    """Whoever may report may not make the list, a crash's page or the API grow without end."""
    kept = app.extensions["sentry_kit_inbox"].store
    for number in range(60):
        event_id = f"{number + 2**64:032x}"
        store(client, json.dumps({"event_id": event_id, "message": "one crash"}).encode())
        kept.put_report(event_id, "Ann", "a@b.example", "<" * 60_000)
        kept.put_report(f"{number + 2**65:032x}", "Ann", "a@b.example", "<" * 60_000)
    for path in ("/", f"/events/{event_id}/"):
        assert len(client.get(path).get_data()) < 1_000_000
    assert len(client.get("/api/v1/words?limit=1000").get_data()) < 1_500_000
    assert len(client.get("/api/v1/events?limit=1000").get_data()) < 1_500_000


@pytest.mark.parametrize("letter", ["n", "é", "の", "😀"])
def test_words_of_any_script_have_the_same_room(
    client: FlaskClient, app: Flask, letter: str
) -> None:
    """As many as a visitor may write in the kit's form, though a letter may take twelve bytes."""
    words = letter * 4_096
    form = urlencode({"name": "Ann", "email": "a@b.example", "comments": words})
    assert error_page(client, form.encode()).status_code == 200
    report = app.extensions["sentry_kit_inbox"].store.report(EVENT_ID)
    assert report.comments == words


def test_more_parameters_than_any_client_sends_are_400(client: FlaskClient) -> None:
    """With what is wrong, for pages and for clients."""
    query = "&".join(f"a{number}=1" for number in range(101))
    assert b"more than 100 parameters" in client.get(f"/?{query}").get_data()
    answer = client.post(f"/api/1/store/?{query}", data=b"{}")
    assert answer.status_code == 400 and "parameters" in answer.headers["X-Sentry-Error"]


@pytest.mark.parametrize("value", ["a" * 60_000, "'" * 9_000, "%" * 9_000, "\0" * 100, "\ud800"])
@pytest.mark.parametrize("path", ["/?q={}", "/events/{}/", "/crashes/{}/"])
def test_no_reference_or_id_is_too_strange(client: FlaskClient, path: str, value: str) -> None:
    """A page says that there is no such thing, and repeats at most what a form holds of it."""
    asked = path.format("".join(f"%{byte:02x}" for byte in value.encode("utf-8", "surrogatepass")))
    answer = client.get(asked)
    assert answer.status_code in (200, 400, 404)
    assert len(answer.get_data()) < 250_000


def test_cleaning_copies_no_text() -> None:
    """Only half surrogates make a new string."""
    text = "né" * 10
    assert clean({"a": text})["a"] is text


def test_the_file_takes_events_of_older_versions(tmp_path: Path) -> None:
    """They were kept in ASCII, with spaces: up to three times as long."""
    from flask_sentry_kit.inbox.storage.store import Store

    kept = Store(tmp_path / "inbox.sqlite")
    kept.add_event(EVENT_ID, json.dumps({"message": "é"}).encode(), {"message": "é"})
    with kept._write() as db:
        older = zlib.compress(json.dumps({"message": "é" * 100_000}).encode("ascii"))
        db.execute("UPDATE bodies SET body = ?", (older,))
    found = kept.event(EVENT_ID)
    assert found is not None and found.body == {"message": "é" * 100_000}
    kept.close()
