"""An app on the current sentry-sdk, in a process of its own: sends one of everything to a DSN.

    python -m tests.inbox.sdk_client DSN with|without

``without`` hides the package brotli, as in an environment where it is not installed. Prints the id
of its crash.
"""

from __future__ import annotations

import sys


def main(dsn: str, brotli: str) -> None:
    if brotli == "without":
        sys.modules["brotli"] = None  # type: ignore[assignment]
    import sentry_sdk
    from flask import Flask
    from sentry_sdk import logger
    from sentry_sdk.envelope import Envelope, Item, PayloadRef
    from sentry_sdk.integrations.flask import FlaskIntegration

    sentry_sdk.init(
        dsn=dsn,
        integrations=[FlaskIntegration()],
        traces_sample_rate=1.0,
        enable_logs=True,
        auto_session_tracking=True,
        release="shop@1.2.3",
        environment="staging",
    )
    app = Flask("shop")

    @app.get("/pay")
    def pay() -> str:
        sentry_sdk.set_user({"id": "u-7"})
        sentry_sdk.add_attachment(bytes=b"two\nlines\n", filename="cart.log")
        raise KeyError("sum")

    @app.errorhandler(500)
    def broken(error: Exception) -> tuple[str, int]:
        return sentry_sdk.last_event_id() or "", 500

    crash = app.test_client().get("/pay").text
    sentry_sdk.capture_message("a message")

    def feedback(words: str, about: str | None) -> dict[str, object]:
        said = {"message": words, "name": "Ann", "contact_email": "ann@shop.example"}
        if about:
            said["associated_event_id"] = about
        return {"level": "info", "type": "feedback", "contexts": {"feedback": said}}

    # As an event, which goes through the SDK's scope …
    sentry_sdk.capture_event(feedback("captured, beside", crash))  # type: ignore[arg-type]
    sentry_sdk.capture_event(feedback("captured, loose", None))  # type: ignore[arg-type]
    # … and as an item, two in one envelope.
    envelope = Envelope(headers={"event_id": "0" * 31 + "1"})
    for number, words in enumerate(("item one", "item two"), 1):
        item = {"event_id": f"{number:032x}", **feedback(words, crash)}
        envelope.add_item(Item(payload=PayloadRef(json=item), type="feedback"))
    client = sentry_sdk.get_client()
    assert client.transport is not None
    client.transport.capture_envelope(envelope)

    from sentry_sdk.crons import capture_checkin
    from sentry_sdk.crons.consts import MonitorStatus

    capture_checkin(monitor_slug="nightly", status=MonitorStatus.OK)
    logger.info("a log line")
    sentry_sdk.metrics.count("orders", 1)
    sentry_sdk.flush(20)
    client.close(20)
    print(crash)


if __name__ == "__main__":
    main(*sys.argv[1:])
