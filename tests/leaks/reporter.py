"""One app with one reporter, in a process of its own, that crashes with each planted value.

``python -m tests.leaks.reporter <kit|raven|sentry-sdk|sentry-sdk-scrubbed> <dsn> <share>``
"""

from __future__ import annotations

import logging
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from flask import Flask

from .corpus import corpus
from .places import add_views, request_for

Flush = Callable[[], Any]


class _Raven:
    """raven's calls, which the kit has too."""

    def __init__(self, client: Any) -> None:
        self.extra, self.tags = client.extra_context, client.tags_context
        self.user = client.user_context
        self.breadcrumb = logging.getLogger("leaks").warning


class _SentrySdk:
    """sentry-sdk's, on the request's own scope."""

    def __init__(self, sdk: Any) -> None:
        self.user = sdk.set_user
        self._sdk = sdk
        self.breadcrumb = logging.getLogger("leaks").warning

    def tags(self, values: dict[str, Any]) -> None:
        for name, value in values.items():
            self._sdk.set_tag(name, value)  # 2.0 has no set_tags

    def extra(self, values: dict[str, Any]) -> None:
        for name, value in values.items():
            self._sdk.set_extra(name, value)


def _kit(app: Flask, dsn: str) -> tuple[Any, Flush]:
    from flask_sentry_kit import sentry_kit

    app.config.update(SENTRY_DSN=dsn, SENTRY_CONFIG={"enable_breadcrumbs": True})
    app.register_blueprint(sentry_kit)
    client = app.extensions["sentry"].client_of(app)
    return _Raven(client), lambda: client.flush(20)


def _raven(app: Flask, dsn: str) -> tuple[Any, Flush]:
    from raven.contrib.flask import Sentry
    from raven.transport.http import HTTPTransport

    app.config["SENTRY_CONFIG"] = {
        "transport": HTTPTransport,
        "processors": ["raven.processors.SanitizePasswordsProcessor"],
    }
    sentry = Sentry(app, dsn=dsn)
    return _Raven(sentry.client), lambda: None


def _sentry_sdk(app: Flask, dsn: str) -> tuple[Any, Flush]:
    import sentry_sdk

    return _SentrySdk(sentry_sdk), lambda: sentry_sdk.flush(20)


def _init_scrubbed(dsn: str) -> None:
    """sentry-sdk with all that it can send of a visitor, and the kit's scrubber over its events."""
    import sentry_sdk

    from flask_sentry_kit.event.build import running_request
    from flask_sentry_kit.event.masked_values import MaskedValues
    from flask_sentry_kit.event.noted_secrets import noted_secrets
    from flask_sentry_kit.event.scrub import Scrubber
    from flask_sentry_kit.event.scrub_event import scrub_event

    scrubber = Scrubber()
    noted: dict[str, MaskedValues] = {}

    def before_send(event: Any, hint: Any) -> Any:
        found = noted.pop(event["event_id"], None)
        scrub_event(event, scrubber, noted=found, request=running_request(None))
        return event

    class NotingScrubber:
        """The SDK's own scrubber, which removes values that a text may repeat."""

        def scrub_event(self, event: Any) -> None:
            noted[event["event_id"]] = noted_secrets(event, scrubber)
            own.scrub_event(event)

    sentry_sdk.init(dsn=dsn, send_default_pii=True, before_send=before_send)
    options = sentry_sdk.get_client().options
    own: Any = options["event_scrubber"]
    options["event_scrubber"] = NotingScrubber()


def main() -> None:
    who, dsn, share = sys.argv[1:]
    # sentry-sdk patches Flask, so it comes before the app.
    if who == "sentry-sdk":
        import sentry_sdk

        sentry_sdk.init(dsn=dsn)
    elif who == "sentry-sdk-scrubbed":
        _init_scrubbed(dsn)
    app = Flask("leaks")
    app.secret_key = "leaks"
    made = {"kit": _kit, "raven": _raven}.get(who, _sentry_sdk)
    reporter, flush = made(app, dsn)
    logging.getLogger().addHandler(logging.NullHandler())
    with tempfile.TemporaryDirectory() as folder:
        add_views(app, reporter, Path(folder))
        client = app.test_client(use_cookies=False)
        for number, one in enumerate(corpus(int(share))):
            client.open("/crash", **request_for(one.name, one.value, one.place))
            if number % 20 == 19:
                flush()
        flush()
    # What is sent after this is nothing of a case's.
    with urlopen(Request(f"http://{urlsplit(dsn).netloc.rpartition('@')[2]}/done", b"")):
        pass


if __name__ == "__main__":
    main()
