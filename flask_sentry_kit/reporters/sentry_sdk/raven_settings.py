"""raven's settings, and what has their place with sentry-sdk: for the check, and for the table in
docs/sentry-sdk.md. Loads neither client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from ...dsn import Dsn


class RavenSetting(NamedTuple):
    """One setting of raven's client, as a key of ``SENTRY_CONFIG``."""

    name: str
    counterpart: str
    """What an app writes for the SDK, in Markdown; empty if the setting holds with it too."""
    remark: str = ""
    """What is different, in Markdown."""
    option: str = ""
    """The SDK's option of the same meaning and form, if there is one."""
    in_config_only: bool = False
    """Whether ``SENTRY_CONFIG`` alone has it: there is no ``SENTRY_<NAME>``."""


def _option(
    name: str, option: str, remark: str = "", *, with_value: str = "…", in_config_only: bool = False
) -> RavenSetting:
    counterpart = f"`sentry_sdk.init({option}={with_value})`"
    same = option if with_value == "…" else ""
    return RavenSetting(name, counterpart, remark, same, in_config_only)


_SCOPE: Final = "sentry_sdk.Scope.get_global_scope()"

RAVEN_SETTINGS: Final = (
    _option(
        "dsn",
        "dsn",
        "The SDK also reads `SENTRY_DSN` of the environment. It refuses raven's prefixes of the"
        " scheme (`sync+https`), and does not read `timeout`, `verify_ssl` and `ca_certs` in the"
        " DSN's query",
    ),
    _option(
        "release",
        "release",
        "Both read `SENTRY_RELEASE` and `HEROKU_SLUG_COMMIT` of the environment. Without any, the"
        " SDK takes the commit of the working directory if that is a git checkout",
    ),
    _option(
        "environment",
        "environment",
        "Both read `SENTRY_ENVIRONMENT` of the environment. Without any, the SDK sends"
        " `production`, raven nothing",
    ),
    _option("name", "server_name", "raven alone reads `SENTRY_NAME` of the environment"),
    RavenSetting("tags", f"`{_SCOPE}.set_tag(…)`", "once, after `init`"),
    RavenSetting(
        "context", f"`{_SCOPE}.set_extra(…)`", "once, after `init`; the SDK adds `sys.argv` itself"
    ),
    RavenSetting("site", f'`{_SCOPE}.set_tag("site", …)`'),
    _option(
        "include_paths",
        "in_app_include",
        "By default the SDK takes what lies in the working directory, outside of installed"
        " packages, for the app's own; raven what `Flask(…)` was named after",
    ),
    _option("exclude_paths", "in_app_exclude"),
    _option(
        "ignore_exceptions",
        "ignore_errors",
        "A class stands for its subclasses too, with both. A name is that of the class itself, with"
        " its module or without; raven's patterns (`shop.errors.*`) match nothing",
    ),
    _option(
        "sample_rate", "sample_rate", "A crash that is sampled out has no reference on its page"
    ),
    _option("processors", "before_send", "A function of event and hint", with_value="function"),
    RavenSetting(
        "sanitize_keys",
        "",
        "Read where `SENTRY_KIT_SCRUB` is True. Without that, the SDK's own `event_scrubber` masks",
    ),
    _option(
        "string_max_length",
        "max_value_length",
        "A variable has 400 characters at most with raven, 1,024 with 2.0; 2.75 does not cut one of"
        " 3,000",
    ),
    RavenSetting(
        "list_max_length",
        "nothing: the SDK sends 10 items of a list",
        "raven sends 50",
    ),
    _option("auto_log_stacks", "attach_stacktrace"),
    RavenSetting(
        "timeout",
        "nothing: the SDK has a time-out of its own",
        "30 s in 2.75, none in 2.0. The visitor's words have 5 s for an attempt, as with raven",
    ),
    _option(
        "transport",
        "transport",
        "Another class: `sentry_sdk.transport.Transport`. The visitor's words do not pass it",
        with_value="class",
    ),
    RavenSetting("repos", "nothing: Sentry finds the commits by the release"),
    _option("capture_locals", "include_local_variables", in_config_only=True),
    _option(
        "include_versions",
        "disabled_integrations",
        "2.0 has no such option",
        with_value="[ModulesIntegration()]",
        in_config_only=True,
    ),
    _option(
        "install_sys_hook",
        "disabled_integrations",
        "2.0 has no such option",
        with_value="[ExcepthookIntegration()]",
        in_config_only=True,
    ),
    _option("enable_breadcrumbs", "max_breadcrumbs", with_value="0", in_config_only=True),
    RavenSetting(
        "install_logging_hook",
        "`sentry_sdk.integrations.logging.ignore_logger(…)`",
        in_config_only=True,
    ),
)
"""What raven's Flask integration reads. ``SENTRY_USER_ATTRS`` is the kit's, with either."""

LOGGING: Final = "sentry_sdk.init(integrations=[LoggingIntegration(event_level=…)])"
"""In the place of ``SENTRY_KIT_LOGGING``."""

DSN_OPTIONS: Final = {
    "ca_certs": "sentry_sdk.init(ca_certs=…)",
    "verify_ssl": "sentry_sdk.init(ca_certs=…)",
    "timeout": "nothing",
}
"""In the place of what raven reads in a DSN's query."""


def without_effect(
    config: Mapping[str, Any],
    environ: Mapping[str, str],
    options: Mapping[str, Any],
    dsn: Dsn | None,
) -> list[tuple[str, str]]:
    """The settings that are there for raven, and that the SDK does not read.

    One whose value the SDK has too is left out: an app may hand it on from its configuration.

    :param config: ``app.config``.
    :param environ: the environment.
    :param options: the options of the SDK's client.
    :param dsn: its DSN.
    :returns: the name of each, without its value, and its counterpart as plain text.
    """
    found = []
    for row in RAVEN_SETTINGS:
        if row.counterpart:
            for name, value in _found(row, config, environ):
                if not _is_unset(value) and not (row.option and options.get(row.option) == value):
                    found.append((name, row.counterpart))
    for name, _ in () if dsn is None else dsn.options:
        if name in DSN_OPTIONS:
            found.append((f"{name} in the DSN", DSN_OPTIONS[name]))
    return [(name, counterpart.replace("`", "")) for name, counterpart in found]


def _found(
    row: RavenSetting, config: Mapping[str, Any], environ: Mapping[str, str]
) -> Iterator[tuple[str, Any]]:
    for label in ("SENTRY_CONFIG", "RAVEN_CONFIG"):
        own = config.get(label)
        if isinstance(own, Mapping) and own:
            yield f"{label}[{row.name!r}]", own.get(row.name)
            break  # raven reads one of the two
    if not row.in_config_only:
        name = f"SENTRY_{row.name.upper()}"
        yield name, config.get(name)
    if row.name == "ignore_exceptions":
        yield "RAVEN_IGNORE_EXCEPTIONS", config.get("RAVEN_IGNORE_EXCEPTIONS")
    if row.name == "name":
        yield "SENTRY_NAME in the environment", environ.get("SENTRY_NAME")


def _is_unset(value: Any) -> bool:
    return value is None or (isinstance(value, str | list | tuple | set | dict) and not value)
