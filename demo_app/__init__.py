"""A small shop that breaks in the ways real apps break, to see the kit at work.

It keeps its goods and customers in memory and is no shop to copy; what to copy is the one line
that registers the kit.
"""

from __future__ import annotations

import secrets
from typing import Any

from flask import Flask

from flask_sentry_kit import sentry_kit

from .customers import login_manager
from .shop import shop


def create_app(dsn: str | None = None, inbox_url: str | None = None, **config: Any) -> Flask:
    """Make the shop.

    :param dsn: where its crashes are reported. None: raven's own rule, ``SENTRY_DSN`` in the
        environment, or no report at all.
    :param inbox_url: the inbox's address, for the link at the foot of each page.
    :param config: further settings of ``app.config``, in capital letters.
    """
    app = Flask(__name__)
    app.config.update(
        # A new key at each start: the shop forgets its baskets, as it forgets its orders.
        SECRET_KEY=secrets.token_hex(),
        SESSION_COOKIE_SAMESITE="Lax",
        SENTRY_USER_ATTRS=["name", "email"],
        SENTRY_KIT_BRAND={
            "name": "Quire & Co.",
            "support_email": "help@quire.example",
            "accent": "#8a3b12",  # As shop.css has it; the kit finds a lighter one for dark pages.
        },
        INBOX_URL=inbox_url,
    )
    if dsn is not None:
        app.config["SENTRY_DSN"] = dsn
    app.config.update(config)

    login_manager.init_app(app)
    app.register_blueprint(shop)
    app.register_blueprint(sentry_kit)
    return app
