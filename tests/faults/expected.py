"""What each column is expected to show: the fault, or that the rule holds."""

from __future__ import annotations

from .book import Scenario

_ONE_CLIENT = "sentry-sdk has one client for the process, whose DSN and options are all apps'"
_EXCLUSIONS = "logging_exclusions is an option of raven's; the SDK has ignore_logger()"
_INCLUDE_PATHS = "include_paths is an option of raven's: the SDK imports nothing by name"
_TIMEOUT = "the time-out is an option of raven's"
_COST = "benchmarks/ measures it: init() changes bare Flask too, in the whole process"
_NO_ADDRESS = "without send_default_pii the SDK sends no address"

# Of sentry-sdk, whoever uses it.
_OF_THE_SDK = {
    "E11a": _ONE_CLIENT,
    "E11b": _ONE_CLIENT,
    "E11c": _ONE_CLIENT,
    "A2a": _ONE_CLIENT,
    "A2b": _EXCLUSIONS,
    "A2c": _EXCLUSIONS,
    "A2d": _EXCLUSIONS,
    "P4a": _INCLUDE_PATHS,
    "P4b": _INCLUDE_PATHS,
    "P4c": _INCLUDE_PATHS,
    "A6d": _INCLUDE_PATHS,
    "V3a": _NO_ADDRESS,
    "V3b": _NO_ADDRESS,
    "V3c": _NO_ADDRESS,
    "D4b": "the SDK has no certificates of its own: they are the system's or certifi's",
    "D7b": _TIMEOUT,
    "D7c": _TIMEOUT,
    "A6a": _COST,
    "A6b": _COST,
}

_FETCH_GIT_SHA = "fetch_git_sha is a function of raven's"
_HEADER = "only raven and the kit have the header X-Sentry-ID"
_QUERY = "the SDK does not mask the query in the request either (V7f)"

_MADE_BY_SDK = "the SDK makes the event"
_SENT_BY_SDK = "the SDK sends the event; the kit's outbox has the visitor's words"
_READ_BY_SDK = "init() reads the DSN"

NOT_ASKED: dict[str, dict[str, str]] = {
    "sentry-sdk": {
        **_OF_THE_SDK,
        **{f"A1{letter}": _FETCH_GIT_SHA for letter in "abcdef"},
        "E3b": _HEADER,
        "E5": _HEADER,
        "E7c": "g.sentry_event_id is raven's; the recipe calls last_event_id()",
        "V7q": _QUERY,
        "V7r": _QUERY,
        "A4c": _ONE_CLIENT,
    },
    "kit on sentry-sdk": {
        **_OF_THE_SDK,
        "V8c": _MADE_BY_SDK,
        "V8d": _MADE_BY_SDK,
        "A6c": _MADE_BY_SDK,
        "E3c": _SENT_BY_SDK,
        "D3a": _SENT_BY_SDK,
        "D6c": _SENT_BY_SDK,
        "A3": _SENT_BY_SDK,
        "A4a": "it is init(), which the app calls, that takes sys.excepthook",
        "A5b": _READ_BY_SDK,
        "A5c": _READ_BY_SDK,
        "A5d": _READ_BY_SDK,
    },
}
"""Why a row is not asked of a column, by column and row."""

SDK_SHOWS = {
    "P3a": "page lost",
    "P3b": "page lost",
    "E3c": "on the page, no event",
    "E7a": "no event",
    "E7b": "no event",
    "V5": "no user",
    "V6a": "no user",
    "V6b": "no user",
    "V7c": "in request",
    "V7d": "in request",
    "V7e": "in request",
    "V7f": "in exception, request",
    "V7g": "in exception, request",
    "V7i": "in request",
    "V7k": "in request",
    "V7l": "in request",
    "V7n": "in exception",
    "V7o": "in exception",
    "V7p": "in extra",
    "V8b": r"\d\d,\d{3},\d{3} bytes",
    "V8c": r"\d{3},\d{3} bytes",
    "V8d": r"9\d\d frames",
    "D3a": "secret elsewhere",
    "D3b": "nothing was logged",
    "D5a": "1500 waiting",
    "D6c": r"^\d of 10",
    "D8a": "hangs",
    "A3": r"^\d\d+ events",
    "A4a": "sys.excepthook is",
    "A5b": "no event",
    "A5c": "accepted",
    "A5d": "BadDsn",
    "A6c": r"read \d\d+ times",
}
"""Where sentry-sdk's recipe shows the fault too, by row: what is seen, as measured with 2.75.0. In
all other rows that it is asked the rule holds."""


def expected(scenario: Scenario, who: str) -> str:
    """``fault`` or ``holds``; empty where the scenario is not asked of this column."""
    if who == "raven":
        return "fault" if scenario.raven_too else ""
    if scenario.row in NOT_ASKED.get(who, {}):
        return ""
    return "fault" if who == "sentry-sdk" and scenario.row in SDK_SHOWS else "holds"


def in_suite(scenario: Scenario, who: str) -> bool:
    """Whether the test suite plays it; ``make faults`` plays all.

    Of sentry-sdk's columns the suite has the rows about page and event, and the first of each
    number about the visitor: of the recipe where it shows the fault, of the kit wherever it is
    asked. Of raven's, which changes no more, it has every third number.
    """
    if who == "raven":
        return scenario.place[1] % 3 == 1
    if "sentry-sdk" not in who:
        return True
    group, letter = scenario.row[0], scenario.place[2]
    chosen = group in "PE" or (group == "V" and letter in ("", "a"))
    return chosen and ("kit" in who or scenario.row in SDK_SHOWS)


def seen(scenario: Scenario, who: str) -> str | None:
    """The pattern that what is seen matches where the fault is expected; None where it is not."""
    if expected(scenario, who) != "fault":
        return None
    return scenario.seen if who == "raven" else SDK_SHOWS[scenario.row]
