"""The page of visitors' words about no crash that is here."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from ..arguments import LARGEST, number_of
from ..project import current_project
from ..storage.reads import LONG_WORDS

bp = Blueprint("words_page", __name__)

_WITHOUT_CRASH: Final = 50


@bp.get("/words/")
def words() -> str:
    """What visitors wrote about no crash, or about one that is not here; the latest first."""
    store = current_project().store
    number = number_of("page", 1, 10_000)
    written, unread = store.counts_without_crash()
    return render_template(
        "words.html",
        reports=store.reports_without_crash(_WITHOUT_CRASH, (number - 1) * _WITHOUT_CRASH),
        written=written,
        unread=unread,
        page=number,
        more=number * _WITHOUT_CRASH < written,
        most=LONG_WORDS - 1,
        changes=store.changes(),
    )


@bp.post("/words/<int:number>/read")
def mark_words_read(number: int) -> AnyResponse:
    """Mark words without a crash as read, up to those with this number."""
    current_project().store.mark_reports_read(min(number, LARGEST))
    return redirect(url_for("list_page.index"), 303)


@bp.post("/words/<int:number>/delete")
def delete_words(number: int) -> AnyResponse:
    current_project().store.delete_report(min(number, LARGEST))
    return redirect(url_for("words_page.words"), 303)
