"""More settings, below those of ``plays``: here the hosted dialog is kept out, or cannot send."""

from __future__ import annotations

from http import HTTPStatus

from . import plays  # noqa: F401  # its settings come first
from .book import setting
from .shop import add_header
from .stage import Stage


def _sent_by(stage: Stage, policy: str) -> None:
    app = add_header(stage.shop(), "Referrer-Policy", policy)
    address = stage.serve(app)
    stage.sentry.allowed_origins = (address,)
    stage.sentry.start()
    stage.crash_and_write(address)


@setting("`Referrer-Policy: no-referrer`, Sentry has allowed domains", "dialog")
def no_referrer(stage: Stage) -> None:
    _sent_by(stage, "no-referrer")


@setting("`Referrer-Policy: same-origin`, Sentry has allowed domains", "dialog")
def same_origin(stage: Stage) -> None:
    _sent_by(stage, "same-origin")


def _embedder(stage: Stage) -> None:
    stage.sentry.start()
    policy = "Cross-Origin-Embedder-Policy"
    stage.crash_and_write(add_header(stage.shop(), policy, "require-corp"))


@setting("`Cross-Origin-Embedder-Policy: require-corp`", "dialog")
def embedder_policy(stage: Stage) -> None:
    _embedder(stage)


@setting("`Cross-Origin-Embedder-Policy: require-corp`, a Sentry before 23.7", "form")
def embedder_policy_before(stage: Stage) -> None:
    stage.sentry.allows_cors = False
    _embedder(stage)


# The form alone gets through once the kit has another way than the form's address.
@setting("the ingest host redirects to another", "dialog", alone=False)
def redirected(stage: Stage) -> None:
    stage.sentry.behind_ingest_host()
    stage.sentry.start()
    stage.crash_and_write(stage.shop())


def _refused(stage: Stage, status: HTTPStatus) -> None:
    stage.sentry.refuses_dialog = status
    stage.sentry.start()
    stage.crash_and_write(stage.shop())


@setting("Sentry answers the dialog's form with 500", "form")
def dialog_fails(stage: Stage) -> None:
    _refused(stage, HTTPStatus.INTERNAL_SERVER_ERROR)


@setting("Sentry answers the dialog's form with 403", "form")
def dialog_refused(stage: Stage) -> None:
    _refused(stage, HTTPStatus.FORBIDDEN)
