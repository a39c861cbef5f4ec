"""What `pip install` gives: the files in the wheel, its metadata, and a crash in a clean
environment that has nothing of this checkout."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.metadata import Metadata

from tests.support.sentry import RecordingSentry

# Building and installing fetch packages.
pytestmark = pytest.mark.timeout(140)

ROOT = Path(__file__).resolve().parents[2]

COMES_WITH_FLASK = {"click", "markupsafe"}
# Used only where the app has them already.
OPTIONAL = {
    "exceptiongroup",
    "flask-babel",
    "gevent",
    "flask-wtf",
    "flask-limiter",
    "sentry-sdk",
    "certifi",  # the extra's; it comes with sentry-sdk
    "socks",  # PySocks, where sentry-sdk is given a SOCKS proxy
    "babel",
    "pytest",  # which loads the plugin
}

CRASHING_APP = """
import json, os, re, sys
import flask, flask_sentry_kit
from flask_sentry_kit import sentry_kit

app = flask.Flask(__name__)
app.config.update(SENTRY_DSN=sys.argv[1], SECRET_KEY="a key for this test")
app.register_blueprint(sentry_kit)

@app.get("/")
def view():
    return {}["the price"]

client = app.test_client()
answer = client.get("/", headers={"Accept": "text/html"})
assets = {
    address: client.get(address).status_code
    for address in re.findall(r'(?:src|href)="(/_sentry_kit/[^"]+)"', answer.text)
}
delivered = app.extensions["sentry_kit"].outbox.flush(10)
print(json.dumps({
    "package": os.path.dirname(flask_sentry_kit.__file__),
    "status": answer.status_code,
    "id": answer.headers.get("X-Sentry-ID"),
    "page": answer.text,
    "assets": assets,
    "delivered": delivered,
}))
"""


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, made from the source archive as an index's users would get it."""
    out = tmp_path_factory.mktemp("dist")
    # hatchling is in the development dependencies, so nothing is downloaded for this.
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    (made,) = out.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Metadata:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Metadata.from_email(archive.read(name), validate=True)


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    """Templates, static files, translations and py.typed reach who installs it, unchanged."""
    package = ROOT / "flask_sentry_kit"
    ours = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        packed = {
            name: archive.read(name)
            for name in archive.namelist()
            if name.startswith("flask_sentry_kit/") and not name.endswith("/")
        }
    assert packed == ours
    assert "flask_sentry_kit/py.typed" in packed
    for kind in ("templates/500.html", "static/crash.css", "inbox/templates/", "inbox/static/"):
        assert any(name.startswith(f"flask_sentry_kit/{kind}") for name in packed), kind


def test_the_wheel_holds_nothing_but_the_package(wheel: Path) -> None:
    """Tests, demo and tools stay out of an app's environment."""
    with zipfile.ZipFile(wheel) as archive:
        top = {name.split("/")[0] for name in archive.namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == {"flask_sentry_kit"}


def test_the_metadata_says_what_an_installer_needs(metadata: Metadata) -> None:
    """Valid by the standard, with the licence, the Pythons and the README in it."""
    assert metadata.name == "flask-sentry-kit"
    assert metadata.license_expression == "BSD-3-Clause"
    assert metadata.license_files == ["LICENSE"]
    assert metadata.requires_python is not None
    assert "3.9" not in metadata.requires_python
    for version in ("3.10", "3.11", "3.12", "3.13", "3.14"):
        assert version in metadata.requires_python
        assert f"Programming Language :: Python :: {version}" in (metadata.classifiers or [])
    assert metadata.description_content_type == "text/markdown"
    assert metadata.description == (ROOT / "README.md").read_text("utf-8")


def test_what_is_imported_is_what_is_required(metadata: Metadata) -> None:
    """Every package that ours imports is in its dependencies: none comes by luck."""
    imported = set()
    for path in (ROOT / "flask_sentry_kit").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                imported.add(node.module.partition(".")[0])
    # _typeshed is known to type checkers alone.
    foreign = imported - sys.stdlib_module_names - {"flask_sentry_kit", "_typeshed"}
    required = {requirement.name for requirement in metadata.requires_dist or []}
    assert {name.replace("_", "-") for name in foreign} - OPTIONAL <= required | COMES_WITH_FLASK


def test_an_installed_kit_reports_a_crash_and_shows_the_page(
    wheel: Path, tmp_path: Path, wire: RecordingSentry
) -> None:
    """From the wheel alone, in an environment of its own: a 500 page with the reference of the
    one event that arrives, and every file that the page names."""
    home = tmp_path / "clean"
    # The pip at hand installs into it: one of its own would only cost time.
    venv.create(home, with_pip=False)
    python = home / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    run(*pip, "install", "--quiet", wheel, cwd=tmp_path)
    script = tmp_path / "crashing_app.py"
    script.write_text(CRASHING_APP, "utf-8")

    said = json.loads(run(python, "-I", "-W", "error", script, wire.dsn, cwd=tmp_path))

    assert Path(said["package"]).is_relative_to(home)
    assert said["status"] == 500
    assert said["delivered"] is True
    (event,) = wire.events
    assert event["event_id"] == said["id"]
    assert said["id"] in said["page"]
    assert event["exception"]["values"][-1]["type"] == "KeyError"
    assert said["assets"] and set(said["assets"].values()) == {200}

    # waitress serves the inbox alone, and comes with its extra.
    inbox = subprocess.run(
        [python, "-I", "-m", "flask_sentry_kit.inbox"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert inbox.returncode == 1
    assert "pip install 'flask-sentry-kit[inbox]'" in inbox.stderr
    assert "Traceback" not in inbox.stderr
    assert not (tmp_path / "inbox.sqlite").exists()
