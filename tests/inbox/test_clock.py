"""How the inbox writes a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from flask_sentry_kit.inbox import clock

NOON = 1793793802.25  # 2026-11-04 12:03:22.25 in UTC


def at(moment: datetime) -> float:
    return moment.timestamp()


def test_programs_read_utc_wherever_the_machine_is(zone: Callable[[str], None]) -> None:
    """RFC 3339 with milliseconds."""
    for name in ("UTC0", "CET-1CEST,M3.5.0,M10.5.0/3", "<+0545>-5:45"):
        zone(name)
        assert clock.rfc3339(NOON) == "2026-11-04T12:03:22.250Z"


def test_people_read_the_machines_zone_with_its_offset(zone: Callable[[str], None]) -> None:
    """In summer and winter, and in zones of odd offsets, or none."""
    zone("CET-1CEST,M3.5.0,M10.5.0/3")
    assert clock.full(NOON) == "2026-11-04 13:03:22 UTC+01:00"
    assert clock.full(NOON - 100 * 86_400) == "2026-07-27 14:03:22 UTC+02:00"
    assert clock.clock_only(NOON) == "13:03:22"
    zone("<+0545>-5:45")
    assert clock.full(NOON) == "2026-11-04 17:48:22 UTC+05:45"
    zone("UTC0")
    assert clock.full(NOON) == "2026-11-04 12:03:22 UTC"


def test_the_zone_is_named_once(zone: Callable[[str], None]) -> None:
    """By its name and offset, as far as it has them."""
    for name, said in (
        ("UTC0", "UTC"),
        ("EST5", "EST (UTC-05:00)"),
        ("<+0545>-5:45", "UTC+05:45"),
        ("GMT0", "GMT (UTC)"),
    ):
        zone(name)
        assert clock.zone() == said


def test_a_list_says_as_much_as_a_reader_needs() -> None:
    """The time today, the day this year, the month before that."""
    today = datetime.now().replace(hour=12, minute=3)
    assert clock.short(at(today)) == "12:03"
    assert clock.short(at(today - timedelta(days=1))) == "yesterday"
    assert clock.short(at(today.replace(year=today.year - 2, month=3, day=1))) == (
        f"Mar {today.year - 2}"
    )
    # A day of this year that is neither today nor yesterday.
    other = today.replace(month=6 if today.month < 4 else 2, day=9)
    assert clock.short(at(other)) == f"9 {'Jun' if other.month == 6 else 'Feb'}"


def test_a_time_that_is_none_breaks_nothing() -> None:
    """A client's clock and a damaged file may hold anything."""
    for wrong in (float("nan"), float("inf"), -1.0, 1e300):
        assert clock.rfc3339(wrong) == "1970-01-01T00:00:00.000Z"
        assert clock.short(wrong) and clock.full(wrong) and clock.clock_only(wrong)
