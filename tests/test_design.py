"""The plan of the house, docs/design.md, held against the imports themselves."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "flask_sentry_kit"
LINES_MAX = 420
DESIGN = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")


def floors() -> dict[str, int]:
    """The floor of each room, from the list in docs/design.md; the ground is 0."""
    listed = re.findall(r"^\d+\. (.+(?:\n   .+)*)", DESIGN.partition("## Floors")[2], re.M)
    return {
        room: floor for floor, line in enumerate(listed) for room in re.findall(r"`(\w+)`", line)
    }


FLOORS = floors()


def room_of(module: str) -> str:
    """The room a module is in: the first name below the package; the package itself is on top."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports(module: str) -> Iterator[str]:
    """The modules of the package that a module names in an import, wherever it stands."""
    path = MODULES[module]
    base = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            above = base[: len(base) - node.level + 1] if node.level else []
            source = ".".join([*above, *(node.module or "").split(".")]).strip(".")
            for alias in node.names:
                name = f"{source}.{alias.name}"
                if name in MODULES:
                    yield name
                elif source in MODULES:
                    yield source


IMPORTS = {module: set(imports(module)) - {module} for module in MODULES}


@pytest.mark.parametrize("module", MODULES)
def test_every_room_is_on_a_floor(module: str) -> None:
    """docs/design.md names the floor of every room there is."""
    assert room_of(module) in FLOORS


def test_no_import_runs_up() -> None:
    """A room imports of its own floor and of those below."""
    up = [
        f"{module} -> {target}"
        for module, targets in IMPORTS.items()
        for target in targets
        if FLOORS[room_of(target)] > FLOORS[room_of(module)]
    ]
    assert not up


def test_no_import_goes_round() -> None:
    """No room leads back to itself over other rooms."""
    rooms: dict[str, set[str]] = {}
    for module, targets in IMPORTS.items():
        room = room_of(module)
        rooms.setdefault(room, set()).update(room_of(target) for target in targets)
        rooms[room].discard(room)
    left = dict(rooms)
    while free := [room for room, needs in left.items() if not needs & left.keys()]:
        for room in free:
            del left[room]
    assert not left


def test_no_file_leads_back_to_itself() -> None:
    """Nor do the files inside a room import each other in a circle, not even for types."""
    left = {module: set(targets) for module, targets in IMPORTS.items()}
    while free := [module for module, needs in left.items() if not needs & left.keys()]:
        for module in free:
            del left[module]
    assert not left


@pytest.mark.parametrize("room", ["event", "outbox", "page", "feedback", "inbox", "watch"])
def test_a_room_loads_without_any_reporter(room: str) -> None:
    """raven and sentry-sdk are loaded when one of them reports, and not by the other rooms."""
    code = (
        f"import flask_sentry_kit.{room}, pkgutil, importlib, sys\n"
        f"for found in pkgutil.walk_packages(flask_sentry_kit.{room}.__path__,"
        f" 'flask_sentry_kit.{room}.'):\n"
        "    if not found.name.endswith('__main__'): importlib.import_module(found.name)\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}"
        " & {'raven', 'sentry_sdk'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def texts(module: str) -> Iterator[str]:
    """The strings of a module but for its docstrings; an f-string as it stands, too."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield ast.unparse(node)


_OF_A_DSN = re.compile(
    r"x-sentry-auth|/store/|/envelope/|/api/embed|sentry_(?:version|client|timestamp|secret)"
    r"|\Asentry_key\Z|sentry_key=|eventId=|://\{[^/]*\}@\{",
    re.I,
)


def test_dsn_facts_stand_in_one_file() -> None:
    """What a DSN leads to, and how a request says which one it has, is known to dsn.py alone."""
    found = {module for module in MODULES if any(map(_OF_A_DSN.search, texts(module)))}
    assert found == {"flask_sentry_kit.dsn"}


def test_sqlite_is_opened_in_one_place() -> None:
    """Which file may be opened, and how, is decided by files.py alone."""
    opens = re.compile(r"\bsqlite3\.(?:dbapi2\.)?(?:connect|Connection)\(|from sqlite3 import")
    found = {
        module for module, path in MODULES.items() if opens.search(path.read_text(encoding="utf-8"))
    }
    assert found == {"flask_sentry_kit.files"}


def test_a_file_name_is_given_once() -> None:
    """Who searches for a file by its name finds one."""
    names = [path.name for path in MODULES.values() if not path.name.startswith("__")]
    assert not {name for name in names if names.count(name) > 1}


@pytest.mark.parametrize(
    "folder", ["flask_sentry_kit", "tests", "scripts", "benchmarks", "demo_app"]
)
def test_no_file_is_long(folder: str) -> None:
    """No file is much over 400 lines, of the package or of what stands beside it."""
    files = [*(ROOT / folder).rglob("*.py"), *(ROOT / folder).rglob("*.js")]
    long = {
        str(path.relative_to(ROOT)): count
        for path in files
        if "node_modules" not in path.parts
        and (count := len(path.read_text(encoding="utf-8").splitlines())) > LINES_MAX
    }
    assert not long


SERVERS = {
    "tests/support/sentry.py": "RecordingSentry itself",
    "tests/matrix/tls.py": "a proxy that ends TLS before a shop or an inbox",
    "tests/matrix/stage.py": "takes connections to an inbox that hangs, and reads none",
    "tests/outbox/test_delivery.py": "takes a connection and never reads it",
    "tests/support/proxy.py": "RecordingProxy: HTTP, the same in TLS, and SOCKS",
    "tests/outbox/test_proxy.py": "a proxy whose answer does not end",
    "tests/faults/ends.py": "a socket for gunicorn to serve the app on",
    "tests/attacks/site.py": "a socket for the attacked server, and one that takes no connection",
    "tests/inbox/test_command.py": "a port that is taken",
    "tests/e2e/test_demo.py": "a port that is taken",
    "tests/check/test_server.py": "takes a connection and says nothing",
    "tests/support/stopped_threads.py": "keeps Python's lock while it waits for a request",
    "tests/browsers/webkit.py": "finds a port for the driver",
}
"""Files of the tests that open a server of their own, beside the ones that serve apps, and why."""


def opens_a_server(source: str) -> bool:
    """Whether code serves more than a WSGI app: a handler of its own, or a socket that listens."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom | ast.Import):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
            if names & {"http.server", "socketserver", "wsgiref.simple_server"}:
                return True
        elif isinstance(node, ast.Call):
            if ast.unparse(node.func).endswith(
                ("socket.create_server", ".listen", ".start_server")
            ):
                return True
    return False


def test_one_sentry_records_for_all_rooms() -> None:
    """A test that needs a Sentry takes tests/support's; each other server has its reason here."""
    found = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("*.py")
        if "node_modules" not in path.parts and opens_a_server(path.read_text("utf-8"))
    }
    assert found == SERVERS.keys()
