"""An app that crashes before it reads the body, for the servers of test_drip.py."""

from __future__ import annotations

from flask import Flask

from flask_sentry_kit import sentry_kit

app = Flask("drip")
app.config.update(SECRET_KEY="x", SENTRY_DSN="http://public@127.0.0.1:9/1")


@app.post("/boom")
def crash() -> str:
    raise ValueError


app.register_blueprint(sentry_kit)
