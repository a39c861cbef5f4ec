"""GlitchTip: known by its answers, and sent the words in the form that each version shows."""

from __future__ import annotations

import pytest

from tests.support.sentry import RecordingSentry
from tests.support.types import MakeApp, Visit
from tests.support.visitor import Visitor, crash_and_send

FORM, ENVELOPE, STORE = "error-page", "envelope", "store"


def test_a_form_that_is_answered_without_a_body_is_followed_by_an_event(
    shop: Visitor, sentry: RecordingSentry
) -> None:
    """GlitchTip answers so, and its version 6 shows a form's words to nobody."""
    sentry.answers = {("POST", FORM): (200, {}, b"")}
    assert crash_and_send(shop, sentry) == ("sent", [FORM, STORE])


def test_glitchtip_is_known_by_its_answer_to_an_event(
    crashing_app: MakeApp,
    visit: Visit,
    sentry: RecordingSentry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """From the second crash on it gets the item and the form, and the page leaves out its dialog.
    One of the two is shown to a reader, in version 5 and in version 6. The log says so once."""
    sentry.answers = {
        ("POST", STORE): (200, {}, b'{"event_id": "0123456789abcdef0123456789abcdef"}'),
        ("POST", FORM): (200, {}, b""),
    }
    app = crashing_app(SENTRY_DSN=sentry.dsn)
    shop = visit(app)
    assert "showReportDialog" in shop.crash().text
    assert app.extensions["sentry_kit"].reporter.flush(5)
    assert "showReportDialog" not in shop.crash().text
    assert app.extensions["sentry_kit"].reporter.flush(5)
    assert crash_and_send(shop, sentry) == ("sent", [ENVELOPE, FORM])
    assert caplog.text.count("Set SENTRY_KIT_SERVER = 'glitchtip'") == 1


@pytest.mark.parametrize(
    "body",
    [
        b'{"id": "0123456789abcdef0123456789abcdef"}',
        b'{"event_id": "a", "id": "a"}',
        b'{"event_id"',
        b'{"event_id": ' + b"[" * 5_000,
        b'["event_id"]',
        b"",
    ],
)
def test_other_answers_to_an_event_are_no_glitchtips(
    body: bytes, crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry
) -> None:
    """The page keeps the dialog."""
    sentry.answers = {("POST", STORE): (200, {}, body)}
    app = crashing_app(SENTRY_DSN=sentry.dsn)
    shop = visit(app)
    shop.crash()
    assert app.extensions["sentry_kit"].reporter.flush(5)
    assert "showReportDialog" in shop.crash().text
