"""Attacks on the crash itself: what a request brings, what the view holds, what Sentry does."""

from __future__ import annotations

import json
from urllib.parse import quote, urlencode

from .book import DEADLINE, WAIT, Visit, attack, expect
from .shop import LOCALS
from .site import FORM, Site

# What looks like the beginning of something that is searched for, over and over.
RUNS = (
    "eyJ-",
    "eyJ.",
    "a@a.",
    "://a:",
    "password=",
    "%25",
    "4111 ",
    '\\"',
    "key = '",
    "-----BEGIN ",
    "sk_live_",
    "$2b$",
)
LONG = 250_000
"""Characters; waitress takes a head of 262,144 bytes."""


def run(text: str, length: int = LONG) -> str:
    return (text * (length // len(text) + 1))[:length]


@attack("250 kB of a token's beginning in the query")
def query(site: Site) -> list[Visit]:
    return [site.get(f"/crash?a={run('eyJ-')}")]


@attack("250 kB of eleven other beginnings in the query")
def queries(site: Site) -> list[Visit]:
    return [site.get(f"/crash?a={quote(run(one, LONG // 3), safe='')[:LONG]}") for one in RUNS[1:]]


@attack("250 kB of a token's beginning in the path")
def path(site: Site) -> list[Visit]:
    return [site.get(f"/crash/{run('eyJ-')}")]


@attack("250 kB of a token's beginning in the Referer", "Referer", "http://a.example/?a=")
@attack("250 kB of a token's beginning in the User-Agent", "User-Agent", "")
@attack("250 kB of a token's beginning in a cookie", "Cookie", "a=")
@attack("250 kB of a token's beginning in a header of one's own", "X-Own", "")
@attack("250 kB of a token's beginning in Authorization", "Authorization", "Basic ")
def header(site: Site, name: str, before: str) -> list[Visit]:
    return [site.get("/crash", {name: before + run("eyJ-")})]


@attack("60 headers of 4 kB")
def headers(site: Site) -> list[Visit]:
    sent = {f"X-Own-{number}": run(RUNS[number % 12], 4_000) for number in range(60)}
    return [site.get("/crash", sent)]


@attack("250 kB of Accept", "Accept", "text/html;q=0.5,")
@attack("250 kB of Accept-Language", "Accept-Language", "de;q=0.5,")
@attack("250 kB of one language's subtags", "Accept-Language", "de-")
@attack("250 kB of cookies", "Cookie", "a=b; ")
@attack("250 kB of X-Forwarded-For", "X-Forwarded-For", "10.0.0.1, ")
def flood(site: Site, name: str, text: str) -> list[Visit]:
    return [site.get("/crash", {name: run(text)})]


@attack("250 kB of If-None-Match to the page's files", "a ", answers=(200,), kit_only=True)
@attack("250 kB of blanks in If-None-Match", " ", answers=(200,), kit_only=True)
def conditions(site: Site, text: str) -> list[Visit]:
    files = ("crash.css", "dialog.js")
    sent = {"If-None-Match": "a" + run(text) + "a"}
    return [site.get(f"/_sentry_kit/static/{file}", sent) for file in files]


@attack("10,000 headers")
def many_headers(site: Site) -> list[Visit]:
    return [site.get("/crash", {f"X{number}": "a" for number in range(10_000)})]


@attack("10,000 fields in the query")
def query_fields(site: Site) -> list[Visit]:
    return [site.get("/crash?" + urlencode({f"token{n}": f"value{n}" for n in range(10_000)}))]


@attack("10,000 fields in a form", "/form")
@attack("10,000 fields in a form that the view left unread", "/crash")
def form_fields(site: Site, path: str) -> list[Visit]:
    return [site.post(path, {f"token{n}": f"value{n}" for n in range(10_000)})]


@attack("a multipart form of 1,000 parts that the view left unread")
def parts(site: Site) -> list[Visit]:
    name = b'--b\r\nContent-Disposition: form-data; name="%d"\r\n\r\n\r\n'
    body = b"".join(name % number for number in range(1_000)) + b"--b--\r\n"
    return [
        site.request("POST", "/crash", body, {"Content-Type": "multipart/form-data; boundary=b"})
    ]


@attack("1 MB of a token's beginning in a form's field", "eyJ-", answers=(500, 413))
@attack("1 MB of backslashes in a form's field", "\\", answers=(500, 413))
@attack("1 MB of quotes in a form's field", '"', answers=(500, 413))
def form_field(site: Site, text: str) -> list[Visit]:
    # Unescaped: to undo a million escapes takes the view's own Werkzeug 240 MB. One field that
    # large is refused by some of its releases.
    bodies = [f"a={run(text, size)}".encode() for size in (400_000, 1_000_000)]
    return [site.request("POST", "/form", body, FORM) for body in bodies]


@attack("1 MB of a token's beginning in JSON", "eyJ-")
@attack("1 MB of backslashes in JSON", "\\")
@attack("1 MB of quotes in JSON", '"')
def json_field(site: Site, text: str) -> list[Visit]:
    body = json.dumps({"a": run(text, 1_000_000)}).encode()
    return [site.request("POST", "/json", body, {"Content-Type": "application/json"})]


@attack("JSON of 900 and of 100,000 levels", answers=(500, 400))
def deep_json(site: Site) -> list[Visit]:
    return [
        site.request(
            "POST", path, b"[" * levels + b"]" * levels, {"Content-Type": "application/json"}
        )
        for levels in (900, 30_000, 100_000)
        for path in ("/json", "/crash")
    ]


@attack("half surrogates in path, query, headers, form and JSON")
def surrogates(site: Site) -> list[Visit]:
    half = "%ED%A0%80"
    sent = {name: b"\xed\xa0\x80" for name in ("Referer", "User-Agent", "Accept-Language")}
    body = b'{"\\ud800": "\\udfff"}'
    return [
        site.get(f"/crash/{half}?{half}={half}", sent),
        site.request("POST", "/form", f"{half}={half}".encode(), FORM),
        site.request("POST", "/json", body, {"Content-Type": "application/json"}),
        site.request("POST", "/crash", body, {"Content-Type": "application/json"}),
        site.get("/surrogates"),
    ]


def _locals(site: Site, kind: str) -> list[Visit]:
    name = quote(kind)
    made = site.get(f"/make/{name}")
    expect(made.status == 200, f"the thing was not made: {made.status}")
    site.begin()
    return [site.get(f"/locals/{name}")]


for _kind in LOCALS:
    attack(f"a local: {_kind}", _kind)(_locals)


@attack("a message of 2 MB", "eyJ-")
@attack("a message of 2 MB in one line", "x")
@attack("a message of 2 MB of blanks", "   \n")
def message(site: Site, of: str) -> list[Visit]:
    return [site.get(f"/message?of={quote(of)}&times={2_000_000 // len(of)}")]


@attack("a message of 1 MB: twelve beginnings")
def messages(site: Site) -> list[Visit]:
    asked = [urlencode({"of": one, "times": 1_000_000 // len(one)}) for one in RUNS]
    return [site.get(f"/message?{one}") for one in asked]


@attack("a message of 2 MB beside 5,000 fields with secret names")
def secrets_everywhere(site: Site) -> list[Visit]:
    fields = {f"password{number}": f"secret{number}" for number in range(5_000)}
    asked = {"of": "secret1 secret22 secret333 ", "times": 80_000}
    return [site.get(f"/message?{urlencode({**asked, **fields})}")]


@attack("100 log records of 1 MB before the crash")
def records(site: Site) -> list[Visit]:
    return [site.get("/log?of=eyJ-&times=250000&count=100")]


@attack("RecursionError", "/recursion")
@attack("a group of 20,736 exceptions", "/group")
@attack("2,000 groups in each other", "/nested")
@attack("a chain of 10,000 exceptions", "/chain")
def exceptions(site: Site, path: str) -> list[Visit]:
    return [site.get(path)]


@attack("500 crashes, eight at a time")
def storm(site: Site) -> list[Visit]:
    return site.at_once(500, lambda number: site.get(f"/crash?number={number}"))


@attack("50 crashes: Sentry hangs", sentry="hangs")
@attack("50 crashes: Sentry drips", sentry="drips")
@attack("50 crashes: Sentry redirects to itself", sentry="redirects")
@attack("50 crashes: Sentry's answer has no end", sentry="floods")
@attack("50 crashes: Sentry's answer unpacks to 1 GB", sentry="unpacks")
@attack("50 crashes: Sentry's chunk has no end", sentry="counts")
@attack("50 crashes: Sentry fails", sentry="fails")
@attack("50 crashes: Sentry does not speak HTTP", sentry="stammers")
@attack("50 crashes: Sentry is not there", sentry="is not there")
def ill_sentry(site: Site) -> list[Visit]:
    return site.at_once(50, lambda number: site.get(f"/crash?number={number}"))


def _head(path: str, kind: str, length: int) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n"
    return f"{head}Content-Length: {length}\r\n\r\n".encode()


# The view does not read the body; what reads it is the reporter. A worker that answers one
# request at a time is held for the kit's deadline, and what is healthy waits behind it.
@attack("a form drips into a crash: sync", "/crash", server="gunicorn", wait=DEADLINE + WAIT)
@attack("a form drips into a crash: threads", "/crash", server="gunicorn gthread")
@attack("a form drips into a crash: Werkzeug", "/crash", server="werkzeug")
def drip(site: Site, path: str) -> list[Visit]:
    return [site.drip(_head(path, FORM["Content-Type"], 60_000))]


@attack("JSON drips into a crash: sync", server="gunicorn", wait=DEADLINE + WAIT)
def drip_json(site: Site) -> list[Visit]:
    return [site.drip(_head("/crash", "application/json", 60_000))]


@attack(
    "four forms drip into four crashes: four threads",
    server="gunicorn gthread",
    wait=DEADLINE + WAIT,
)
def drips(site: Site) -> list[Visit]:
    head = _head("/crash", FORM["Content-Type"], 60_000)
    return site.at_once(4, lambda number: site.drip(head))


@attack("SCRIPT_NAME is //evil.example", options=("behind a proxy",))
def elsewhere(site: Site) -> list[Visit]:
    visits = [
        site.get(path, {"X-Forwarded-Prefix": prefix, "Accept": "text/html"})
        for prefix in ("//evil.example", "/\\evil.example", "/\t/evil.example")
        for path in ("/crash", "/crash?a=%2F%2Fb&c=%26")
    ]
    for visit in visits:
        for before in ("//", "/\\", "\\\\", "/\t/"):  # what browsers take for another host
            for mark in ('="', "='", "=", "url("):
                expect(
                    f"{mark}{before}evil.example" not in visit.text,
                    f"the page leads to {before}evil.example",
                )
    return visits
