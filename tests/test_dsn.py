"""A DSN taken apart: its addresses, its errors, and its secret that never shows."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_sentry_kit.dsn import (
    Dsn,
    DsnError,
    read_envelope_key,
    read_public_dsn,
    read_public_key,
    secrets_in,
)

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("text", "public", "store", "dialog"),
    [
        (
            "https://key:s3cr3t@sentry.io/1",
            "https://key@sentry.io/1",
            "https://sentry.io/api/1/store/",
            "https://sentry.io/api/embed/error-page/",
        ),
        (
            "http://key@localhost:9000/2",
            "http://key@localhost:9000/2",
            "http://localhost:9000/api/2/store/",
            "http://localhost:9000/api/embed/error-page/",
        ),
        (
            "https://key:s3cr3t@example.org/sub/path/3/",
            "https://key@example.org/sub/path/3",
            "https://example.org/sub/path/api/3/store/",
            "https://example.org/sub/path/api/embed/error-page/",
        ),
        (
            "https://key@[2001:db8::1]:9000/4",
            "https://key@[2001:db8::1]:9000/4",
            "https://[2001:db8::1]:9000/api/4/store/",
            "https://[2001:db8::1]:9000/api/embed/error-page/",
        ),
        (
            "sync+https://key:s3cr3t@Example.ORG/my-project?timeout=3&verify_ssl=0",
            "https://key@example.org/my-project",
            "https://example.org/api/my-project/store/",
            "https://example.org/api/embed/error-page/",
        ),
        (
            "  https://key@sentry.io/5\n",
            "https://key@sentry.io/5",
            "https://sentry.io/api/5/store/",
            "https://sentry.io/api/embed/error-page/",
        ),
        (
            "https://key@sentry.io:443/6",
            "https://key@sentry.io:443/6",
            "https://sentry.io:443/api/6/store/",
            "https://sentry.io:443/api/embed/error-page/",
        ),
    ],
)
def test_addresses(text: str, public: str, store: str, dialog: str) -> None:
    """Public DSN, store and dialog address keep scheme, port and path prefix, and no secret."""
    dsn = Dsn.parse(text)
    assert (dsn.public, dsn.store_url, dsn.error_page_url) == (public, store, dialog)
    assert str(dsn) == public
    assert SECRET not in repr(dsn)
    assert dsn.envelope_url == store.replace("/store/", "/envelope/")
    assert dsn.public.startswith(dsn.origin.partition("://")[0])


def test_parts() -> None:
    """Key, secret, project and the transport's options are kept apart."""
    dsn = Dsn.parse("https://key:s3cr3t@sentry.io/sub/7?timeout=3&verify_ssl=0")
    assert (dsn.public_key, dsn.secret_key, dsn.project, dsn.path) == ("key", SECRET, "7", "/sub")
    assert dsn.options == (("timeout", "3"), ("verify_ssl", "0"))
    assert Dsn.parse("https://key:@sentry.io/7").secret_key is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "a string is needed, not NoneType"),
        (5, "a string is needed, not int"),
        (b"https://key:s3cr3t@sentry.io/1", "a string is needed, not bytes"),
        ("", "scheme is neither"),
        ("sentry.io", "scheme is neither"),
        ("gopher://key:s3cr3t@sentry.io/1", "scheme is neither"),
        ("https://sentry.io/1", "no public key"),
        ("https://:s3cr3t@sentry.io/1", "no public key"),
        ("https://k<y:s3cr3t@sentry.io/1", "public key has characters"),
        ("https://key:s3cr3t@/1", "no host"),
        ("https://key:s3cr3t@sen<try.io/1", "host is malformed"),
        ("https://key:s3cr3t@-sentry.io/1", "host is malformed"),
        ("https://key:s3cr3t@[::1/1", "host is malformed"),
        ("https://key:s3cr3t@sentry.io:99999/1", "port"),
        ("https://key:s3cr3t/x@sentry.io/1", "percent-encoded"),
        ("https://key:s3cr3t@sentry.io", "no project"),
        ("https://key:s3cr3t@sentry.io/", "no project"),
        ('https://key:s3cr3t@sentry.io/"1', "project has characters"),
        ("https://key:s3cr3t@sentry.io/a<b/1", "path has characters"),
        ("https://key:s3cr3t@sentry.io/1#s3cr3t", "'#'"),
        ("https://key:s3c r3t@sentry.io/1", "white space"),
        ("https://key:s3cr3t@sentry.io/1\r\nX: y", "white space"),
    ],
)
def test_what_is_no_dsn(text: object, said: str) -> None:
    """The error names the setting, says what is wrong and how one looks, and shows no secret."""
    with pytest.raises(DsnError) as caught:
        Dsn.parse(text, "SENTRY_CONFIG['dsn']")
    message = str(caught.value)
    assert message.startswith("SENTRY_CONFIG['dsn'] is not a Sentry DSN: ")
    assert said in message
    assert "scheme://public_key[:secret]@host[:port][/path]/project" in message
    assert "cr3t" not in message
    assert caught.value.__cause__ is None


@given(st.text(max_size=60), st.text(max_size=20))
def test_any_text_is_a_dsn_or_a_dsn_error(before: str, after: str) -> None:
    """Nothing else is ever raised, and the secret is in no error and no address."""
    for text in (before, f"https://key:{SECRET}@{before}/{after}", f"{before}:{SECRET}@h/{after}"):
        try:
            dsn = Dsn.parse(text)
        except DsnError as error:
            shown = str(error)
        else:
            shown = f"{dsn} {dsn!r} {dsn.store_url} {dsn.error_page_url} {dsn.origin}"
            for char in "\"'<> \n\r":
                assert char not in dsn.public
        if SECRET not in before + after:
            assert SECRET not in shown.replace(f"'{SECRET}'", "") or "@h/" in text


def test_a_dsn_of_parts_reads_back_as_them() -> None:
    """Parts that came one by one make the DSN that has these parts, or an error, and no other."""
    dsn = Dsn.of("https://sentry.io:9000/sub", "key", "7", SECRET)
    assert dsn == Dsn.parse("https://key:s3cr3t@sentry.io:9000/sub/7")
    assert dsn.base_url == "https://sentry.io:9000/sub"
    for key, project in (("key:other", "7"), ("key", "sub/7"), ("k y", "7"), ("key", "")):
        with pytest.raises(DsnError, match="is not a Sentry DSN") as caught:
            Dsn.of("https://sentry.io", key, project, SECRET)
        assert SECRET not in str(caught.value)


def test_the_header_of_a_request_reads_back() -> None:
    """It holds the public key, and the secret where it is asked for; a server reads the key."""
    dsn = Dsn.parse("https://key:s3cr3t@sentry.io/7")
    plain = dsn.auth_header("kit/1")
    assert plain == "Sentry sentry_client=kit/1, sentry_version=7, sentry_key=key"
    full = dsn.auth_header("kit/1", protocol="6", timestamp=12, with_secret=True)
    assert full == (
        "Sentry sentry_timestamp=12, sentry_client=kit/1, sentry_version=6, sentry_key=key,"
        " sentry_secret=s3cr3t"
    )
    assert secrets_in(full) == secrets_in("https://key:s3cr3t@sentry.io/7") == [SECRET]
    assert secrets_in(plain) == []
    without = Dsn.parse(dsn.public).auth_header("kit/1", with_secret=True)
    assert "sentry_secret" not in without
    for name in ("X-Sentry-Auth", "Authorization"):
        assert read_public_key({name: full}, {"sentry_key": "other"}) == "key"


@pytest.mark.parametrize(
    ("headers", "query", "key"),
    [
        ({"X-Sentry-Auth": "sentry  sentry_key=a,sentry_version=7"}, {}, "a"),
        ({"X-Sentry-Auth": "Sentry sentry_version=7"}, {"sentry_key": "b"}, None),
        ({"Authorization": "Basic YTpi"}, {"sentry_key": "b"}, "b"),
        ({"X-Sentry-Auth": "Sentry "}, {"sentry_key": "b"}, None),
        ({"X-Sentry-Auth": "Sentry sentry_key"}, {}, ""),
        ({"X-Sentry-Auth": "Sentry " + "x=y," * 2_000 + "sentry_key=a"}, {}, None),
        ({}, {}, ""),
    ],
)
def test_a_server_finds_the_key(
    headers: dict[str, str], query: dict[str, str], key: str | None
) -> None:
    """In the header, in Authorization where that is Sentry's, else in the query; within bounds."""
    assert read_public_key(headers, query) == key


def test_an_envelope_may_hold_the_key() -> None:
    """The header of an envelope names the public DSN, and a server reads the key from it."""
    header = Dsn.parse("https://key:s3cr3t@sentry.io/7").envelope_header("e" * 32)
    assert header["event_id"] == "e" * 32
    assert header["dsn"] == "https://key@sentry.io/7"
    assert read_envelope_key(header) == "key"
    assert read_envelope_key({}) is None
    with pytest.raises(DsnError):
        read_envelope_key({"dsn": 5})


def test_the_dialogs_address_names_event_and_dsn() -> None:
    """A report goes where the dialog's own form goes; a DSN without its scheme is read as well."""
    dsn = Dsn.parse("https://key:s3cr3t@sentry.io/7")
    address, _, query = dsn.report_url("e" * 32).partition("?")
    assert address == dsn.error_page_url
    assert dict(parse_qsl(query)) == {"eventId": "e" * 32, "dsn": dsn.public}
    assert read_public_dsn(dsn.public) == Dsn.parse(dsn.public)
    assert read_public_dsn(dsn.public_with(None)).public_key == "key"
