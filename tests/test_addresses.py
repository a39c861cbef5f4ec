"""Where the app is mounted, and what the browser asked for (addresses.py)."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_sentry_kit.addresses import ASKED_MAX, asked_for, encoded, mount_point

ODD = st.text("/\\%2fF.:@?#evil \t\n\x00\xe9\xffé<>\"'\ud800", max_size=14)


def environ(script: str = "", path: str = "/", query: str = "", **more: Any) -> dict[str, Any]:
    return {"SCRIPT_NAME": script, "PATH_INFO": path, "QUERY_STRING": query, **more}


@pytest.mark.parametrize(
    ("script", "mounted"),
    [
        ("", ""),
        ("/", ""),
        ("/shop", "/shop"),
        ("/shop/", "/shop"),
        ("//evil.example", "/evil.example"),
        ("///evil.example/a", "/evil.example/a"),
        ("/\\evil.example", "/%5Cevil.example"),
        ("\\\\evil.example", "/%5C%5Cevil.example"),
        ("/\t/evil.example", "/%09/evil.example"),
        ("/%2f%2fevil.example", "/%252f%252fevil.example"),
        ("/a?b#c", "/a%3Fb%23c"),
        ("/caf\xc3\xa9", "/caf%C3%A9"),
        ("https://evil.example", "/https://evil.example"),
        ("/" + "a" * 3_000, ""),
    ],
)
def test_a_mount_point_is_a_path_of_this_host(script: str, mounted: str) -> None:
    """However SCRIPT_NAME is spelled, what is built on it leads to this host, encoded."""
    assert mount_point(environ(script)) == mounted


@pytest.mark.parametrize("name", ["RAW_URI", "REQUEST_URI"])
@pytest.mark.parametrize(
    ("target", "script", "path", "query", "asked"),
    [
        ("/a%2Fb", "", "/a/b", "", "/a%2Fb"),
        ("/a%2fb?c=%2f&d=+%20", "", "/a/b", "c=%2f&d=+%20", "/a%2fb?c=%2f&d=+%20"),
        ("/caf%C3%A9", "", "/caf\xc3\xa9", "", "/caf%C3%A9"),
        ("/shop/a%2Fb", "/shop", "/a/b", "", "/shop/a%2Fb"),
        ("/a%2Fb", "/shop", "/a/b", "", "/shop/a%2Fb"),
        ("/a%2Fb", "//evil", "/a/b", "", "/evil/a%2Fb"),
        ("http://evil.example/a%2Fb?x", "", "/a/b", "x", "/a%2Fb?x"),
        ("http://evil.example", "", "/", "", "/"),
        ("//evil.example/a", "", "//evil.example/a", "", "/.//evil.example/a"),
        ("/\\evil.example", "", "/\\evil.example", "", "/%5Cevil.example"),
        ("/%5Cevil.example", "", "/\\evil.example", "", "/%5Cevil.example"),
        ("/%2F%2Fevil.example", "", "///evil.example", "", "/%2F%2Fevil.example"),
        ("/%2fevil.example", "", "//evil.example", "", "/%2fevil.example"),
        ("/100%", "", "/100%", "", "/100%"),
        ("/another", "", "/rewritten/a b", "", "/another"),
        ("/en/a%2Fb?x", "", "/a/b", "x", "/en/a%2Fb?x"),
        ("/en/a%2Fb", "/shop", "/a/b", "", "/shop/en/a%2Fb"),
        ("/shop/en/a%2Fb", "/shop", "/a/b", "", "/shop/en/a%2Fb"),
        ("/shopping/a%2Fb", "/shop", "/c", "", "/shop/shopping/a%2Fb"),
        ("/shop", "/shop", "/index", "", "/shop"),
        ("*", "", "/a b", "", "/a%20b"),
        ("", "", "/a\xc3\xa9", "x=\xc3\xa9 \"'", "/a%C3%A9?x=%C3%A9%20%22'"),
    ],
)
def test_the_address_keeps_what_was_encoded(
    name: str, target: str, script: str, path: str, query: str, asked: str
) -> None:
    """As the server read it, behind the part that a proxy took away."""
    assert asked_for(environ(script, path, query, **{name: target})) == asked


def test_without_the_servers_help_the_path_is_encoded_again() -> None:
    """A server that passes on neither RAW_URI nor REQUEST_URI (waitress before 3.0, say)."""
    assert asked_for(environ("/shop", "/a b/\xc3\xa9", "q=1")) == "/shop/a%20b/%C3%A9?q=1"


def test_half_an_address_is_none() -> None:
    """What is longer than servers take is left out whole: cut, it would lead elsewhere."""
    assert asked_for(environ(path="/a", query="q=" + "x" * (ASKED_MAX - 5)))
    assert asked_for(environ(path="/a", query="q=" + "x" * ASKED_MAX)) == ""
    assert asked_for(environ(path="/" + "\xff" * (ASKED_MAX // 2))) == ""


@given(ODD, ODD, ODD, ODD)
def test_no_address_leaves_this_host(script: str, path: str, query: str, target: str) -> None:
    """Whatever a request is made of, a browser stays on its host and gets ASCII."""
    for address in (
        mount_point(environ(script)) + "/x",
        asked_for(environ(script, path, query, RAW_URI=target)) or "/",
        encoded("/" + path.lstrip("/")),
    ):
        assert address.isascii() and address.isprintable()
        assert "\\" not in address and " " not in address
        if address.startswith("/"):
            assert not address.startswith("//")
            joined = urlsplit(urljoin("https://shop.example/boom", address))
            assert (joined.scheme, joined.netloc) == ("https", "shop.example")


@given(st.text("/%2Ffab\xe9", max_size=12))
def test_what_comes_back_is_what_was_asked_for(raw: str) -> None:
    """Asked for again, the address gives the app the same path."""
    raw = "/" + raw.lstrip("/").replace("\xe9", "%E9")
    path = unquote_to_bytes(raw).decode("latin-1")
    again = asked_for(environ(path=path, RAW_URI=raw))
    assert unquote_to_bytes(again).decode("latin-1").removeprefix("/.") == path
    assert again in (raw, f"/.{raw}")


def test_length_costs_nothing() -> None:
    """Twice the length takes no longer: nobody walks through a megabyte."""

    def seconds(length: int) -> float:
        path = "/" + "%\xff/" * (length // 3)
        given = environ(path, path, "%ff&" * (length // 4), RAW_URI=path, REQUEST_URI=path)
        best = 1.0
        for _ in range(5):
            begun = time.process_time()
            mount_point(given), asked_for(given)
            best = min(best, time.process_time() - begun)
        return best

    assert seconds(1_000_000) <= 2.5 * seconds(500_000) + seconds(1_000)
