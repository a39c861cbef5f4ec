"""Which client sends an app's events and why, and which settings have no effect with it."""

from __future__ import annotations

import os
import sys
from typing import Any, Final, NamedTuple

from flask import Flask

from ..kit import Kit
from ..reporters import made_by_kit, made_for, sdk_is_installed, sdk_reports, uses_sdk
from ..reporters.sentry_sdk.raven_settings import LOGGING, without_effect
from .finding import Finding


class Sender(NamedTuple):
    """What other findings say of the client that sends the events."""

    fate: str
    """What becomes of an event that cannot be sent now."""
    ca_certs: str = "in the DSN: ?ca_certs=/path/to/ca.pem"
    """Where it takes its CAs from."""
    uses_environment: bool = False
    """Whether it uses the proxies of the environment."""


KIT: Final = Sender("Events are queued and retried")
_RAVEN: Final = Sender("raven's own class drops events; what visitors write is queued and retried")
_SDK: Final = Sender(
    "sentry-sdk drops events; what visitors write is queued and retried",
    "in sentry_sdk.init(ca_certs=…)",
    uses_environment=True,
)


def sender_of(kit: Kit) -> Sender:
    """The client of an app."""
    if uses_sdk(kit.app):
        return _SDK
    return _RAVEN if kit.reporter.outbox is None else KIT


def look_at_reporter(app: Flask, kit: Kit) -> list[Finding]:
    """Who reports and why, a second reporter, and settings without effect."""
    client: Any = _sdk().get_client() if uses_sdk(app) else None
    findings = [_who(app, kit, client)]
    if kit.dsn is not None:
        findings += _second(app, kit, client)
    if client is not None:
        findings += _without_effect(app, kit, client)
    return findings


def _sdk() -> Any:
    return sys.modules.get("sentry_sdk")


def _who(app: Flask, kit: Kit, sdk_client: Any) -> Finding:
    who = _name(app, kit, sdk_client)
    if kit.dsn is None:
        return Finding("reporter", "ok", f"Nothing is reported. With a DSN it would be {who}")
    sampled = _sampling(kit, sdk_client)
    if sampled:
        what, do = sampled
        return Finding(
            "reporter",
            "note",
            f"{who}. {what}: the other crashes have no event, so their page has neither dialog nor"
            " form",
            f"{do} if visitors of every crash are to be heard.",
        )
    if sdk_client is None and kit.reporter.outbox is None:
        kind = type(client_of(kit)).__module__.partition(".")[0]
        return Finding(
            "reporter",
            "note",
            f"A client of {kind}'s own class sends the events: there is no queue, no spool and no"
            " retry for them. The check sends its marked event itself",
            "Use flask_sentry_kit.Sentry, or leave SENTRY_DSN to the kit.",
        )
    return Finding("reporter", "ok", who)


def _name(app: Flask, kit: Kit, sdk_client: Any) -> str:
    """The reporter in use, and what decided that."""
    chosen = f"SENTRY_KIT_REPORTER is {kit.settings.reporter!r}"
    is_open = kit.settings.reporter == "auto"
    if sdk_client is not None:
        why = "sentry_sdk.init() was called" if is_open else chosen
        return f"sentry-sdk {_sdk().VERSION}, since {why}"
    if not made_by_kit(app):
        return "raven, by the Sentry that the app made itself"
    if not is_open:
        return f"raven, since {chosen}"
    if not sdk_is_installed():
        return "raven, since sentry-sdk is not installed"
    initialised = getattr(_sdk(), "is_initialized", lambda: False)()
    return f"raven, since sentry_sdk.init() was {'given no DSN' if initialised else 'not called'}"


def _sampling(kit: Kit, sdk_client: Any) -> tuple[str, str] | None:
    """What keeps some crashes from having an event, and what to do about it."""
    if sdk_client is None:
        rate = getattr(client_of(kit), "sample_rate", 1) or 0
    elif sdk_client.options.get("error_sampler") is not None:
        return "error_sampler chooses the crashes that are sent", "Have it return 1 for all"
    else:
        rate = sdk_client.options.get("sample_rate", 1)
    return (f"sample_rate is {rate}", "Raise sample_rate to 1") if rate < 1 else None


def _second(app: Flask, kit: Kit, sdk_client: Any) -> list[Finding]:
    """A reporter besides the one in use."""
    if sdk_client is None:
        second = "sentry_sdk is initialised too" if sdk_reports() else ""
    else:
        own = app.extensions.get("sentry")
        second = "" if own is made_for(app) else "The app has made a Sentry too"
    if not second:
        return []
    return [
        Finding(
            "reporter",
            "broken" if kit.settings.reporter == "auto" else "note",
            f"{second}: each of the two sends an event of every crash, and the page shows the id of"
            " one",
            "Remove one of the two, to have one event of each crash.",
        )
    ]


def _without_effect(app: Flask, kit: Kit, sdk_client: Any) -> list[Finding]:
    """raven's settings that the app still has."""
    found = without_effect(app.config, os.environ, sdk_client.options, kit.dsn)
    if kit.settings.logging is not None:
        found.append(("SENTRY_KIT_LOGGING", LOGGING))
    if not found:
        return []
    names = ", ".join(name for name, _ in found)
    instead = "; ".join(f"{name}: {counterpart}" for name, counterpart in found)
    return [
        Finding(
            "reporter",
            "note",
            f"sentry-sdk does not read these settings, which are for raven: {names}",
            f"Remove them. In their place, {instead}.",
        )
    ]


def client_of(kit: Kit) -> Any:
    """The raven client behind an app's reporter, or None."""
    reporter: Any = kit.reporter
    found = getattr(reporter, "client", None)
    return found or getattr(getattr(reporter, "_sentry", None), "client", None)
