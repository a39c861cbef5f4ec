"""A shop that moves from raven to sentry-sdk, in a process of its own:
``python -m tests.support.moving_shop raven|sentry-sdk <DSN> <spool>``.

It crashes for a visitor, who writes something, and is then killed. What the visitor saw is printed
as JSON. Only :func:`report` differs between the two.
"""

from __future__ import annotations

import json
import os
import sys

from flask import Flask
from flask_login import LoginManager, UserMixin, login_user

from flask_sentry_kit import sentry, sentry_kit
from tests.support.visitor import Answer


class TillJammed(Exception):
    pass


class OutOfStock(Exception):
    pass


class Visitor(UserMixin):
    id = "7"
    email = "ann@shop.example"
    plan = "gold"


def report(app: Flask, by: str, dsn: str) -> None:
    """Say where the app's crashes go, and what is known about it."""
    if by == "raven":
        app.config.update(
            SENTRY_DSN=dsn,
            SENTRY_RELEASE="shop@42",
            SENTRY_ENVIRONMENT="staging",
            SENTRY_NAME="web-1",
            SENTRY_TAGS={"team": "tills"},
            SENTRY_CONFIG={"ignore_exceptions": [OutOfStock], "context": {"branch": "Ghent"}},
        )
        return
    import sentry_sdk
    from sentry_sdk.integrations.flask import FlaskIntegration

    sentry_sdk.init(
        dsn=dsn,
        release="shop@42",
        environment="staging",
        server_name="web-1",
        ignore_errors=[OutOfStock],
        integrations=[FlaskIntegration(transaction_style="url")],
    )
    everywhere = sentry_sdk.Scope.get_global_scope()
    everywhere.set_tag("team", "tills")
    everywhere.set_extra("branch", "Ghent")


def make(by: str, dsn: str, spool: str) -> Flask:
    app = Flask("shop")
    app.config.update(
        SECRET_KEY="a secret key that is long enough",
        SENTRY_USER_ATTRS=["email", "plan"],
        SENTRY_KIT_SPOOL=spool,
        SENTRY_KIT_DIALOG={"title": "The till is jammed"},
    )
    report(app, by, dsn)
    LoginManager(app).user_loader(lambda id: Visitor())
    app.register_blueprint(sentry_kit)

    @app.get("/in")
    def sign_in() -> str:
        login_user(Visitor())
        return "in"

    @app.get("/pay/<int:till>")
    def pay(till: int) -> str:
        sentry.tags_context({"till": str(till)})
        sentry.extra_context({"basket": {"items": 3}})
        raise TillJammed(f"till {till}")

    @app.get("/tea")
    def tea() -> str:
        raise OutOfStock("tea")

    return app


def main(by: str, dsn: str, spool: str) -> None:
    app = make(by, dsn, spool)
    visitor = app.test_client()
    visitor.get("/in")
    ignored = visitor.get("/tea")
    page = visitor.get("/pay/3?coupon=spring")
    form = {**Answer(500, {}, page.text).typed, "comments": f"I pressed pay ({by})."}
    said = visitor.post("/_sentry_kit/feedback", data=form)
    if by != "raven":
        with app.app_context():
            sentry.flush(10)
    shown = {
        "status": page.status_code,
        "headers": dict(page.headers),
        "page": page.text,
        "ignored": [ignored.status_code, dict(ignored.headers), ignored.text],
        "said": said.status_code,
        "has raven": "raven" in sys.modules,
    }
    print(json.dumps(shown))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
