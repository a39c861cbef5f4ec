"""The list of crashes, the latest first: all that are not resolved, or what a search finds.

What is done to crashes from the list is in ``list_actions.py``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from ..arguments import number_of
from ..project import Project, current_project
from ..storage.records import CrashGroup
from ..storage.search import MAX_LENGTH, REFERENCE, Search, SearchError, parse
from ..storage.store import Store

bp = Blueprint("list_page", __name__)

PAGE: Final = 100
"""Crashes on one page."""

FOUND_WORDS: Final = 100
"""Visitors' words that one search shows, at most."""

_OPEN: Final = parse("-is:resolved")
_UNREAD: Final = "is:unread"

# Events that are looked at for one of which the reference is the beginning.
_NAMED: Final = 20

# Values of one kind that are offered as filters.
_OFFERED: Final = 4
_LONGEST_OFFERED: Final = 60


class View(NamedTuple):
    """A search that is offered as a link."""

    label: str
    q: str
    crashes: int = 0


def dsn_of(project: Project) -> str:
    """The DSN, with the address under which this page was requested."""
    return project.dsn(request.scheme, request.host).public


def read_search(text: str) -> Search:
    """The search that a list shows: all that is not resolved, if the text is empty.

    :raises SearchError: says what is wrong with the text.
    """
    return parse(text) if text else _OPEN


@bp.get("/")
def index() -> str | AnyResponse | tuple[str, int]:
    text = request.args.get("q", "").strip()
    if not text and "q" in request.args:
        # The box was emptied.
        return redirect(url_for("list_page.index"))
    try:
        search = read_search(text)
    except SearchError as error:
        return render_template("list.html", q=text[:MAX_LENGTH], search_error=str(error)), 400
    if page := _page_of_reference(search):
        return redirect(page)
    return render_template("list.html", q=text, **_found(text, search))


def _found(text: str, search: Search) -> dict[str, Any]:
    """What the list shows."""
    project = current_project()
    store, number = project.store, number_of("page", 1, 10_000)
    # Read first, so that nothing which changes in the meantime is missed.
    changes = store.changes()
    found = store.find(search, PAGE, (number - 1) * PAGE)
    written, unread_words = store.counts_without_crash()
    counts = store.counts()
    unread = counts.unread + (1 if unread_words else 0)
    with_words = number == 1 and (not text or (text == _UNREAD and unread_words > 0))
    return {
        "crashes": found.crashes,
        "total": found.total,
        "unread": unread,
        "views": _views(unread, counts.resolved),
        "offered": _offered(found.crashes, text),
        "shown": _shown(found.crashes),
        "latest": store.reports_without_crash(1) if with_words else [],
        "written": written,
        "unread_words": unread_words,
        "words_found": _words_found(store, search),
        "page": number,
        "more": number * PAGE < found.total,
        "nothing_arrived": not (text or counts.crashes or written),
        "dsn": dsn_of(project),
        "changes": changes,
    }


def _words_found(store: Store, search: Search) -> int:
    """How many of the visitors' messages have the search's text in them, up to `FOUND_WORDS`."""
    if any(term.field in ("", REFERENCE) and not term.negated for term in search.terms):
        return len(store.find_words(search, FOUND_WORDS))
    return 0


def _views(unread: int, resolved: int) -> list[View]:
    return [
        View("Open", ""),
        View("Unread", _UNREAD, unread),
        View("With words", "has:words"),
        View("Kept", "is:kept"),
        View("Resolved", "is:resolved", resolved),
    ]


def _shown(crashes: Sequence[CrashGroup]) -> frozenset[str]:
    """Which of environment and release rows show: those of which there is more than one here."""
    return frozenset(
        name
        for name in ("environment", "release")
        if len({getattr(crash, name) for crash in crashes} - {""}) > 1
    )


def _offered(crashes: Sequence[CrashGroup], text: str) -> list[View]:
    """Searches that leave a part of this page's crashes, by app, environment and release."""
    views = []
    for name in ("app", "environment", "release"):
        values = list(dict.fromkeys(value for crash in crashes if (value := getattr(crash, name))))
        if len(values) < 2:
            continue
        for value in values[:_OFFERED]:
            if re.search(r'["\\]', value) or len(value) > _LONGEST_OFFERED:
                continue
            term = f"{name}:{value}" if re.fullmatch(r"[\w.@/+-]+", value) else f'{name}:"{value}"'
            views.append(View(term, f"{text or '-is:resolved'} {term}"))
    return views


def _page_of_reference(search: Search) -> str | None:
    """The page of the event or the words that a reference names; None if there is not just one."""
    if [(term.field, term.negated) for term in search.terms] != [(REFERENCE, False)]:
        return None
    store, digits = current_project().store, search.terms[0].value.replace("-", "")
    event_id = digits if store.has_event(digits) else ""
    if not event_id:
        # The search also finds the digits in the text of events.
        found = [one["event_id"] for one in store.find_events(search, _NAMED)]
        begun = [one for one in found if one.startswith(digits)]
        if len(begun) > 1:
            return None
        event_id = next(iter(begun), "")
    if not event_id and (report := store.report_of_reference(digits)):
        if not store.has_event(report.event_id):
            return url_for("words_page.words", q=digits)
        event_id = report.event_id
    return url_for("event_page.event", event_id=event_id) if event_id else None
