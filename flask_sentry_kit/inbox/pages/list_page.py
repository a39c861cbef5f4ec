"""The list of crashes, the latest first."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from ..arguments import number_of
from ..content.reading import event_id_of
from ..project import Project, current_project

bp = Blueprint("list_page", __name__)

_PAGE: Final = 100
_REFERENCE: Final = 64


def dsn_of(project: Project) -> str:
    """The DSN, with the address under which this page was requested."""
    return project.dsn(request.scheme, request.host).public


@bp.get("/")
def index() -> str | AnyResponse:
    project = current_project()
    reference = request.args.get("reference", "").strip()[:_REFERENCE]
    if reference:
        event_id = event_id_of(reference)
        if event_id and (page := _page_of(event_id)):
            return redirect(page)
    number = number_of("page", 1, 10_000)
    counts = project.store.counts()
    written, unread_words = project.store.counts_without_crash()
    return render_template(
        "list.html",
        crashes=project.store.crashes(_PAGE, (number - 1) * _PAGE),
        written=written,
        unread_words=unread_words,
        latest=project.store.reports_without_crash(1) if number == 1 else [],
        total=counts.crashes,
        unread=counts.unread + (1 if unread_words else 0),
        page=number,
        more=number * _PAGE < counts.crashes,
        reference=reference,
        dsn=dsn_of(project),
        changes=project.store.changes(),
    )


def _page_of(reference: str) -> str | None:
    """The page that shows an event, or a visitor's words about it or of this id."""
    store = current_project().store
    if store.has_event(reference):
        return url_for("event_page.event", event_id=reference)
    report = store.report_of_reference(reference)
    if report is None:
        return None
    if store.has_event(report.event_id):
        return url_for("event_page.event", event_id=report.event_id)
    return url_for("words_page.words")
