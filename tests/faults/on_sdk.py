"""sentry-sdk under the names that the scenarios call, which are raven's: by its documentation, and
with the kit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import sentry_sdk
from flask import Flask
from sentry_sdk.integrations import iter_default_integrations
from sentry_sdk.transport import HttpTransport

from flask_sentry_kit import sentry_kit

# Which `init` imports; here they are imported once, and not by each scenario's process.
INTEGRATIONS = list(iter_default_integrations(True))


def _init(app: Flask, dsn: str) -> None:
    """Call ``init`` with what the scenario has set, under the SDK's names."""
    options: dict[str, Any] = {}
    for key, name in (("SENTRY_SAMPLE_RATE", "sample_rate"), ("SENTRY_RELEASE", "release")):
        if key in app.config:
            options[name] = app.config[key]
    # A transport that does more than send is a subclass of a transport of the reporter's.
    if "SENTRY_TRANSPORT" in app.config:
        options["transport"] = _before_sending(app.config["SENTRY_TRANSPORT"].before_sending)
    ca_certs = dict(parse_qsl(urlsplit(dsn).query)).get("ca_certs")
    sentry_sdk.init(dsn.partition("?")[0], ca_certs=ca_certs, **options)


def _before_sending(call: Any) -> type[HttpTransport]:
    class Transport(HttpTransport):
        def _send_request(self, body: bytes, *rest: Any, **more: Any) -> None:
            call(body)
            super()._send_request(body, *rest, **more)

    return Transport


class SdkRecipe:
    """The page of Sentry's documentation: it shows ``last_event_id()``."""

    shown_id = staticmethod(sentry_sdk.last_event_id)
    packages = ("sentry_sdk",)
    """Those whose locks are held at a fork."""

    def __init__(self, app: Flask, dsn: str, *, logging: bool = False, level: int = 0) -> None:
        # The SDK reports errors that are logged without being asked to.
        _init(app, dsn)

    def captureException(self, extra: dict[str, Any] | None = None) -> str | None:
        return sentry_sdk.capture_exception(extras=extra or {})

    def captureMessage(self, message: str, sample_rate: float | None = None) -> str | None:
        with _sampled(sample_rate):
            return sentry_sdk.capture_message(message)

    def tags_context(self, tags: dict[str, str]) -> None:
        sentry_sdk.set_tags(tags)

    def extra_context(self, extra: dict[str, Any]) -> None:
        for name, value in extra.items():
            sentry_sdk.set_extra(name, value)


class KitOnSdk:
    """The kit on the SDK, asked for what it does not do unasked: to add who is signed in, and to
    mask what the SDK's events say."""

    # The SDK's own make a child hang, with the kit or without.
    packages = ("flask_sentry_kit",)

    def __init__(self, app: Flask, dsn: str, *, logging: bool = False, level: int = 0) -> None:
        _init(app, dsn)
        app.config.setdefault("SENTRY_USER_ATTRS", ("is_authenticated", "is_anonymous"))
        app.config.setdefault("SENTRY_KIT_SCRUB", True)
        app.register_blueprint(sentry_kit)
        self.client = app.extensions["sentry"]
        """What the app's code finds, under raven's name for what does the work."""

    def captureMessage(self, message: str, sample_rate: float | None = None) -> Any:
        with _sampled(sample_rate):
            return self.client.captureMessage(message)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)


@contextmanager
def _sampled(sample_rate: float | None) -> Iterator[None]:
    """Have another rate for a while, as raven's methods take it; None changes nothing."""
    options = sentry_sdk.get_client().options
    before = options["sample_rate"]
    options["sample_rate"] = before if sample_rate is None else sample_rate
    try:
        yield
    finally:
        options["sample_rate"] = before
