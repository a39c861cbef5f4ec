"""Every option of the kit in one table: name, type, default, meaning, check.

A setting is one field of :class:`Settings` with its row. Reading, checking, the keywords of
``SentryKit`` and the documentation are derived from it. raven reads its own ``SENTRY_*`` settings;
they are not in this table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, TypeVar

from . import setting_checks as check
from .setting_checks import (
    RAVEN_JS_INTEGRITY,
    RAVEN_JS_URL,
    Brand,
    InvalidValue,
    LoggingOptions,
    ProblemCallable,
    Rate,
    RavenJs,
    UserCallable,
)

if TYPE_CHECKING:
    from flask import Flask

__all__ = [
    "WITHOUT_DIALOG",
    "RAVEN_JS_INTEGRITY",
    "RAVEN_JS_URL",
    "SETTINGS",
    "Brand",
    "LoggingOptions",
    "Rate",
    "RavenJs",
    "Setting",
    "SettingError",
    "Settings",
    "check_keywords",
    "read_settings",
    "set_up_settings",
    "settings_of",
]

PREFIX: Final = "SENTRY_KIT_"

WITHOUT_DIALOG: Final = frozenset(("glitchtip", "bugsink", "spotlight"))
"""The servers whose hosted dialog the page leaves out. Bugsink and Spotlight have none; GlitchTip 6
keeps what is written in its own where no page shows it."""

T = TypeVar("T")


class SettingError(ValueError):
    """An invalid setting. The text names the setting, its value and the accepted values."""


def _row(*, takes: str, default: object, check: Callable[[Any], T], meaning: str) -> T:
    """One row of the table, as the value of a field of :class:`Settings`.

    :param takes: the accepted values, in words.
    :param default: the default, as an app would write it.
    :param check: returns the value in the form that the kit uses; raises ``InvalidValue``.
    :param meaning: the effect of the setting, in a sentence or two.
    """
    made: T = field(
        default_factory=lambda: check(default),
        metadata={"takes": takes, "default": default, "check": check, "meaning": meaning},
    )
    return made


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one app, checked. ``Settings()`` has every default."""

    raven_js: RavenJs = _row(
        takes='"bundled", "cdn", "browser", an address, or {"url", "integrity"}',
        default="bundled",
        check=check.raven_js,
        meaning="The script that defines Raven on the page: our own small loader, Raven JS 3.27.2"
        " from its CDN with its integrity hash, or your own copy."
        ' "browser": none, since your page has @sentry/browser, which opens the dialog.',
    )
    dialog: Mapping[str, Any] | None = _row(
        takes="a dict of showReportDialog options without eventId and dsn, or False",
        default={},
        check=check.dialog,
        meaning="Further options of showReportDialog (title, subtitle, labelName, lang …);"
        " False: no hosted dialog.",
    )
    """None: no hosted dialog, as always for a ``server`` that has none."""

    feedback: bool = _row(
        takes="True or False", default=True, check=check.flag, meaning="The page's own form."
    )
    feedback_limit: Rate | None = _row(
        takes='"<number>/<second, minute, hour or day>", or None',
        default="20/minute",
        check=check.rate,
        meaning="How many reports one address may send to one process; None: no limit. Behind a"
        " proxy it needs Werkzeug's ProxyFix and is not applied without it, because all visitors"
        " would share one address.",
    )
    """None: no limit."""

    prefill: bool = _row(
        takes="True or False",
        default=True,
        check=check.flag,
        meaning="Fill in the signed-in user's name and email address in dialog and form.",
    )
    """Also False if ``pii`` is False."""

    pii: bool = _row(
        takes="True or False",
        default=True,
        check=check.flag,
        meaning="Whether events hold the visitor's address and the page they came from. False:"
        " neither, and nothing is filled in whatever SENTRY_KIT_PREFILL says.",
    )
    template: str = _row(
        takes="the name of a template",
        default="500.html",
        check=check.template,
        meaning="The page's template: the app's own, if it has one of this name, else the bundled"
        " one.",
    )
    brand: Brand = _row(
        takes="a dict with any of name, logo_url, home_url, support_email and accent (#rrggbb)",
        default={},
        check=check.brand,
        meaning="What makes the page the app's own.",
    )
    spool: str | None = _row(
        takes="a path, or None",
        default=None,
        check=check.spool,
        meaning="The file of the on-disk outbox: what is queued there survives a restart.",
    )
    logging: LoggingOptions | None = _row(
        takes='True, False, a level, or {"level", "exclusions"}',
        default=False,
        check=check.log_records,
        meaning="Log records become events too.",
    )
    """None: log records do not become events."""

    user: UserCallable | None = _row(
        takes="a callable that returns a dict or None",
        default=None,
        check=check.user,
        meaning="Who is signed in, for apps without Flask-Login: id, email, username and what else"
        " the event should hold.",
    )
    apis: tuple[str, ...] = _row(
        takes="a list of blueprints' names",
        default=(),
        check=check.names,
        meaning="Blueprints that are APIs: a crash in one is answered with problem+json to every"
        " client that takes it.",
    )
    problem: ProblemCallable | None = _row(
        takes="a callable that takes an event's id or None and the exception, and returns a dict or"
        " a response",
        default=None,
        check=check.problem,
        meaning="An API's own form for the answer to a crash. It is asked wherever the kit would"
        " answer with problem+json. A dict is answered as JSON with status 500.",
    )
    replace_handlers: bool = _row(
        takes="True or False",
        default=False,
        check=check.flag,
        meaning="The kit answers every crash, in place of the app's own handlers for 500, for"
        " Exception and for HTTPException. Other errors are left to them. False: they stay.",
    )
    server: str = _row(
        takes='"auto", "sentry", "glitchtip", "bugsink" or "spotlight"',
        default="auto",
        check=check.server_name,
        meaning="Which server the DSN leads to, for the form in which it keeps the visitor's words."
        ' "auto" is right for Sentry, and finds out what others lack; "sentry" is for a self-hosted'
        " Sentry of 24.4.2 or later. With the last three the page leaves out the hosted dialog:"
        " Bugsink and Spotlight have none, and what is written in GlitchTip 6's own is shown to"
        " nobody.",
    )
    reporter: str = _row(
        takes='"auto", "raven" or "sentry-sdk"',
        default="auto",
        check=check.reporter_name,
        meaning='What sends the events. "auto": a Sentry that the app made itself, else sentry-sdk'
        " if it is initialised with a DSN by the first request, else raven.",
    )
    scrub: bool = _row(
        takes="True or False",
        default=False,
        check=check.flag,
        meaning="Mask secrets in the events of sentry-sdk too, by the same rules as in those that"
        " raven sends, where it is always done.",
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table."""

    keyword: str
    """The keyword of ``SentryKit``, and the attribute of :class:`Settings`."""
    takes: str
    default: Any
    check: Callable[[Any], Any]
    meaning: str

    @property
    def name(self) -> str:
        """The key in ``app.config``."""
        return PREFIX + self.keyword.upper()


SETTINGS: Final = tuple(Setting(row.name, **row.metadata) for row in fields(Settings))

_BY_NAME: Final = {setting.name: setting for setting in SETTINGS}
_BY_KEYWORD: Final = {setting.keyword: setting for setting in SETTINGS}


def _suggestion(name: str, known: Mapping[str, Setting]) -> str:
    from difflib import get_close_matches

    # Compared without the common prefix, which would make all names look alike.
    by_tail = {one.removeprefix(PREFIX): one for one in known}
    near = get_close_matches(name.removeprefix(PREFIX), by_tail, n=1)
    return f"; did you mean {by_tail[near[0]]}?" if near else f"; there are {', '.join(known)}"


def check_keywords(keywords: Mapping[str, Any]) -> None:
    """Check keywords of ``SentryKit`` early, before there is an app.

    :raises SettingError: names the keyword, its value and the accepted values.
    """
    for keyword, value in keywords.items():
        if keyword not in _BY_KEYWORD:
            raise SettingError(
                f"SentryKit() has no option {keyword!r}{_suggestion(keyword, _BY_KEYWORD)}"
            )
        _checked(_BY_KEYWORD[keyword], value, f"SentryKit({keyword}=…)")


def _checked(setting: Setting, value: Any, name: str) -> Any:
    try:
        return setting.check(value)
    except Exception as error:
        if isinstance(error, InvalidValue) and str(error):
            raise SettingError(f"{name}: {error}") from None
        if value is None:
            # os.environ.get(…) in a config class gives None. Unless None is an accepted value, the
            # setting counts as not set.
            return setting.check(setting.default)
        # The value may be a secret pasted into the wrong line, so only its type is shown.
        got = repr(value) if isinstance(value, bool | int | float) else type(value).__name__
        if isinstance(value, Mapping):
            got = f"a dict with {', '.join(map(repr, value)) or 'nothing'}"
        raise SettingError(f"{name} takes {setting.takes}; got {got}") from (
            None if isinstance(error, InvalidValue) else error
        )


def read_settings(
    config: Mapping[str, Any], overrides: Mapping[str, Any] | None = None
) -> Settings:
    """Read the kit's settings.

    :param config: ``app.config``.
    :param overrides: keywords of ``SentryKit``, which win over ``app.config``.
    :raises SettingError: for an unknown ``SENTRY_KIT_*`` key or an invalid value; names the key,
        its value and the accepted values.
    """
    for key in config:
        if isinstance(key, str) and key.startswith(PREFIX) and key not in _BY_NAME:
            raise SettingError(f"There is no setting {key}{_suggestion(key, _BY_NAME)}")
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
    if values["server"] in WITHOUT_DIALOG:
        values["dialog"] = None
    return Settings(**values)


_EXTENSION: Final = "sentry_kit_settings"


def settings_of(app: Flask) -> Settings:
    """An app's settings: those of its registration, else read once from its config.

    :raises SettingError: as :func:`read_settings` does.
    """
    found = app.extensions.get(_EXTENSION)
    if not isinstance(found, Settings):
        found = app.extensions[_EXTENSION] = read_settings(app.config)
    return found


def set_up_settings(app: Flask, overrides: Mapping[str, Any]) -> Settings:
    """Read an app's settings when the kit is registered, and store them on the app.

    :param overrides: keywords of ``SentryKit``, which win over ``app.config``.
    :raises SettingError: as :func:`read_settings` does.
    """
    found = app.extensions[_EXTENSION] = read_settings(app.config, overrides)
    return found
