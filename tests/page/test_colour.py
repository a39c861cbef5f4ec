"""Every accent colour is made readable on the page (colour.py)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_sentry_kit.page import colour

COLOURS = st.from_regex(r"#([0-9a-f]{3}|[0-9a-f]{6})", fullmatch=True)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000", "#fff", 21),
        ("#fff", "#fff", 1),
        ("#777777", "#ffffff", 4.48),
        ("#767676", "#ffffff", 4.54),
        ("#ff0000", "#ffffff", 4.0),
    ],
)
def test_contrast_is_that_of_wcag(one: str, other: str, ratio: float) -> None:
    """The well-known pairs of WCAG's own examples."""
    assert colour.contrast(one, other) == pytest.approx(ratio, abs=0.01)
    assert colour.contrast(other, one) == colour.contrast(one, other)


@given(COLOURS)
def test_any_accent_can_be_read_in_light_and_dark(accent: str) -> None:
    """As text on the page, and under the text of a button, at level AA."""
    for background in (colour.LIGHT, colour.DARK):
        shown = colour.readable(accent, background)
        assert colour.contrast(shown, background) >= colour.AA_TEXT
        assert colour.contrast(shown, colour.text_on(shown)) >= colour.AA_TEXT


@given(COLOURS)
def test_a_readable_accent_stays_as_it_is(accent: str) -> None:
    """Only an unreadable accent is changed."""
    shown = colour.readable(accent, colour.LIGHT)
    assert colour.readable(shown, colour.LIGHT) == shown


def test_the_stylesheet_has_the_accent(stand: Any) -> None:
    """Yellow is too light on white: dark mode keeps it, light mode darkens it."""
    css = stand(SENTRY_KIT_BRAND={"accent": "#ffcc00"}).page.stylesheet.decode()
    light, dark = re.findall(r"--accent:(#[0-9a-f]{6})", css)
    assert dark == "#ffcc00"
    assert light != "#ffcc00"
    assert stand().page.stylesheet.decode() in css


def test_the_backgrounds_are_those_of_the_stylesheet(stand: Any) -> None:
    """Contrast is measured against the backgrounds that the page shows."""
    css = stand().page.stylesheet.decode()
    assert re.findall(r"--page: (#[0-9a-f]{6})", css) == [colour.LIGHT, colour.DARK]
