"""What one request may cost the page, and that nothing in it is taken for a fault of the app's."""

from __future__ import annotations

import time
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder

from flask_sentry_kit.crash import Crash

SPELLINGS = {
    "entries": "a-b;q=0.5,",
    "hyphens": "a-",
    "parameters": "a/b;c=d;",
    "continued parameters": "a/b;c*0=d;",
    "quotes": '"\\',
    "tags": '"a",',
    "brackets": "http://[",
    "paths": "http://localhost/\xe9",
    "letters": "x",
    "spaces": " ",
}
HEADERS = (
    "HTTP_ACCEPT HTTP_ACCEPT_LANGUAGE HTTP_REFERER CONTENT_TYPE HTTP_X_REQUESTED_WITH"
    " HTTP_HX_REQUEST HTTP_HX_BOOSTED HTTP_SEC_FETCH_DEST HTTP_HOST"
).split()


@pytest.mark.parametrize("header", HEADERS)
def test_a_megabyte_of_header_costs_what_a_line_costs(stand: Any, header: str) -> None:
    """In any spelling, the page reads only its beginning; twice the length takes
    no longer."""
    room = stand(form=True)
    crash = Crash(**room.crash)

    def seconds(piece: str, size: int) -> float:
        environ = EnvironBuilder(headers=[("Accept", "text/html")]).get_environ()
        environ[header] = piece * (size // len(piece))
        best = 10.0
        for _ in range(3):
            with room.app.request_context(environ):
                begun = time.process_time()
                assert room.page.respond(crash, room.form).status_code == 500
                best = min(best, time.process_time() - begun)
        return best

    line = max(seconds(piece, 100) for piece in SPELLINGS.values())
    for name, piece in SPELLINGS.items():
        half, whole = seconds(piece, 500_000), seconds(piece, 1_000_000)
        assert whole <= 2.5 * half + line, name
        # A linear cost would pass the test above, and could still be seconds.
        assert whole <= 10 * line, name


@pytest.mark.parametrize("referer", ["http://[", "http://[::1", "//[", "http://a]b/", "\xff"])
def test_a_visitors_nonsense_is_no_fault_to_report(stand: Any, referer: str) -> None:
    """A malformed address in a header causes no second event and no log line."""
    room = stand()
    assert room.get(Referer=referer).status_code == 500
    assert room.reported == []


def test_a_host_that_is_not_the_apps_is_no_fault_to_report(stand: Any) -> None:
    """With TRUSTED_HOSTS set, a made-up Host still gets a page and is not reported."""
    room = stand(app_config={"TRUSTED_HOSTS": ["shop.example"]})

    @room.app.errorhandler(400)
    def refused(error: Exception) -> Any:
        raise RuntimeError("the page for a wrong host breaks")

    answer = room.get(Host="evil.example", Referer="http://evil.example/x")
    assert b"evil.example" not in answer.data
    assert room.reported == []
