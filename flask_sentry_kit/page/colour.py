"""Makes an accent colour readable on the light and the dark page: contrast by WCAG 2.2."""

from __future__ import annotations

from typing import Final

LIGHT: Final = "#ffffff"
DARK: Final = "#16181d"
"""The page's backgrounds, the same as in crash.css."""

AA_TEXT: Final = 4.5
"""Smallest contrast between text and its background at level AA (WCAG 2.2, 1.4.3)."""


def _channels(colour: str) -> tuple[int, int, int]:
    digits = colour.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    return int(digits[0:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)


def _luminance(colour: str) -> float:
    red, green, blue = (
        level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4
        for level in (channel / 255 for channel in _channels(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG contrast ratio of two colours, ``#rgb`` or ``#rrggbb``: from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def readable(accent: str, background: str) -> str:
    """The accent, moved towards black or white until text in it is readable on the background.

    A colour that is readable already is returned unchanged, written as ``#rrggbb``.
    """
    goal = (0, 0, 0) if _luminance(background) > 0.18 else (255, 255, 255)
    start = _channels(accent)
    colour = "#{:02x}{:02x}{:02x}".format(*start)
    for percent in range(0, 101, 2):
        mixed = (round(a + (b - a) * percent / 100) for a, b in zip(start, goal, strict=True))
        colour = "#{:02x}{:02x}{:02x}".format(*mixed)
        if contrast(colour, background) >= AA_TEXT:
            break
    return colour


def text_on(background: str) -> str:
    """White or near-black, whichever is easier to read on the background."""
    return max(("#ffffff", "#101114"), key=lambda text: contrast(text, background))


def accent_rules(accent: str) -> str:
    """CSS that gives the page this accent, in light and dark; empty without one."""
    if not accent:
        return ""
    light, dark = (
        f":root{{--accent:{colour};--on-accent:{text_on(colour)}}}"
        for colour in (readable(accent, LIGHT), readable(accent, DARK))
    )
    return f"{light}\n@media (prefers-color-scheme:dark){{{dark}}}\n"
