"""Checks the values of settings, and converts them to the form that the kit uses.

A check returns the converted value, or raises :class:`InvalidValue`. The table in ``settings.py``
assigns a check to each setting.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

RAVEN_JS_URL: Final = "https://cdn.ravenjs.com/3.27.2/raven.min.js"
RAVEN_JS_INTEGRITY: Final = (
    "sha384-e60dCEaejvFExzUgCu7BVrscuoUciSkDwR8XL0q/MFjnXvaWVzTWQ5JrMo21RV7e"
)

UserCallable = Callable[[], Mapping[str, Any] | None]
ProblemCallable = Callable[[str | None, BaseException], Any]


class InvalidValue(Exception):
    """Raised by a check for an invalid value.

    With a text, the setting's error shows that text; without one, it lists the accepted values.
    """


@dataclass(frozen=True, slots=True)
class RavenJs:
    """What opens the hosted dialog."""

    url: str | None = None
    """Of the script that defines ``Raven`` on the page; None: no other than our own file."""
    integrity: str | None = None
    sentry_browser: bool = False
    """The app's page has @sentry/browser, and nothing defines ``Raven``."""


@dataclass(frozen=True, slots=True)
class Brand:
    """The app's name, logo, addresses and colour. Empty strings are left out of the page."""

    name: str = ""
    logo_url: str = ""
    home_url: str = ""
    support_email: str = ""
    accent: str = ""


@dataclass(frozen=True, slots=True)
class LoggingOptions:
    """Selects the log records that become events."""

    level: int = logging.NOTSET
    exclusions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``count`` in ``seconds``."""

    count: int
    seconds: int


def flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise InvalidValue


def web_url(value: Any) -> str:
    # Goes into a src attribute: one address, on this host or with http or https.
    if isinstance(value, str) and re.fullmatch(r"(?:https?:/)?/[^\s\"'<>\\]*", value):
        return value
    raise InvalidValue


def raven_js(value: Any) -> RavenJs:
    if value == "bundled":
        return RavenJs()
    if value == "cdn":
        return RavenJs(RAVEN_JS_URL, RAVEN_JS_INTEGRITY)
    if value == "browser":
        return RavenJs(sentry_browser=True)
    if isinstance(value, str):
        return RavenJs(web_url(value))
    if isinstance(value, Mapping) and "url" in value and set(value) <= {"url", "integrity"}:
        integrity = value.get("integrity")
        if integrity is None:
            return RavenJs(web_url(value["url"]))
        if isinstance(integrity, str) and re.fullmatch(
            r"sha(?:256|384|512)-[A-Za-z0-9+/]+={0,2}(?: sha(?:256|384|512)-[A-Za-z0-9+/]+={0,2})*",
            integrity,
        ):
            return RavenJs(web_url(value["url"]), integrity)
    raise InvalidValue


def dialog(value: Any) -> Mapping[str, Any] | None:
    if value is False:
        return None
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise InvalidValue
    if {"eventId", "dsn"} & set(value):
        # They differ for each crash; fixed ones would attach every report to one event.
        raise InvalidValue
    if not all(isinstance(item, str | int | float | bool | Mapping) for item in value.values()):
        raise InvalidValue
    return dict(value)


def template(value: Any) -> str:
    if isinstance(value, str) and value:
        return value
    raise InvalidValue


def brand(value: Any) -> Brand:
    if not isinstance(value, Mapping) or not set(value) <= set(Brand.__slots__):
        raise InvalidValue
    if not all(isinstance(item, str) for item in value.values()):
        raise InvalidValue
    found = Brand(**value)
    for url in (found.logo_url, found.home_url):
        if url:
            web_url(url)
    if found.support_email and not re.fullmatch(
        r"[^@\s<>\"'?&]+@[^@\s<>\"'?&]+", found.support_email
    ):
        raise InvalidValue
    if found.accent and not re.fullmatch(r"#(?:[0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})", found.accent):
        raise InvalidValue
    return found


def spool(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, str | os.PathLike) and os.fspath(value):
        path = os.fspath(value)
        if isinstance(path, str) and "\0" not in path:
            from .files import UnsafeFileError, check_private_file  # loads SQLite

            try:
                check_private_file(path, "The spool")
            except UnsafeFileError as error:
                raise InvalidValue(str(error)) from None
            return path
    raise InvalidValue


def level(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str):
        number = logging.getLevelName(value.upper())
        if isinstance(number, int):
            return number
    raise InvalidValue


def log_records(value: Any) -> LoggingOptions | None:
    if value is False or value is None:
        return None
    if value is True:
        return LoggingOptions()
    if isinstance(value, Mapping):
        if not set(value) <= {"level", "exclusions"}:
            raise InvalidValue
        exclusions = value.get("exclusions", ())
        if isinstance(exclusions, str) or not all(isinstance(name, str) for name in exclusions):
            raise InvalidValue
        return LoggingOptions(level(value.get("level", logging.NOTSET)), tuple(exclusions))
    return LoggingOptions(level(value))


def rate(value: Any) -> Rate | None:
    if value is None:
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,8})/(second|minute|hour|day)", value, re.ASCII)
    if found is None:
        raise InvalidValue
    seconds = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
    return Rate(int(found[1]), seconds[found[2]])


def user(value: Any) -> UserCallable | None:
    if value is None or callable(value):
        return cast("UserCallable | None", value)
    raise InvalidValue


def problem(value: Any) -> ProblemCallable | None:
    if value is None or callable(value):
        return cast("ProblemCallable | None", value)
    raise InvalidValue


def names(value: Any) -> tuple[str, ...]:
    if isinstance(value, str | Mapping) or not all(isinstance(name, str) for name in value):
        raise InvalidValue
    return tuple(value)


def server_name(value: Any) -> str:
    if value in ("auto", "sentry", "glitchtip", "bugsink", "spotlight"):
        return str(value)
    raise InvalidValue


def reporter_name(value: Any) -> str:
    if value in ("auto", "raven", "sentry-sdk"):
        return str(value)
    raise InvalidValue
