"""Makes the client of an app from its settings, if the app provides none."""

from __future__ import annotations

import logging
from typing import Any

import raven.base
from flask import Flask
from raven.utils.conf import convert_options

from .client import Client
from .options import check_configuration

logger = logging.getLogger("flask_sentry_kit")


def make_client(client_cls: type[raven.base.Client], app: Flask, dsn: str | None) -> Any:
    """A client for an app, made from ``app.config`` with raven's precedence.

    ``SENTRY_CONFIG``'s keys override ``SENTRY_<NAME>``. :func:`~flask_sentry_kit.dsn.find_dsn`
    documents the sources of the DSN.

    :raises SettingError, DsnError: the text names the setting and shows no secret.
    """
    config = app.config
    own = config.get("SENTRY_CONFIG") or config.get("RAVEN_CONFIG") or {}
    found = check_configuration(config, dsn)
    if found.text == "":
        logger.info(
            "%s is empty: reporting is switched off for the app %r", found.setting, app.name
        )
    includes = set(config.get("SENTRY_INCLUDE_PATHS") or ())
    options = convert_options(
        config,
        defaults={
            "include_paths": includes | {app.import_name},
            "ignore_exceptions": config.get("RAVEN_IGNORE_EXCEPTIONS", []),
        },
    )
    options["dsn"] = found.text
    if issubclass(client_cls, Client):
        options["strict_paths"] = bool(includes or own.get("include_paths"))
        options["app"] = app
    return client_cls(**options)
