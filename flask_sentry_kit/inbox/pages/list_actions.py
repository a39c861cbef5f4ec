"""What is done to one crash or several from the list: marking, resolving, keeping, deleting."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from ..errors import TooMuchKeptError
from ..project import current_project
from ..storage.search import SearchError
from ..storage.store import Store
from .list_page import PAGE, read_search

bp = Blueprint("list_actions", __name__)

_MARKS: Final = {
    "read": {"unread": False},
    "unread": {"unread": True},
    "resolve": {"resolved": True},
    "reopen": {"resolved": False},
    "keep": {"kept": True},
    "unkeep": {"kept": False},
}


@bp.post("/crashes/")
def change() -> str | AnyResponse:
    """Do one thing to the chosen crashes, and show the same list again.

    ``key`` is given once for each crash, ``action`` is one of `_MARKS`, ``delete``, which asks once
    unless ``confirm`` is given, or ``read-all``, which takes no keys.
    """
    store, keys = current_project().store, request.form.getlist("key")
    if len(keys) > PAGE:
        abort(400, f"At most {PAGE} crashes are changed at once.")
    action, text = request.form.get("action", ""), request.form.get("q", "").strip()
    if action == "read-all":
        _mark_all_read(store, text)
    elif action == "delete":
        if keys and "confirm" not in request.form:
            return render_template("confirm.html", keys=keys, q=text, page=_page())
        store.delete(keys)
    elif action in _MARKS:
        try:
            store.mark(keys, **_MARKS[action])
        except TooMuchKeptError as error:
            abort(409, str(error))
    else:
        abort(400, f"There is no action {action[:40]!r} here.")
    # 303: the browser reads the list, and reloading that repeats nothing.
    return redirect(url_for("list_page.index", q=text or None, page=_page()), 303)


def _mark_all_read(store: Store, text: str) -> None:
    if not text:
        store.mark(None, unread=False)
        # Up to the newest that the list can have shown.
        store.mark_reports_read(
            max((one.id for one in store.reports_without_crash(PAGE)), default=0)
        )
        return
    try:
        search = read_search(text)
    except SearchError as error:
        abort(400, str(error))
    store.mark(store.keys(search), unread=False)


def _page() -> str | None:
    """The page of the list to return to."""
    page = request.form.get("page", "")
    return page if page.isdecimal() and page.isascii() and page != "1" else None
