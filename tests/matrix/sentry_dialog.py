"""The script of a dialog that insists on name and address, as Sentry's own does; the kit's inbox
has a dialog that does not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment

from flask_sentry_kit.phrases import DIALOG

_SCRIPT = Path(__file__).with_suffix(".js").read_text("utf-8").rstrip()

# The elements, names and classes are Sentry's. A button without a type submits too.
_MARKUP = Environment(autoescape=True).from_string("""
<style>
.sentry-error-embed-wrapper { position: fixed; inset: 0; z-index: 999; }
.sentry-error-embed-wrapper { overflow: auto; background: #fff; }
</style>
<div class="sentry-error-embed" role="dialog" aria-modal="true">
<h2>{{ title }}</h2>
<p>{{ subtitle }} <span>{{ subtitle2 }}</span></p>
<form>
<div class="error-wrapper"></div>
<div class="form-content">
<div class="form-field"><label>{{ labelName }}</label>
<input type="text" name="name" value="{{ name }}" required></div>
<div class="form-field"><label>{{ labelEmail }}</label>
<input type="email" name="email" value="{{ email }}" required></div>
<div class="form-field"><label>{{ labelComments }}</label>
<textarea name="comments" required></textarea></div>
</div>
<button type="submit" class="btn">{{ labelSubmit }}</button>
<button class="close">{{ labelClose }}</button>
</form>
</div>
""")


def dialog_script(endpoint: str, query: Mapping[str, str]) -> str:
    """The script that a server answers with.

    :param endpoint: the address that the dialog posts to, absolute.
    :param query: the texts, as they stand in the script's address; without, those of the kit.
    """
    defaults = {"name": "", "email": "", **DIALOG}
    texts = {name: query.get(name, text) for name, text in defaults.items()}
    given = ", ".join(json.dumps(one) for one in (endpoint, _MARKUP.render(texts), texts))
    return f"{_SCRIPT}({given});\n"
