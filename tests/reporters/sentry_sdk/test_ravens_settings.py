"""raven's settings that hold with sentry-sdk too: docs/sentry-sdk.md."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from tests.support.sdk import Sdk
from tests.support.types import MakeApp
from tests.watch.ways import Broken


def with_a_voucher(app: Flask) -> None:
    @app.get("/x")
    def x() -> str:
        voucher = "spring-2026-yellow"
        raise Broken(len(voucher))


@pytest.mark.parametrize(
    "config",
    [
        {"SENTRY_SANITIZE_KEYS": ["voucher"]},
        {"SENTRY_SANITIZE_KEYS": ["other"], "SENTRY_CONFIG": {"sanitize_keys": ["voucher"]}},
        {"RAVEN_CONFIG": {"sanitize_keys": ["voucher"]}},
    ],
)
def test_sanitize_keys_are_found_where_raven_finds_them(
    config: dict[str, Any], sdk: Sdk, shop: MakeApp
) -> None:
    """In SENTRY_CONFIG first; they add to what SENTRY_KIT_SCRUB masks."""
    sdk.init()
    app = shop(with_a_voucher, SENTRY_KIT_SCRUB=True, **config)
    app.test_client().get("/x?my_voucher=winter-2026-green")
    event = sdk.event
    assert event["request"]["query_string"] == "my_voucher=********"
    frame = event["exception"]["values"][-1]["stacktrace"]["frames"][-1]
    assert frame["vars"]["voucher"] == "********"
