"""Which events are one crash: those of the same kind in the app's innermost frame."""

from __future__ import annotations

from typing import Any

import pytest

from flask_sentry_kit.inbox.content.reading import read_event

_FLASK = "/venv/lib/python3.12/site-packages/flask/app.py"


def _event(*frames: dict[str, Any]) -> dict[str, Any]:
    return {
        "exception": {"values": [{"type": "IntegrityError", "stacktrace": {"frames": [*frames]}}]}
    }


def _frame(function: str, path: str = "/srv/shop/views.py", **facts: Any) -> dict[str, Any]:
    return {"abs_path": path, "module": "shop.views", "function": function, **facts}


@pytest.mark.parametrize("path", ["<string>", "<attrs generated init shop.Order>", "<makefun-gen>"])
@pytest.mark.parametrize("marks", [{}, {"in_app": True}], ids=["unmarked", "marked"])
def test_generated_code_does_not_group(path: str, marks: dict[str, Any]) -> None:
    """Two views that break below the same generated code are two crashes, also where the client
    marks that code as the app's."""
    first, second = (
        read_event(
            _event(
                _frame("wsgi", _FLASK),
                _frame(name, **marks),
                _frame("__init__", path, **marks),
            )
        )
        for name in ("sign_up", "order")
    )
    assert first.key != second.key
    assert (first.where, second.where) == ("shop.views.sign_up", "shop.views.order")


def test_a_template_groups() -> None:
    """A template without a file is the app's: what breaks in it is grouped by it."""
    event = read_event(_event(_frame("page"), _frame("top-level template code", "<template>")))
    assert event.where == "shop.views.top-level template code"
