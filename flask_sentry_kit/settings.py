"""Every option of the kit in one table: name, type, default, meaning, check.

The table is the one source: reading, checking, the keywords of ``SentryKit`` and the docs page
come from it. raven's own ``SENTRY_*`` settings are raven's to read; they are not in it.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from flask import Flask

from .files import UnsafeFileError, check_private_file

PREFIX: Final = "SENTRY_KIT_"

RAVEN_JS_URL: Final = "https://cdn.ravenjs.com/3.27.2/raven.min.js"
RAVEN_JS_INTEGRITY: Final = (
    "sha384-e60dCEaejvFExzUgCu7BVrscuoUciSkDwR8XL0q/MFjnXvaWVzTWQ5JrMo21RV7e"
)


class SettingError(ValueError):
    """A setting that cannot work: its text names the setting, what it got and what it takes."""


class _Unfit(Exception):
    """Raised by a check, with what the setting takes instead."""


@dataclass(frozen=True, slots=True)
class RavenJs:
    """Which script defines ``Raven`` on the page. ``url`` is None for the bundled loader."""

    url: str | None = None
    integrity: str | None = None


@dataclass(frozen=True, slots=True)
class Brand:
    """What makes the page the app's own. Empty strings are left out of the page."""

    name: str = ""
    logo_url: str = ""
    home_url: str = ""
    support_email: str = ""
    accent: str = ""


@dataclass(frozen=True, slots=True)
class LoggingOptions:
    """Which log records become events."""

    level: int = logging.NOTSET
    exclusions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in a time."""

    count: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table."""

    name: str
    """As in ``app.config``; the keyword of ``SentryKit`` is the rest, in small letters."""
    takes: str
    default: Any
    meaning: str
    check: Callable[[Any], Any]
    """Returns what the rest of the kit reads; raises ``_Unfit`` where the value cannot work."""

    @property
    def keyword(self) -> str:
        return self.name.removeprefix(PREFIX).lower()


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise _Unfit


def _web_url(value: Any) -> str:
    # What ends up in src= must be fetched over the web or from this host, and be one address.
    if isinstance(value, str) and re.fullmatch(r"(?:https?:/)?/[^\s\"'<>\\]*", value):
        return value
    raise _Unfit


def _raven_js(value: Any) -> RavenJs:
    if value == "bundled":
        return RavenJs()
    if value == "cdn":
        return RavenJs(RAVEN_JS_URL, RAVEN_JS_INTEGRITY)
    if isinstance(value, str):
        return RavenJs(_web_url(value))
    if isinstance(value, Mapping) and "url" in value and set(value) <= {"url", "integrity"}:
        integrity = value.get("integrity")
        if integrity is None:
            return RavenJs(_web_url(value["url"]))
        if isinstance(integrity, str) and re.fullmatch(
            r"sha(?:256|384|512)-[A-Za-z0-9+/]+={0,2}(?: sha(?:256|384|512)-[A-Za-z0-9+/]+={0,2})*",
            integrity,
        ):
            return RavenJs(_web_url(value["url"]), integrity)
    raise _Unfit


def _dialog(value: Any) -> Mapping[str, Any] | None:
    if value is False:
        return None
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise _Unfit
    fixed = {"eventId", "dsn"} & set(value)
    if fixed:
        # They belong to the crash; a fixed one would tie every report to one event.
        raise _Unfit
    if not all(isinstance(item, str | int | float | bool | Mapping) for item in value.values()):
        raise _Unfit
    return dict(value)


def _template(value: Any) -> str:
    if isinstance(value, str) and value:
        return value
    raise _Unfit


def _brand(value: Any) -> Brand:
    if not isinstance(value, Mapping) or not set(value) <= set(Brand.__slots__):
        raise _Unfit
    if not all(isinstance(item, str) for item in value.values()):
        raise _Unfit
    brand = Brand(**value)
    for url in (brand.logo_url, brand.home_url):
        if url:
            _web_url(url)
    if brand.support_email and not re.fullmatch(
        r"[^@\s<>\"'?&]+@[^@\s<>\"'?&]+", brand.support_email
    ):
        raise _Unfit
    if brand.accent and not re.fullmatch(r"#(?:[0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})", brand.accent):
        raise _Unfit
    return brand


def _spool(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, str | os.PathLike) and os.fspath(value):
        path = os.fspath(value)
        if isinstance(path, str) and "\0" not in path:
            check_private_file(path, "The spool")
            return path
    raise _Unfit


def _level(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str):
        number = logging.getLevelName(value.upper())
        if isinstance(number, int):
            return number
    raise _Unfit


def _logging(value: Any) -> LoggingOptions | None:
    if value is False or value is None:
        return None
    if value is True:
        return LoggingOptions()
    if isinstance(value, Mapping):
        if not set(value) <= {"level", "exclusions"}:
            raise _Unfit
        exclusions = value.get("exclusions", ())
        if isinstance(exclusions, str) or not all(isinstance(name, str) for name in exclusions):
            raise _Unfit
        return LoggingOptions(_level(value.get("level", logging.NOTSET)), tuple(exclusions))
    return LoggingOptions(_level(value))


def _rate(value: Any) -> Rate | None:
    if value is None:
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,8})/(second|minute|hour|day)", value, re.ASCII)
    if found is None:
        raise _Unfit
    seconds = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
    return Rate(int(found[1]), seconds[found[2]])


def _user(value: Any) -> Callable[[], Mapping[str, Any] | None] | None:
    if value is None or callable(value):
        found: Callable[[], Mapping[str, Any] | None] | None = value
        return found
    raise _Unfit


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, str | Mapping) or not all(isinstance(name, str) for name in value):
        raise _Unfit
    return tuple(value)


def _reporter(value: Any) -> str:
    if value in ("auto", "raven"):
        return str(value)
    raise _Unfit


SETTINGS: Final = (
    Setting(
        "SENTRY_KIT_RAVEN_JS",
        '"bundled", "cdn", an address, or {"url", "integrity"}',
        "bundled",
        "The script that defines Raven on the page: our own small loader, Raven JS 3.27.2 from"
        " its CDN with its integrity hash, or your own copy.",
        _raven_js,
    ),
    Setting(
        "SENTRY_KIT_DIALOG",
        "a dict of showReportDialog options without eventId and dsn, or False",
        {},
        "Further options of Raven.showReportDialog (title, subtitle, labelName, lang …);"
        " False: no hosted dialog.",
        _dialog,
    ),
    Setting("SENTRY_KIT_FEEDBACK", "True or False", True, "The page's own form.", _flag),
    Setting(
        "SENTRY_KIT_FEEDBACK_LIMIT",
        '"<number>/<second, minute, hour or day>", or None',
        "20/minute",
        "How many reports one address may send to one process; None: no limit. Behind a proxy it"
        " needs Werkzeug's ProxyFix and is not applied without it, because all visitors would"
        " share one address.",
        _rate,
    ),
    Setting(
        "SENTRY_KIT_PREFILL",
        "True or False",
        True,
        "Fill in the signed-in user's name and email address in dialog and form.",
        _flag,
    ),
    Setting(
        "SENTRY_KIT_PII",
        "True or False",
        True,
        "Whether events hold the visitor's address and the page they came from. False: neither,"
        " and nothing is filled in whatever SENTRY_KIT_PREFILL says.",
        _flag,
    ),
    Setting(
        "SENTRY_KIT_TEMPLATE",
        "the name of a template",
        "500.html",
        "The page's template: the app's own, if it has one of this name, else the bundled one.",
        _template,
    ),
    Setting(
        "SENTRY_KIT_BRAND",
        "a dict with any of name, logo_url, home_url, support_email and accent (#rrggbb)",
        {},
        "What makes the page the app's own.",
        _brand,
    ),
    Setting(
        "SENTRY_KIT_SPOOL",
        "a path, or None",
        None,
        "The file of the on-disk outbox: what waits there survives a restart.",
        _spool,
    ),
    Setting(
        "SENTRY_KIT_LOGGING",
        'True, False, a level, or {"level", "exclusions"}',
        False,
        "Log records become events too.",
        _logging,
    ),
    Setting(
        "SENTRY_KIT_USER",
        "a callable that returns a dict or None",
        None,
        "Who is signed in, for apps without Flask-Login: id, email, username and what else"
        " the event shall hold.",
        _user,
    ),
    Setting(
        "SENTRY_KIT_APIS",
        "a list of blueprints' names",
        (),
        "Blueprints that are APIs: a crash in one is answered with problem+json to every client"
        " that takes it.",
        _names,
    ),
    Setting(
        "SENTRY_KIT_REPORTER",
        '"auto" or "raven"',
        "auto",
        "What sends the events.",
        _reporter,
    ),
)

_BY_NAME: Final = {setting.name: setting for setting in SETTINGS}
_BY_KEYWORD: Final = {setting.keyword: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one app, checked; one attribute a row of the table."""

    raven_js: RavenJs
    dialog: Mapping[str, Any] | None
    """None: no hosted dialog."""
    feedback: bool
    feedback_limit: Rate | None
    """None: no limit."""
    prefill: bool
    """False too where ``pii`` is."""
    pii: bool
    template: str
    brand: Brand
    spool: str | None
    logging: LoggingOptions | None
    """None: log records are left alone."""
    user: Callable[[], Mapping[str, Any] | None] | None
    apis: tuple[str, ...]
    reporter: str


def _closest(name: str, known: Mapping[str, Setting]) -> str:
    # Without what all of them begin with, which would make any name look like another.
    by_tail = {one.removeprefix(PREFIX): one for one in known}
    near = get_close_matches(name.removeprefix(PREFIX), by_tail, n=1)
    return f"; did you mean {by_tail[near[0]]}?" if near else f"; there are {', '.join(known)}"


def check_keywords(keywords: Mapping[str, Any]) -> None:
    """Check keywords of ``SentryKit`` early, before there is an app.

    :raises SettingError: names the keyword, what it got and what it takes.
    """
    for keyword, value in keywords.items():
        if keyword not in _BY_KEYWORD:
            raise SettingError(
                f"SentryKit() has no option {keyword!r}{_closest(keyword, _BY_KEYWORD)}"
            )
        _checked(_BY_KEYWORD[keyword], value, f"SentryKit({keyword}=…)")


def _checked(setting: Setting, value: Any, name: str) -> Any:
    try:
        return setting.check(value)
    except UnsafeFileError as error:
        raise SettingError(f"{name}: {error}") from None
    except Exception as error:
        if value is None:
            # As of os.environ.get(…) in a config class: where None has no meaning of its own, the
            # setting is not set.
            return setting.check(setting.default)
        # The value itself may be a secret pasted into the wrong line: its kind says enough.
        got = repr(value) if isinstance(value, bool | int | float) else type(value).__name__
        if isinstance(value, Mapping):
            got = f"a dict with {', '.join(map(repr, value)) or 'nothing'}"
        raise SettingError(f"{name} takes {setting.takes}; got {got}") from (
            None if isinstance(error, _Unfit) else error
        )


def read(config: Mapping[str, Any], overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the kit's settings.

    :param config: ``app.config``.
    :param overrides: keywords of ``SentryKit``, which win over ``app.config``.
    :raises SettingError: for an unknown ``SENTRY_KIT_*`` key or a value that cannot work;
        names the key, what it got and what it takes.
    """
    for key in config:
        if isinstance(key, str) and key.startswith(PREFIX) and key not in _BY_NAME:
            raise SettingError(f"There is no setting {key}{_closest(key, _BY_NAME)}")
    overrides = overrides or {}
    check_keywords(overrides)
    values = {}
    for setting in SETTINGS:
        if setting.keyword in overrides:
            value, name = overrides[setting.keyword], f"SentryKit({setting.keyword}=…)"
        else:
            value, name = config.get(setting.name, setting.default), setting.name
        values[setting.keyword] = _checked(setting, value, name)
    values["prefill"] = values["prefill"] and values["pii"]
    return Settings(**values)


_EXTENSION: Final = "sentry_kit_settings"


def settings_of(app: Flask) -> Settings:
    """An app's settings: those it was set up with, else what its config says, read once.

    :raises SettingError: as :func:`read` does.
    """
    found = app.extensions.get(_EXTENSION)
    if not isinstance(found, Settings):
        found = app.extensions[_EXTENSION] = read(app.config)
    return found


def set_up(app: Flask, overrides: Mapping[str, Any]) -> Settings:
    """Read an app's settings when the kit is registered, and keep them for it.

    :param overrides: keywords of ``SentryKit``, which win over ``app.config``.
    :raises SettingError: as :func:`read` does.
    """
    found = app.extensions[_EXTENSION] = read(app.config, overrides)
    return found
