"""Every address that an inbox has, taken from its own map, so that a new one is tested as well."""

from __future__ import annotations

from collections.abc import Iterator

from werkzeug.routing import Rule

from tests.support.inbox import EVENT_ID, RunningInbox

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_SENTRYS = ("wire.", "error_page.")
# An answer that has no end.
_ENDLESS = "stream"


def pages(served: RunningInbox, event_id: str = EVENT_ID) -> list[str]:
    """The paths that can be read and are not Sentry's, filled in for one kept event."""
    found = [_path(served, rule, event_id) for rule in _rules(served) if "GET" in _methods(rule)]
    assert len(found) > 5
    return found


def deeds(served: RunningInbox, event_id: str = EVENT_ID) -> list[tuple[str, str]]:
    """Method and path of all that can be changed."""
    found = [
        (method, _path(served, rule, event_id))
        for rule in _rules(served)
        for method in sorted(_methods(rule) - _READS)
    ]
    assert len(found) > 3
    return found


def _rules(served: RunningInbox) -> Iterator[Rule]:
    for rule in served.server.app.url_map.iter_rules():
        if not rule.endpoint.startswith(_SENTRYS) and _ENDLESS not in rule.rule:
            yield rule


def _methods(rule: Rule) -> set[str]:
    return set(rule.methods or ())


def _path(served: RunningInbox, rule: Rule, event_id: str) -> str:
    store = served.server.app.extensions["sentry_kit_inbox"].store
    kept = store.event(event_id)
    known = {
        "event_id": event_id,
        "key": kept.crash_key if kept else "0" * 16,
        "filename": "inbox.css",
    }
    adapter = served.server.app.url_map.bind("localhost")
    return adapter.build(
        rule.endpoint,
        {name: known.get(name, "1") for name in rule.arguments},
        method=sorted(_methods(rule))[0],
    )
