"""Writes times the same way in every place: list, crash page, Markdown.

Times are shown in one zone, this machine's: a page without a script cannot know its reader's.
`zone` names it. For programs `rfc3339` writes them in UTC.

Every function takes seconds since 1970; what is before that or after the year 3000 counts as 0.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Final

from markupsafe import Markup

_LATEST: Final = 32503680000

# Not by strftime, which writes them in the language that the process was set to.
_MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def short(at: float) -> str:
    """For a list: ``14:03`` today, ``yesterday``, ``3 Nov`` in this year, else ``Nov 2025``."""
    then, today = _local(at), datetime.now().date()
    if then.date() == today:
        return f"{then.hour:02}:{then.minute:02}"
    if then.date() == today - timedelta(days=1):
        return "yesterday"
    month = _MONTHS[then.month - 1]
    return f"{then.day} {month}" if then.year == today.year else f"{month} {then.year}"


def full(at: float) -> str:
    """Date and time with the zone's offset: ``2026-11-03 14:03:22 UTC+01:00``."""
    then = _local(at)
    return f"{then.replace(tzinfo=None).isoformat(' ', 'seconds')} {_offset(then)}"


def clock_only(at: float) -> str:
    """The time of day: ``14:03:22``."""
    return f"{_local(at):%H:%M:%S}"


def rfc3339(at: float) -> str:
    """In UTC, as RFC 3339 and the ``datetime`` of ``<time>`` have it:
    ``2026-11-03T13:03:22.250Z``."""
    then = datetime.fromtimestamp(_within(at), timezone.utc)
    return f"{then.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def element(at: float) -> Markup:
    """A ``<time>`` element: `short`, with `full` as its title, and `rfc3339` for programs."""
    # Nothing in it needs to be escaped.
    return Markup(f'<time datetime="{rfc3339(at)}" title="{full(at)}">{short(at)}</time>')


def zone() -> str:
    """The zone's name and offset now: ``CET (UTC+01:00)``, or just ``UTC``."""
    now = datetime.now().astimezone()
    name, offset = now.tzname() or "", _offset(now)
    # Some zones have no name of their own, but one such as "+03".
    return f"{name} ({offset})" if name[:1].isalpha() and name != offset else offset


def _local(at: float) -> datetime:
    return datetime.fromtimestamp(_within(at)).astimezone()


def _within(at: float) -> float:
    return at if 0 <= at <= _LATEST else 0


def _offset(then: datetime) -> str:
    offset = f"{then:%z}"
    return "UTC" if offset.strip("+-0") == "" else f"UTC{offset[:3]}:{offset[3:5]}"
