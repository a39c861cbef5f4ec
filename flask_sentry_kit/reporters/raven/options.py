"""Checks raven's settings at registration, so that a wrong type gives a clear error, and makes the
outbox from them. raven is not loaded for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from ...dsn import Dsn, FoundDsn, find_dsn
from ...outbox import Outbox
from ...settings import SettingError


def _names(value: Any) -> bool:
    # A plain string is iterable too, and would be read as single letters.
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)


def _mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _rate(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _length(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _seconds(value: Any) -> bool:
    try:
        return float(value) > 0
    except (TypeError, ValueError):
        return False


_OPTIONS: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "include_paths": (_names, "a list of module names"),
    "exclude_paths": (_names, "a list of module names"),
    "ignore_exceptions": (_names, "a list of exception classes and names"),
    "processors": (_names, "a list of processors' paths"),
    "sanitize_keys": (_names, "a list of names"),
    "user_attrs": (_names, "a list of attribute names"),
    "tags": (_mapping, "a dict"),
    "context": (_mapping, "a dict"),
    "repos": (_mapping, "a dict"),
    "sample_rate": (_rate, "a number from 0 to 1"),
    "timeout": (_seconds, "a number of seconds above 0"),
    "string_max_length": (_length, "a whole number above 0"),
    "list_max_length": (_length, "a whole number above 0"),
    "release": (_text, "a string"),
    "environment": (_text, "a string"),
    "name": (_text, "a string"),
    "site": (_text, "a string"),
    "dsn": (_text, "a string"),
}


def check_options(config: Mapping[str, Any], own: Any) -> None:
    """Check raven's options in the places where Flask apps set them.

    :param config: ``app.config``, with ``SENTRY_<NAME>`` keys.
    :param own: ``SENTRY_CONFIG``.
    :raises SettingError: the text names the setting, the given type and the accepted one.
    """
    if not isinstance(own, Mapping):
        raise SettingError(f"SENTRY_CONFIG takes a dict; got {type(own).__name__}")
    for name, (fits, takes) in _OPTIONS.items():
        for label, value in (
            (f"SENTRY_CONFIG[{name!r}]", own.get(name)),
            (f"SENTRY_{name.upper()}", config.get(f"SENTRY_{name.upper()}")),
        ):
            if value is not None and not fits(value):
                got = repr(value) if isinstance(value, int | float) else type(value).__name__
                raise SettingError(f"{label} takes {takes}; got {got}")


def check_configuration(config: Mapping[str, Any], dsn: object = None) -> FoundDsn:
    """Check an app's raven settings, and find its DSN.

    :param config: ``app.config``.
    :param dsn: the DSN given in code.
    :raises SettingError, DsnError: the text names the setting and shows no secret.
    """
    check_options(config, config.get("SENTRY_CONFIG") or config.get("RAVEN_CONFIG") or {})
    found = find_dsn(config, dsn)
    if found.text:
        check_dsn(found.text, found.setting)
    return found


def transport_options(dsn: Dsn | None) -> dict[str, str]:
    """The delivery options in a DSN's query: ``timeout``, ``verify_ssl``, ``ca_certs``."""
    return {
        name: value
        for name, value in (dsn.options if dsn else ())
        if name in ("timeout", "verify_ssl", "ca_certs")
    }


def check_dsn(text: object, setting: str) -> None:
    """Check a DSN and the transport options in its query.

    :raises SettingError, DsnError: the text names the setting and shows no secret.
    """
    given: dict[str, Any] = {**transport_options(Dsn.parse(text, setting))}
    if given:
        try:
            make_outbox(**given).close(0)
        except ValueError:
            # The message has no value in it, because text after the "?" may be a misplaced secret.
            raise SettingError(
                f"{setting} has a query that takes timeout=<seconds above 0>, verify_ssl=<0 or 1>"
                f" and ca_certs=<a readable file of CAs>; got something else for"
                f" {' or '.join(given)}"
            ) from None


def make_outbox(
    timeout: float | str = 5.0,
    verify_ssl: bool | str = True,
    ca_certs: str | None = None,
    *,
    spool: str | None = None,
    envelopes: bool = False,
    destination: str | None = None,
) -> Outbox:
    """An outbox from raven's transport options. See ``transport.OutboxTransport``.

    :param spool: path of the file for queued events, or None for memory.
    :param envelopes: whether events are sent as envelopes at once.
    :param destination: an address of the server that receives the events.
    """
    if isinstance(verify_ssl, str):
        verify_ssl = verify_ssl.strip().lower() not in ("0", "false", "no", "off")
    try:
        seconds = float(timeout)
    except ValueError:
        raise ValueError("timeout takes seconds, more than 0") from None
    return Outbox(
        timeout=seconds,
        verify_ssl=verify_ssl,
        ca_certs=ca_certs or None,
        spool=spool,
        envelopes=envelopes,
        destination=destination,
    )
