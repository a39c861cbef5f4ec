"""The page in a frame, and the sites that may frame it (respond.py)."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Response
from flask_talisman import Talisman

POLICY = "frame-ancestors 'self'"


@pytest.mark.parametrize("accept", ["text/html", "application/json", "text/plain"])
def test_only_this_host_may_frame_the_page(stand: Any, accept: str) -> None:
    """If the browser does not state the page's destination, only this host may frame the page."""
    assert stand().get(Accept=accept).headers["Content-Security-Policy"] == POLICY


@pytest.mark.parametrize("destination", ["iframe", "frame", "embed", "object", "fencedframe"])
def test_a_framed_page_shows(stand: Any, destination: str) -> None:
    """An app that frames its own pages sees the crash in the frame, and not the browser's word for
    a refusal."""
    answer = stand().get(Sec_Fetch_Dest=destination)
    assert answer.status_code == 500
    assert "Content-Security-Policy" not in answer.headers


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Content-Security-Policy", "default-src 'self'"),
        ("Content-Security-Policy", "frame-ancestors https://partner.example"),
        ("X-Frame-Options", "DENY"),
    ],
)
def test_a_policy_of_the_apps_own_stays(stand: Any, name: str, value: str) -> None:
    """As it is, whichever hook sets it; beside frame-ancestors, browsers forget X-Frame-Options,
    so ours would allow what DENY forbids."""
    room = stand()

    @room.app.after_request
    def policy(response: Response) -> Response:
        response.headers.setdefault(name, value)
        return response

    headers = room.get().headers
    assert headers[name] == value
    assert ("Content-Security-Policy" in headers) == (name == "Content-Security-Policy")


def test_a_policy_that_only_reports_is_none(stand: Any) -> None:
    """It blocks no frame, so the kit's policy is still needed."""
    room = stand()

    @room.app.after_request
    def policy(response: Response) -> Response:
        response.headers["Content-Security-Policy-Report-Only"] = "default-src 'self'"
        return response

    assert room.get().headers["Content-Security-Policy"] == POLICY


def test_talismans_policy_stays(stand: Any) -> None:
    """Flask-Talisman's, as apps have it."""
    room = stand()
    Talisman(room.app, force_https=False)
    assert room.get().headers.getlist("Content-Security-Policy") == [
        "default-src 'self'; object-src 'none'"
    ]
