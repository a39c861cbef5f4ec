"""Headers are read within bounds (headers.py)."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_sentry_kit import headers

LISTS = {
    "ranges": lambda size: "a/b;q=0.5," * (size // 10),
    "parameters": lambda size: "a/b;" + "c=d;" * (size // 4),
    "continued parameters": lambda size: "a/b;" + "c*0=d;" * (size // 6),
    "quotes": lambda size: "a/b;c=" + '"\\' * (size // 2),
    "commas": lambda size: "," * size,
    "hyphens": lambda size: "a-" * (size // 2),
    "spaces": lambda size: " " * size,
}


def test_the_first_entries_count_and_none_is_cut() -> None:
    """Of a list that is too long the first entries are read, each of them whole."""
    asked = ",".join(f"x{number:03}/y;q=0.5" for number in range(5_000))
    found = [name for name, _ in headers.media_types({"HTTP_ACCEPT": asked})]
    assert found == [f"x{number:03}/y" for number in range(headers.ENTRIES_MAX)]
    asked = "de;q=0.1," + "x" * 10_000
    assert list(headers.languages({"HTTP_ACCEPT_LANGUAGE": asked}).values()) == ["de"]


def test_what_browsers_send_is_read_whole() -> None:
    """The longest Accept of a browser, and a traveller's languages."""
    accept = (
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,"
        "*/*;q=0.8,application/signed-exchange;v=b3;q=0.7"
    )
    assert len(headers.media_types({"HTTP_ACCEPT": accept})) == 8
    languages = ",".join(f"{a}{b}-{a.upper()}{b.upper()};q=0.5" for a in "abcd" for b in "abcde")
    assert len(headers.languages({"HTTP_ACCEPT_LANGUAGE": languages})) == 20


@pytest.mark.parametrize(
    ("destination", "framed"),
    [
        ("iframe", True),
        ("frame", True),
        ("embed", True),
        ("object", True),
        ("fencedframe", True),
        (" IFrame ", True),
        ("document", False),
        ("empty", False),
        ("", False),
    ],
)
def test_a_frame_is_known_by_its_request(destination: str, framed: bool) -> None:
    """Sec-Fetch-Dest says what an answer is for (Fetch Metadata, section 2.1)."""
    assert headers.framed({"HTTP_SEC_FETCH_DEST": destination}) is framed


@given(
    st.dictionaries(
        st.sampled_from(["HTTP_ACCEPT", "HTTP_ACCEPT_LANGUAGE", "CONTENT_TYPE"]),
        st.text() | st.none() | st.integers(),
    )
)
def test_no_header_raises(environ: dict[str, object]) -> None:
    """Whatever a server passes on."""
    for read in READERS:
        read(environ)


READERS: list[Callable[[dict[str, object]], object]] = [
    headers.media_types,
    headers.languages,
    headers.content_type,
    headers.framed,
    lambda environ: headers.value(environ, "HTTP_REFERER"),
]


@pytest.mark.parametrize("worst", LISTS)
def test_twice_the_length_takes_no_longer(worst: str) -> None:
    """Up to a megabyte, for the worst that each parser can be given."""

    def seconds(size: int) -> float:
        text = LISTS[worst](size)
        names = "HTTP_ACCEPT HTTP_ACCEPT_LANGUAGE HTTP_REFERER CONTENT_TYPE HTTP_SEC_FETCH_DEST"
        environ: dict[str, object] = dict.fromkeys(names.split(), text)
        best = 1.0
        for _ in range(5):
            begun = time.process_time()
            for read in READERS:
                read(environ)
            best = min(best, time.process_time() - begun)
        return best

    assert seconds(1_000_000) <= 2.5 * seconds(500_000) + seconds(2_000)
    # Linear would pass that, and may still be seconds.
    assert seconds(1_000_000) <= 10 * seconds(2_000)
