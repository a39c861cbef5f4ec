"""Attacks on the visitor's form. Raven's recipe has none: its words go to Sentry's own dialog."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from .book import DEADLINE, WAIT, Visit, attack, expect
from .shop import make_shop
from .site import FORM, Site

PATH = "/_sentry_kit/feedback"
TAKEN = (200, 303)
PATIENCE = 2.5
"""Seconds that the kit may take for a report: it waits up to 2 for Sentry's answer."""
JSON = {"Accept": "application/json"}


def _say(site: Site, token: str, words: str = "I pressed pay") -> Visit:
    return site.post(PATH, {"token": token, "comments": words}, **JSON)


@attack(
    "eight clicks on one report: Sentry hangs",
    sentry="hangs",
    answers=(200, 429),
    answer=PATIENCE,
    kit_only=True,
)
def clicks(site: Site) -> list[Visit]:
    token = site.token()
    site.begin()
    return site.at_once(8, lambda number: _say(site, token))


@attack(
    "eight reports at once: Sentry hangs",
    sentry="hangs",
    answers=(200, 429),
    answer=PATIENCE,
    kit_only=True,
)
def reports(site: Site) -> list[Visit]:
    tokens = [site.token() for _ in range(8)]
    site.begin()
    return site.at_once(8, lambda number: _say(site, tokens[number]))


@attack("200 reports from one address", answers=(200, 429), kit_only=True)
def without_limit(site: Site) -> list[Visit]:
    visits = site.at_once(200, lambda number: _say(site, site.token(), f"report {number}"))
    taken = sum(one.status in TAKEN for one in visits)
    expect(taken <= 21, f"{taken} of 200 were taken")
    return visits


@attack("forged tokens", answers=(400, 403, 413), kit_only=True)
def forged(site: Site) -> list[Visit]:
    token = site.token()
    event, time, signature = token.rsplit(".", 2)
    made = [
        "",
        "a" * 500,
        event,
        f"{event}.{time}.",
        f"{event}.{time}.{signature[:-4]}AAAA",
        f'"{"0" * 32}".{time}.{signature}',
        f"{event}.{'A' * len(time)}.{signature}",
        ".".join("." * 100),
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    ]
    return [_say(site, one) for one in made]


@attack(
    "a token of another app with the same SECRET_KEY", "other", 1, answers=(403,), kit_only=True
)
@attack("a token of the same app's other project", "shop", 2, answers=(403,), kit_only=True)
def foreign(site: Site, name: str, project: int) -> list[Visit]:
    dsn = f"http://public:secret@127.0.0.1:{site.sentry_port}/{project}"
    page = make_shop("kit", dsn, name=name).test_client().get("/crash").text
    found = re.search(r'name="token" value="([^"]+)"', page)
    assert found is not None
    return [_say(site, found[1])]


@attack("a token is replayed with other words", answers=(200, 409), kit_only=True)
def replayed(site: Site) -> list[Visit]:
    token = site.token()
    visits = [_say(site, token, f"words {number}") for number in range(10)]
    expect([one.status for one in visits[:2]] == [200, 409], "a second report was taken")
    return visits


@attack("1 MB of words", answers=(413,), kit_only=True)
def long_words(site: Site) -> list[Visit]:
    return [_say(site, site.token(), "words " * 170_000)]


@attack("14 kB of an address's beginnings as email", answers=(400,), kit_only=True)
def emails(site: Site) -> list[Visit]:
    fields = {"token": site.token(), "comments": "hello"}
    beginnings = ("a@a.", "a.", "a@", "a-", "-", "ä.", "xn--")
    return [
        # Unescaped, which is more of it in the 16 kB that a report may have.
        site.request(
            "POST",
            PATH,
            f"{urlencode(fields)}&email={one * (14_000 // len(one.encode()))}".encode(),
            {**FORM, **JSON},
        )
        for one in beginnings
    ]


@attack("10,000 fields in the form", answers=(400, 413), kit_only=True)
def many_fields(site: Site) -> list[Visit]:
    fields = {f"field{number}": "a" for number in range(10_000)}
    return [site.post(PATH, {**fields, "token": site.token()}, **JSON)]


@attack(
    "words drip into the form: sync",
    server="gunicorn",
    wait=DEADLINE + WAIT,
    answers=(400, 403, 408),
    kit_only=True,
)
@attack(
    "words drip into the form: threads",
    server="gunicorn gthread",
    answers=(400, 403, 408),
    kit_only=True,
)
def drip(site: Site) -> list[Visit]:
    begun = urlencode({"token": "a", "comments": ""})
    head = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
    head += f"Content-Type: {FORM['Content-Type']}\r\nContent-Length: 10000\r\n\r\n{begun}"
    return [site.drip(head.encode())]
