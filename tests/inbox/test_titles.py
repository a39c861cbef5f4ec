"""What a crash is called in the list and on its page."""

from __future__ import annotations

import pytest
from werkzeug.exceptions import (
    BadRequestKeyError,
    HTTPException,
    InternalServerError,
    NotFound,
    default_exceptions,
)

from flask_sentry_kit.inbox.content.titles import title_of

WHERE = "shop.views.gift_cards"


@pytest.mark.parametrize("kind", default_exceptions.values(), ids=lambda kind: kind.__name__)
def test_an_aborted_request_is_named_by_its_place(kind: type[HTTPException]) -> None:
    """Werkzeug's default description says nothing that the code does not."""
    title = title_of(kind.__name__, str(kind()), WHERE)
    assert title == (f"abort({kind.code})", "in gift_cards")


@pytest.mark.parametrize(
    ("kind", "value", "place", "title"),
    [
        # A description of the app's own is worth reading, and stands without the code.
        (
            "InternalServerError",
            str(InternalServerError("No card service")),
            WHERE,
            ("abort(500)", "No card service"),
        ),
        ("NotFound", str(NotFound()), "", ("abort(404)", "Not Found")),
        (
            "InternalServerError",
            "500: Internal Server Error",
            WHERE,
            ("abort(500)", "in gift_cards"),
        ),
        # Not what abort() raises, so the type is worth its name.
        (
            "BadRequestKeyError",
            str(BadRequestKeyError("n")),
            WHERE,
            ("BadRequestKeyError", "in gift_cards"),
        ),
    ],
)
def test_what_else_an_http_exception_says(
    kind: str, value: str, place: str, title: tuple[str, str]
) -> None:
    """The app's own description, a place that is not known, Werkzeug before 0.14, a subclass."""
    assert title_of(kind, value, place) == title


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("ValueError", "404 Not Found: no such card"),
        ("ValueError", "500: no such card"),
        ("InternalServerError", "no such card"),
        ("InternalServerError", "404 Not Found: the wrong code\n" + "x" * 100_000),
        ("KeyError", "'sum'"),
        ("Message", "999 bottles: of beer"),
        ("", ""),
    ],
)
def test_other_titles_stay_as_they_are(kind: str, value: str) -> None:
    """Also where they look a little like an HTTP exception's."""
    assert title_of(kind, value, WHERE) == (kind, value)
