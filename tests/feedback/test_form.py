"""What a visitor typed, read and checked (feedback/form.py)."""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_sentry_kit.feedback import form


def environ(body: bytes, **more: Any) -> dict[str, Any]:
    return {
        "CONTENT_TYPE": "application/x-www-form-urlencoded; charset=UTF-8",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        **more,
    }


def typed(**fields: str) -> form.Submission:
    return form.read_submission(environ(urlencode(fields).encode()))


def test_words_are_kept_as_typed_but_for_what_disturbs() -> None:
    """Line ends become one kind, control characters go, everything else stays."""
    got = typed(comments=" one\r\ntwo\rthree\x00\x1b[31m <b>&\t😀 ", name=" Ada\r\n Love\x00lace ")
    assert got.comments == "one\ntwo\nthree[31m <b>&\t😀"
    assert got.name == "Ada Lovelace"


@pytest.mark.parametrize(
    "email",
    ["a@b.co", "first.last+tag@sub.shop.example", "o'hara@x-y.museum", "a@b.xn--p1ai", "a@1.2.io"],
)
def test_addresses_pass(email: str) -> None:
    """What mail servers and Sentry's form take is taken."""
    assert typed(comments="x", email=email).errors == {}


@pytest.mark.parametrize(
    "email",
    [
        "a",
        "@",
        "a@",
        "@b.co",
        "a@b",
        "a b@c.de",
        "a@b..co",
        ".a@b.co",
        "a@-b.co",
        "a@b.c",
        "a@b.c3",
        "a@b.co, c@d.ef",
    ],
)
def test_what_sentry_would_refuse_is_refused_here(email: str) -> None:
    """A report with such an address would come back with 400, long after the visitor left."""
    assert typed(comments="x", email=email).errors == {"email": "wrong"}


def test_an_international_domain_is_sent_in_ascii() -> None:
    """The visitor sees what was typed; Sentry gets what every mail check takes."""
    got = typed(comments="x", email="post@bücher.example")
    assert got.errors == {}
    assert got.email == "post@bücher.example"
    assert form.email_of(got) == "post@xn--bcher-kva.example"


def test_lengths_are_sentrys() -> None:
    """128 characters of name and 75 of address pass, one more does not."""
    assert typed(comments="x", name="ä" * 128).errors == {}
    assert typed(comments="x", name="ä" * 129).errors == {"name": "long"}
    local = "a" * (75 - len("@shop.example"))
    assert typed(comments="x", email=f"{local}@shop.example").errors == {}
    assert typed(comments="x", email=f"{local}a@shop.example").errors == {"email": "long"}


def test_the_limit_is_of_the_body() -> None:
    """16 kB pass, one byte more does not."""
    fits = b"comments=" + b"w" * (form.LIMIT - len(b"comments="))
    assert form.read_submission(environ(fits)).problem == ""
    assert form.read_submission(environ(fits + b"w")).problem == "large"


def test_a_cut_is_clean() -> None:
    """A body cut at 64 kB never shows half an escape or half a letter as a letter."""
    for shift in range(6):
        body = b"comments=" + b"w" * shift + b"%C3%A4" * 20_000
        words = form.read_submission(environ(body)).comments
        assert set(words) <= {"w", "ä", "\ufffd"}
        assert "\ufffd" not in words[:-1]


def test_an_input_without_an_end_is_not_waited_for() -> None:
    """With neither a length nor a server that ends the input, nothing is read."""

    class RenderLimitExceeded(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise AssertionError("read from an input that has no end")

    broken = {"CONTENT_LENGTH": "", "wsgi.input": RenderLimitExceeded()}
    assert form.read_submission({**environ(b""), **broken}).problem == "malformed"


def test_a_visitor_who_leaves_is_no_error() -> None:
    """A connection that breaks half way gives what came until then."""

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(10) or self.fail()

        def fail(self) -> bytes:
            raise ConnectionResetError

    got = form.read_submission(
        environ(b"", CONTENT_LENGTH="500", **{"wsgi.input": Broken(b"comments=half a st")})
    )
    assert got.comments == "half a st"


@given(
    st.binary(max_size=300) | st.text(alphabet="comentsailkw=&%+20;\n").map(str.encode),
    st.sampled_from(["application/x-www-form-urlencoded", "", "text/plain", "a/b; c=\xff"]),
    st.sampled_from(["", "0", "10", "-5", "many", "99999"]),
    st.booleans(),
)
def test_no_request_breaks_it(body: bytes, kind: str, length: str, terminated: bool) -> None:
    """Whatever a request is made of, reading it ends in an answer."""
    got = form.read_submission(
        {
            "CONTENT_TYPE": kind,
            "CONTENT_LENGTH": length,
            "wsgi.input": io.BytesIO(body),
            "wsgi.input_terminated": terminated,
        }
    )
    assert got.problem in ("", "type", "large", "malformed")
    assert "\x00" not in got.comments + got.name + got.email
