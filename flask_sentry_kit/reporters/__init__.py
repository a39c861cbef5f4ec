"""Sends an app's events. The rest of the kit only uses the :class:`~.base.Reporter` interface."""

from .base import NoReporter, Reporter
from .choice import choose_reporter, log_two_reporters, when_settled
from .made import expected_dsn, made_for, reporter_for

__all__ = [
    "NoReporter",
    "Reporter",
    "choose_reporter",
    "expected_dsn",
    "log_two_reporters",
    "made_for",
    "reporter_for",
    "when_settled",
]
