"""The current @sentry/browser from npm as one script that defines ``Sentry``, as Sentry's CDN has
one. npm has modules alone; the script holds all of them, as they are.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

MODULES = Path(__file__).parents[1] / "js" / "node_modules"

_ENTRY = "@sentry/browser"
_NAMED = {
    _ENTRY: "@sentry/browser/build/npm/cjs/prod/index.js",
    "@sentry/core": "@sentry/core/build/cjs/index.js",
    "@sentry/core/browser": "@sentry/core/build/cjs/browser.js",
    "@sentry/browser-utils": "@sentry/browser-utils/build/cjs/index.js",
    "@sentry/feedback": "@sentry/feedback/build/npm/cjs/index.js",
    "@sentry/replay": "@sentry/replay/build/npm/cjs/index.js",
    "@sentry/replay-canvas": "@sentry/replay-canvas/build/npm/cjs/index.js",
    "@sentry/conventions/attributes": "@sentry/conventions/dist/attributes.cjs",
    "@sentry/conventions/metrics": "@sentry/conventions/dist/metrics.cjs",
    "@sentry/conventions/op": "@sentry/conventions/dist/op.cjs",
    "web-vitals": "web-vitals/dist/web-vitals.umd.cjs",
}
_REQUIRE = re.compile(r"""\brequire\((['"])([^'"]+)\1\)""")


@cache
def bundle() -> str:
    """The script."""
    modules: dict[str, str] = {}
    _add(_path(_ENTRY, ""), modules)
    bodies = ",\n".join(
        f"{json.dumps(path)}: function (require, module, exports) {{\n{source}\n}}"
        for path, source in modules.items()
    )
    return f"""(function () {{
  const bodies = {{
{bodies}
  }};
  const made = {{}};
  function load(path) {{
    if (!made[path]) {{
      made[path] = {{ exports: {{}} }};
      bodies[path].call(made[path].exports, load, made[path], made[path].exports);
    }}
    return made[path].exports;
  }}
  window.Sentry = Object.assign(window.Sentry || {{}}, load({json.dumps(_path(_ENTRY, ""))}));
}})();
"""


def _path(name: str, folder: str) -> str:
    if not name.startswith("."):
        return _NAMED[name]
    return str((MODULES / folder / name).resolve().relative_to(MODULES.resolve()))


def _add(path: str, modules: dict[str, str]) -> None:
    if path in modules:
        return
    folder = str(Path(path).parent)
    source = (MODULES / path).read_text("utf-8")
    modules[path] = ""  # a circle of modules ends here
    for _, name in _REQUIRE.findall(source):
        _add(_path(name, folder), modules)
    modules[path] = _REQUIRE.sub(lambda found: f"require({_path(found[2], folder)!r})", source)
