"""The page of visitors' words: those about no crash that is here, or those that a search finds."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from ..arguments import LARGEST, number_of
from ..project import current_project
from ..storage.reads import LONG_WORDS
from ..storage.records import Report
from ..storage.search import SearchError
from ..storage.store import Store
from .list_page import FOUND_WORDS, read_search

bp = Blueprint("words_page", __name__)

_WITHOUT_CRASH: Final = 50


@bp.get("/words/")
def words() -> str | AnyResponse:
    """What visitors wrote about no crash, or about one that is not here; the latest first.

    With a search: all that it finds, up to a hundred.
    """
    store = current_project().store
    if text := request.args.get("q", "").strip():
        return _words_found(text)
    number = number_of("page", 1, 10_000)
    # Read first, so that nothing which changes in the meantime is missed.
    changes = store.changes()
    written, unread = store.counts_without_crash()
    return render_template(
        "words.html",
        reports=store.reports_without_crash(_WITHOUT_CRASH, (number - 1) * _WITHOUT_CRASH),
        written=written,
        unread=unread,
        page=number,
        more=number * _WITHOUT_CRASH < written,
        most=LONG_WORDS - 1,
        changes=changes,
    )


def _words_found(text: str) -> str | AnyResponse:
    store = current_project().store
    try:
        search = read_search(text)
    except SearchError:
        # The list says what is wrong with it.
        return redirect(url_for("list_page.index", q=text))
    changes = store.changes()
    found = store.find_words(search, FOUND_WORDS)
    return render_template(
        "words_found.html",
        q=text,
        found=[(report, _event_page(store, report)) for report in found],
        most=LONG_WORDS - 1,
        changes=changes,
    )


def _event_page(store: Store, report: Report) -> str:
    """The page of the event that words are about; empty if it is not here."""
    if not store.has_event(report.event_id):
        return ""
    return url_for("event_page.event", event_id=report.event_id)


@bp.post("/words/<int:number>/read")
def mark_words_read(number: int) -> AnyResponse:
    """Mark words without a crash as read, up to those with this number."""
    current_project().store.mark_reports_read(min(number, LARGEST))
    return redirect(url_for("list_page.index"), 303)


@bp.post("/words/<int:number>/delete")
def delete_words(number: int) -> AnyResponse:
    current_project().store.delete_report(min(number, LARGEST))
    return redirect(url_for("words_page.words"), 303)
