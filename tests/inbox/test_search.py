"""The search's language: what a text means, and what is said about a text that means nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_sentry_kit.inbox.storage.search import (
    FIELDS,
    MAX_TERMS,
    Search,
    SearchError,
    moment_of,
    parse,
)

NOON = 1_793_534_400.0  # 2026-11-01T12:00Z


def facts(text: str) -> list[tuple[str, str, bool, bool]]:
    return [(one.field, one.value, one.negated, one.quoted) for one in parse(text).terms]


def test_every_field_is_read_with_its_value() -> None:
    """The examples of all fields are terms of these fields, and an empty text finds everything."""
    for name, example in FIELDS.items():
        assert [term.field for term in parse(example).terms] == [name]
        assert [term.negated for term in parse(f"-{example}").terms] == [True]
    assert facts("Tag.Plan:pro") == [("tag.Plan", "pro", False, False)]
    assert parse(" \n ").is_empty and not parse("a").is_empty


def test_values_in_quotes_are_taken_as_they_are() -> None:
    r"""Spaces, commas, colons and ``\"`` in quotes belong to the value."""
    assert facts(r'value:"no \"sum\" in C:\\, or D:\x" "foo:bar" -"a b"') == [
        ("value", 'no "sum" in C:\\, or D:\\x', False, True),
        ("", "foo:bar", False, True),
        ("", "a b", True, True),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "http://shop.example:8000/cart?a=b:c",
        "app://shop",
        "localhost:8000/cart",
        "cart.py:19",
        "C:\\shop",
        "Active::Record",
        "KeyError:",
        '{"a":1}',
    ],
)
def test_text_with_a_colon_as_logs_have_it_is_free_text(text: str) -> None:
    """An address, a file with its line, a path or a pasted exception needs no quotes."""
    assert facts(text) == [("", text, False, False)]


def test_hex_digits_are_a_reference() -> None:
    """8 to 32 of them without quotes, with or without dashes."""
    whole = "01234567-89ab-cdef-0123-456789ABCDEF"
    assert [one[0] for one in facts(f'4f2a91c0 {whole} 4f2a91c "4f2a91c0" {"a" * 33}')] == [
        "reference",
        "reference",
        "",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2026-11-01", NOON - 43_200),
        ("2026-11-01T13:00", NOON + 3_600),
        ("2026-11-01T13:00:05Z", NOON + 3_605),
        ("2026-11-01 13:00+02:00", NOON - 3_600),
        ("30m", NOON - 1_800),
        ("2h", NOON - 7_200),
        ("3d", NOON - 259_200),
        ("2w", NOON - 1_209_600),
    ],
)
def test_a_moment_is_a_date_a_time_or_an_age(
    zone: Callable[[str], None], value: str, seconds: float
) -> None:
    """A time is in this machine's zone unless it has an offset, and an age is counted back from
    now."""
    zone("UTC0")
    assert moment_of(value, NOON) == seconds
    assert facts(f'after:"{value}"') == [("after", value, False, True)]


def test_a_moment_is_in_the_zone_that_the_pages_show(zone: Callable[[str], None]) -> None:
    """In winter and summer time, and also where a year has no neighbour."""
    zone("CET-1CEST,M3.5.0,M10.5.0/3")
    assert moment_of("2026-11-01T13:00", NOON) == NOON
    assert moment_of("2026-11-01T13:00Z", NOON) == NOON + 3_600
    assert moment_of("2026-07-01T14:00", NOON) == NOON - 123 * 86_400
    assert moment_of("0001-01-01", NOON) < 0 < moment_of("9999-12-31T23:59", NOON)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("foo:bar", 'no field "foo"'),
        ("foo:bar", "type:, value:, where:"),
        ("foo:bar", 'in quotes: "foo:bar"'),
        ("relese:1.2", "Did you mean release:"),
        ("env:prod", "Did you mean environment:"),
        ("tags.plan:pro", "Did you mean tag.NAME:"),
        ("tag.:pro", 'no field "tag."'),
        ("is:unred", "Did you mean is:unread?"),
        ("has:cats", "has:words, has:user, has:attachment"),
        ("type:", "such as type:KeyError"),
        ("before:2026-02-30", '"2026-02-30"'),
        ("after:2y", "2h, 3d or 2w"),
        ('a "free text', 'before "free text" is not closed'),
        ('"a"b', 'Behind the quotes of "a" a space'),
        ("a !!!", '"!!!" has neither a letter nor a digit'),
        ("a" * 501, "501 characters; at most 500"),
        ("a " * (MAX_TERMS + 1), "more than 20 terms"),
        ("x" * 480 + ":y", 'no field "' + "x" * 40 + "…"),
    ],
)
def test_what_is_no_search_is_explained(text: str, said: str) -> None:
    """The message names the word, what is accepted, and the nearest name."""
    with pytest.raises(SearchError) as caught:
        parse(text)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 500


PIECES = st.sampled_from(
    [*FIELDS.values(), "tag.a:", "-", '"', "\\", ":", "4f2a91c0", "*", " ", "é"]
)
TEXTS = st.one_of(
    st.text(max_size=60), st.lists(st.one_of(PIECES, st.text(max_size=4))).map("".join)
)


@settings(deadline=None)
@given(TEXTS)
def test_any_text_is_a_search_or_an_error_and_its_normal_form_is_the_same_search(text: str) -> None:
    """Nothing that is typed breaks the parser, and what it understood can be typed again."""
    try:
        found = parse(text)
    except SearchError as error:
        assert str(error)
        return
    assert isinstance(found, Search)
    assert parse(str(found)) == found
    assert str(parse(str(found))) == str(found)
