"""Types of the fixtures that are functions, for annotations."""

from __future__ import annotations

import threading
from collections.abc import Callable
from subprocess import Popen
from typing import Any

from flask import Flask

from flask_sentry_kit.outbox import Item, Outbox

from .sentry import RecordingSentry

NewSentry = Callable[..., RecordingSentry]
NewOutbox = Callable[..., Outbox]
MakeEvent = Callable[..., Item]
Spawn = Callable[..., "Popen[str]"]
MakeApp = Callable[..., Flask]
CrashEvent = Callable[..., "dict[str, Any]"]
Until = Callable[..., None]
Workers = Callable[[], "list[threading.Thread]"]
