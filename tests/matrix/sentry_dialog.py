"""The script of a dialog that insists on name and address, as Sentry's own does; the kit's inbox
has a dialog that does not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from flask_sentry_kit.inbox.error_page import DEFAULTS

_SCRIPT = Path(__file__).with_suffix(".js").read_text("utf-8").rstrip()


def dialog_script(endpoint: str, query: Mapping[str, str]) -> str:
    """The script that a server answers with.

    :param endpoint: the address that the dialog posts to, absolute.
    :param query: the texts, as they stand in the script's address; those of the inbox without.
    """
    texts = {name: query.get(name, text) for name, text in DEFAULTS.items()}
    return f"{_SCRIPT}({json.dumps(endpoint)}, {json.dumps(texts)});\n"
