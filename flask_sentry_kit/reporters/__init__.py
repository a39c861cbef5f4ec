"""Sends an app's events. The rest of the kit only uses the :class:`~.base.Reporter` interface."""

from .base import NoReporter, Reporter
from .choice import (
    choose_reporter,
    log_two_reporters,
    made_by_kit,
    sdk_is_installed,
    sdk_reports,
    uses_sdk,
    when_settled,
)
from .made import expected_dsn, made_for, reporter_for

__all__ = [
    "NoReporter",
    "Reporter",
    "choose_reporter",
    "expected_dsn",
    "log_two_reporters",
    "made_by_kit",
    "made_for",
    "reporter_for",
    "sdk_is_installed",
    "sdk_reports",
    "uses_sdk",
    "when_settled",
]
