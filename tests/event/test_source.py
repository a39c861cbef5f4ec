"""Secrets in source lines are masked, and the code stays readable."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_sentry_kit.event.scrub import MASK, Scrubber
from flask_sentry_kit.event.source import LINE_MAX, mask_source, mask_text_lines

SECRET = "Zq9xhunter2"
_scrubber = Scrubber(["shoe_size"])


def _masked(source: str) -> str:
    return "\n".join(mask_source(source.split("\n"), _scrubber))


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (f'password = "{SECRET}"', f'password = "{MASK}"'),
        (f"login('bob', password='{SECRET}')", f"login('bob', password='{MASK}')"),
        (f'HEADERS = {{"X-Api-Key": "{SECRET}"}}', f'HEADERS = {{"X-Api-Key": "{MASK}"}}'),
        (f'if pin == "{SECRET}":', f'if pin == "{MASK}":'),
        (f'DB = "postgresql://u:{SECRET}@db/shop"', f'DB = "postgresql://{MASK}@db/shop"'),
        (f'password: str = rb"{SECRET}"', f'password: str = rb"{MASK}"'),
        (f'd["password"] = "{SECRET}"', f'd["password"] = "{MASK}"'),
        (f'os.getenv("SECRET", "{SECRET}")', f'os.getenv("SECRET", "{MASK}")'),
        (f'login(("password", "{SECRET}"))', f'login(("password", "{MASK}"))'),
        ("PIN = 493817", f"PIN = {MASK}"),
        (f'shoe_size = "{SECRET}"', f'shoe_size = "{MASK}"'),
        (f'password = """\n  {SECRET}\n"""', f'password = """\n  {MASK}\n"""'),
    ],
)
def test_only_the_literal_is_masked(line: str, shown: str) -> None:
    """Only the literal that belongs to a sensitive name is masked, and nothing around it."""
    assert _masked(line) == shown


# Plain words say something else in these: whose secret it is, where it is, another field's name.
_WORDS_STAY = (
    'password = base64.b64decode("{}")',
    "# the password is {} for now",
    "# password for the shop at home: {}",
    'x = ("bob", "password", "{}", 5)',
)


@pytest.mark.parametrize(
    "source",
    [
        'password: str = "{}"',
        'password: Final[str] = "{}"',
        'self.db.password = "{}"',
        'if (password := "{}"):',
        'password = os.environ.get("X") or "{}"',
        'password = d["x"].get("y", "{}")',
        'password = x if y else "{}"',
        'password = None or ("{}")',
        'password += "{}"',
        'password = "abc" "{}"',
        'password = ("abc"\n    "{}")',
        'password = b"abc" + b"{}"',
        'password=\\\n  "{}"',
        'password = f"{}{{x}}"',
        'password, user = "{}", "bob"',
        'user, password = "bob", "{}"',
        "password = '{}",
        'password = base64.b64decode("{}")',
        'password = Field(default="{}")',
        'token = jwt.encode(x, "{}")',
        "# password: {}",
        '# password = "{}"',
        'x = 1  # auth=("u", "{}")',
        'x = {{"password": "{}"}}',
        '{{"a": 1, "password":\n   "{}"}}',
        'PASSWORD_BY_USER = {{"alice": "{}"}}',
        'x = {{"name": "password", "value": "{}"}}',
        'f(name="password", value="{}")',
        'PASSWORDS = [\n  "a",\n "{}",\n]',
        'argv = ["mysql", "--password", "{}"]',
        'requests.get(u, auth=("u", "{}"))',
        'connect(password="{}")',
        'def f(a, password="{}"):',
        'def f(a, password: str = "{}", b=1):',
        'app.config.update(SECRET_KEY="{}")',
        'app.config["SECRET_KEY"] = "{}"',
        'd.get("token", "{}")',
        'os.environ.get("DB_PASSWORD", default="{}")',
        'os.environ.setdefault("PASSWORD", "{}")',
        'config.set("db", "password", "{}")',
        'parser.add_argument("--password", default="{}")',
        'setattr(o, "password", "{}")',
        'user.set_password("{}")',
        'Secret("{}")',
        'if "{}" == self.password:',
        'if password.startswith("{}"):',
        'match password:\n    case "{}":',
        'while (password := input()) != "{}":',
        'self.assertEqual("{}", user.password)',
        'compare_digest("{}", token)',
        'x = "password=" "{}"',
        'dict(zip(["user", "password"], ["bob", "{}"]))',
        'c.execute("INSERT INTO users (name, password) VALUES (?, ?)", ("bob", "{}"))',
        'os.putenv("SECRET", "{}")',
        'auth = "bob", "{}"',
        'yield "password", "{}"',
        'x = {{Keys.PASSWORD: "{}"}}',
        'lambda password="{}": 1',
        '@mark.parametrize("password", ["{}"])',
        'self._password: str | None = "{}"',
        'x = Field(alias="password", default="{}")',
        'environ["PASSWORD"], environ["B"] = "{}", "y"',
        'if not "{}" == form.get("password"):',
        'if "{}" == form["password"]:',
        'log.info("%s has the password %s", "bob", "{}")',
        "# the password is {} for now",
        "# password for the shop at home: {}",
        'x = "password=%s" % "{}"',
        'x = "user=%s password=%s" % ("bob", "{}")',
        'x = "token={{}}".format("{}")',
        'x = "password=" + "{}"',
        'if form.get("password") == "{}":',
        'x = environ.get("password".upper()) or "{}"',
        'x = os.environ["PASSWORD"] or "{}"',
        '(user, password) = ("bob", "{}")',
        '[user, password] = ["bob", "{}"]',
        'a = password = b = "{}"',
        'requests.get(u, auth=Basic("bob", "{}"))',
        'c = Client(auth=Basic("bob", "{}"), timeout=5)',
        'x = ("bob", "password", "{}", 5)',
        'if password in ("a", "{}"):',
        'assert password != "{}"',
        'hmac.compare_digest(token, "{}")',
        'def get_password():\n    return "{}"',
        'def get_password():\n    x = 1\n    return x or "{}"',
        'get_password = lambda: "{}"',
        'headers = {{"Authorization": "Bearer {}"}}',
        "sql = \"UPDATE u SET password = '{}'\"",
        'KEY = """-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----"""',
        'f("-----BEGIN RSA PRIVATE KEY-----\\n"\n  "{}\\n"\n "-----END RSA PRIVATE KEY-----")',
    ],
)
def test_a_secret_in_the_source_is_masked(source: str) -> None:
    """Annotations, brackets, walrus, defaults, pairs, comparisons, comments: all forms count."""
    shown = _masked(source.format(SECRET))
    assert SECRET not in shown
    words = "correct-horse-battery"
    assert words not in _masked(source.format(words)) or source in _WORDS_STAY
    assert shown.count("\n") == source.count("\n")


@pytest.mark.parametrize(
    "source",
    [
        'token = request.args["t"]',
        'token = request.args.get("t")',
        "def login(password: str) -> None:",
        "raise Denied(code=403)",
        'fields = ("name", "password", "email")',
        'fields = ["password", "email", "x"]',
        'Blueprint("auth", __name__, url_prefix="/auth")',
        'password = form.password.encode("utf-8")',
        'x = {"password": password, "user": "bob"}',
        'if password == x and mode == "live":',
        'if password == x: y = "z"',
        'for token in tokens: print("x")',
        'print("hello", name)',
        'session.get("cart")',
        'token = make_token("alice")',
        'match command:\n    case "start":',
        'assertEqual("bob", user.name)',
        'c.execute("SELECT name FROM users WHERE id = ?", ("bob",))',
        "# the password is in the vault, see RFC7617 and v2.10",
        'log.info("%s has the password %s", "bob", password)',
        'auth = OAuth(url="https://auth.example.org/x1")',
        'if not password or mode == "live":',
        "def check_pin(pin, timeout=30000):",
        'password = passwords["alice"]',
        'p = d["password"]["x"]',
        'render_template("password.html", title="Hello")',
        'def get_password():\n    x = "a"\n    return self._p',
        'timeout = 30000; assert x == "y"',
        "it's no Python at all: (((",
    ],
)
def test_code_that_handles_secrets_stays_readable(source: str) -> None:
    """Names, keys and what has no secret's name are what one needs to read."""
    assert _masked(source) == source


def _crashed(tmp_path: Path, source: str) -> list[str]:
    from flask_sentry_kit.event.frames import Stacks
    from flask_sentry_kit.event.serialize import Serializer

    path = tmp_path / f"shop_{len(list(tmp_path.iterdir()))}.py"
    path.write_text(source)
    space: dict[str, Any] = {"__name__": "written_shop"}
    try:
        exec(compile(source, str(path), "exec"), space)
    except ZeroDivisionError as error:
        found = Stacks().of_traceback(error.__traceback__, Serializer(_scrubber))
        assert found is not None
        frame = found["frames"][-1]
        return [*frame["pre_context"], frame["context_line"], *frame["post_context"]]
    raise AssertionError


def test_a_string_that_began_before_the_window_is_known(tmp_path: Path) -> None:
    """A triple-quoted string is masked if its name is far above the lines that are sent."""
    filler = "\n".join(["line"] * 80)
    lines = _crashed(tmp_path, f'password = """{filler}\n{SECRET}\n"""\n1 / 0\n')
    assert not any(SECRET in line for line in lines)
    assert "1 / 0" in lines
    lines = _crashed(tmp_path, f'print_nothing = """{filler}\nit\'s text\n"""\n1 / 0\n')
    assert "it's text" in lines


def test_a_bracket_that_began_before_the_window_is_known(tmp_path: Path) -> None:
    """The same holds for the name of a list, and for a function that returns the secret."""
    filler = "".join(f"    'x{n}',\n" for n in range(15))
    lines = _crashed(tmp_path, f"passwords = [\n{filler}    '{SECRET}',\n]\n1 / 0\n")
    assert not any(SECRET in line for line in lines)
    body = "".join(f"    x{n} = {n}\n" for n in range(60))
    lines = _crashed(
        tmp_path, f"def get_password():\n{body}    1 / 0\n    return '{SECRET}'\nget_password()\n"
    )
    assert not any(SECRET in line for line in lines)


def test_a_long_line_is_cut_first_and_its_secret_masked() -> None:
    """A secret at the cut is masked, and the text after it is not sent."""
    line = "x = '" + "a" * (LINE_MAX - 20) + f"', dict(password='{SECRET * 5}')"
    [shown] = mask_source([line], _scrubber)
    assert len(shown) <= LINE_MAX
    assert SECRET[:6] not in shown
    line = f"password = '{'y' * 300}' + {SECRET}" + "z" * 10_000_000
    [shown] = mask_source([line], _scrubber)
    assert SECRET not in shown


def test_lines_of_a_template_are_scrubbed_as_text() -> None:
    """In files that are not Python no literals are searched, but pairs and looks are masked."""
    lines = ["<p>password: " + SECRET + "</p>", "<h1>{{ title }}</h1>"]
    assert mask_text_lines(lines, _scrubber) == [f"<p>password: {MASK}</p>", "<h1>{{ title }}</h1>"]


@pytest.mark.parametrize(
    "evil",
    [
        'password="',
        '"',
        "'''",
        "\\",
        '("password",',
        "password(",
        "#'",
        "a.",
        "[{(",
        '\\"',
        "x",
        '"a"',
        'password == "a" ',
        "# a = '",
        "(\n",
        "\n",
    ],
)
def test_no_source_takes_long(evil: str) -> None:
    """Twice the source takes at most 2.5 times as long, whatever is in it."""

    def seconds(length: int) -> float:
        text = (evil * length)[:length]
        lines = [
            line[at : at + 390] for line in text.split("\n") for at in range(0, len(line), 390)
        ]
        taken = []
        for _ in range(2):
            begun = time.process_time()
            mask_source(lines, _scrubber)
            taken.append(time.process_time() - begun)
        return min(taken)

    assert seconds(40_000) <= 2.5 * seconds(20_000) + 0.02


def test_an_installed_app_has_its_source_masked(
    make_app: Callable[..., Flask], wire: Any, tmp_path: Path
) -> None:
    """An app in site-packages, as container images have it, is its owner's code like any other."""
    folder = tmp_path / "site-packages" / "image_shop"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "views.py").write_text(
        f"def crash():\n    connect(password='{SECRET}')\n\ndef connect(password):\n    1 / 0\n"
    )
    sys.path.insert(0, str(folder.parent))
    try:
        import image_shop.views  # type: ignore[import-not-found]  # made above

        app = make_app()
        app.add_url_rule("/image", "image", image_shop.views.crash)
        app.test_client().get("/image")
    finally:
        sys.path.remove(str(folder.parent))
        for name in ("image_shop", "image_shop.views"):
            sys.modules.pop(name, None)
    event = wire.one_event(app)
    assert SECRET not in json.dumps(event)
    frame = event["exception"]["values"][-1]["stacktrace"]["frames"][-1]
    assert frame["pre_context"][1] == f"    connect(password='{MASK}')"
