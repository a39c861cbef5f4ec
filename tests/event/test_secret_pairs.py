"""Names and values inside texts, in every common notation."""

from __future__ import annotations

import pytest

from flask_sentry_kit.event.scrub import MASK, Scrubber
from flask_sentry_kit.event.serialize import Serializer

SECRET = "Zq9xhunter2"

# A backslash and a letter stand for themselves, as in a repr, and for a line's end.
NOTATIONS = r"""
password: Zq9xhunter2
password: correct Zq9xhunter2 staple
code=0~Zq9xhunter2
code=-5Zq9xhunter2
db:\n  password: Zq9xhunter2\n  host: x
db:\n  password: |\n    Zq9xhunter2\n    b\n  host: x
key: |-\n
[db]\npassword = my Zq9xhunter2\nuser = x
{"key": "password", "value": "Zq9xhunter2"}
{"value": "Zq9xhunter2", "name": "password"}
{'field': 'api_key', 'content': b'Zq9xhunter2'}
{'type': 'key', 'password': 'Zq9xhunter2'}
{'api_key_m0': 'Zq9xhunter2', 'city_m0': 'Bern'}
<input type="password" name="password" value="Zq9xhunter2">
<input value="Zq9xhunter2" name="password">
<add key="ApiKey" value="Zq9xhunter2"/>
<param name="password">Zq9xhunter2</param>
<string name="api_key">Zq9xhunter2</string>
<password><![CDATA[Zq9xhunter2]]></password>
- name: DB_PASSWORD\n  value: Zq9xhunter2
Token('Zq9xhunter2')
ApiKey("Zq9xhunter2")
<Token: Zq9xhunter2>
Secret(value='Zq9xhunter2')
Token(id=5, value='Zq9xhunter2')
<Secret Zq9xhunter2>
curl -u bob:Zq9xhunter2 https://example.org
['curl', '-u', 'bob:Zq9xhunter2']
curl --user bob:Zq9xhunter2
mysql -u root -pZq9xhunter2 shop
sshpass -p Zq9xhunter2 ssh x
mysql --password=Zq9xhunter2
java -storepass Zq9xhunter2
ALTER USER bob WITH PASSWORD 'Zq9xhunter2'
CREATE USER bob IDENTIFIED BY 'Zq9xhunter2'
SET PASSWORD FOR 'bob' = PASSWORD('Zq9xhunter2')
API key: Zq9xhunter2
"Mot de passe": "Zq9xhunter2"
mot de passe : Zq9xhunter2
Passwort: Zq9xhunter2
пароль=Zq9xhunter2
"\u5bc6\u7801": "Zq9xhunter2"
密码：Zq9xhunter2
{&quot;password&quot;: &quot;Zq9xhunter2&quot;}
GET /login?next=%2Fa%3Ftoken%3DZq9xhunter2
GET /login?next=%252Fa%253Ftoken%253DZq9xhunter2 HTTP
Content-Disposition: form-data; name="password"\r\n\r\nZq9xhunter2\r\n--x
{"a": "{\"b\": \"{\\\"password\\\": \\\"Zq9xhunter2\\\"}\"}"}
the password is Zq9xhunter2
password "Zq9xhunter2" is wrong
X-Api-Key: Zq9xhunter2\r\nHost: x
Cookie: a=Zq9xhunter2; b=2
sessionid=Zq9xhunter2; csrftoken=x
User(id=1, password_hash='Zq9xhunter2')
Command '/usr/bin/foo --token=Zq9xhunter2'
password -> Zq9xhunter2
password := "Zq9xhunter2"
user[password]=Zq9xhunter2
config['SECRET_KEY'] = 'Zq9xhunter2'
SplitResult(scheme='https', netloc='bob:Zq9xhunter2@example.org', path='/')
ConnectionError: bob:Zq9xhunter2@db:5432
Digest username="bob", response="Zq9xhunter2"
Authorization: AWS4-HMAC-SHA256 Credential=AKIA/2026, Signature=Zq9xhunter2
DSN host=x password=Zq9xhunter2 user=bob
DefaultEndpointsProtocol=https;AccountName=x;AccountKey=Zq9xhunter2;EndpointSuffix=x
https://x.blob.core.windows.net/c?sv=2020&sig=Zq9xhunter2&se=1
setx API_TOKEN Zq9xhunter2
machine x login bob password Zq9xhunter2
Password for bob is Zq9xhunter2
invalid token Zq9xhunter2x1
[('password', 'Zq9xhunter2')]
(b'authorization', b'Bearer Zq9xhunter2')
password=b'Zq9xhunter2'
{password: Zq9xhunter2}
OrderedDict([('password', 'Zq9xhunter2')])
password=SecretBox('Zq9xhunter2')
Bearer Zq9xhunter2
authorization=Bearer Zq9xhunter2
jdbc:oracle:thin:bob/Zq9xhunter2@db:1521:x
seed phrase: abandon ability able Zq9xhunter2
password%3DZq9xhunter2
<wsse:Password Type="x">Zq9xhunter2</wsse:Password>
<key>password</key><string>Zq9xhunter2</string>
one-time code: 928Zq9xhunter2
"credit card number": "Zq9xhunter2"
set-cookie: session=Zq9xhunter2; Path=/
?state=Zq9xhunter2&code=5&client_id=x
password\tZq9xhunter2
INSERT INTO users (name, password) VALUES ('bob', 'Zq9xhunter2'), ('a', 'Zq9xhunter2')
('password', 'Zq9xhunter2', True)
[b'mysql', b'--password', b'Zq9xhunter2', b'x']
A=1\nSECURITY_ANSWER=foo Zq9xhunter2\nB=2
https://x/cb?state=Zq9xhunter2&code=1
1 validation error for Login\npassword\n  String [type=x, input_value='Zq9xhunter2', input_type=str]
the db password for prod: Zq9xhunter2
client_secret is Zq9xhunter2
""".strip().split("\n")

PROSE = r"""
error code: 404
the password is wrong
Unexpected token: x
Unexpected token < in JSON
Unexpected token '<', "<!DOCTYPE" is not valid JSON
Missing cookie: session
password: This field is required.
password: must be at least 8 characters
KeyError: 'password'
KeyError: 'token'
{'password': None, 'token': True}
password=None token=False
tokens=1500, max_tokens: 200
token_type: bearer
['username', 'password', 'email']
{"name": "token", "type": "string"}
AssertionError: x is 5
jinja2.exceptions.UndefinedError: 'user' is undefined
def login(password: str) -> None
AttributeError: 'NoneType' object has no attribute 'name'
primary_key=5
SELECT * FROM users WHERE id = 5 -- note
session closed: 5
https://example.org/token/refresh
cannot import name 'x' from 'y' (z.py)
2026-11-22 08:00:00,123 INFO shop: ready
state=5&page=2
TypeError: create() got an unexpected keyword argument 'token'
invalid literal for int() with base 10: 'abc'
csrf token missing
The CSRF session token is missing.
Authentication failed: bad request
SyntaxError: invalid syntax (views.py, line 5)
ValueError: time data '2026-01-01' does not match format '%Y'
the basic requirements: x
pass: 5 fail: 3
Connection to db at host port 5432 failed
sort key: name, cache key: user:5
""".strip().split("\n")

_scrubber = Scrubber()


@pytest.mark.parametrize("text", NOTATIONS)
def test_a_value_is_masked_in_every_notation(text: str) -> None:
    """YAML, INI, SQL, XML, HTML, command lines, reprs, dumps of headers: each is read."""
    assert SECRET not in _scrubber.text(text)
    lines = text.replace("\\r", "\r").replace("\\n", "\n").replace("\\t", "\t")
    assert SECRET not in _scrubber.text(lines)


@pytest.mark.parametrize("text", PROSE)
def test_prose_keeps_its_words(text: str) -> None:
    """Messages that mention secrets without containing one stay unchanged."""
    assert _scrubber.text(text) == text


@pytest.mark.parametrize(
    "query",
    [
        "state=%s&code=1",
        "client_id=2&nonce=%s",
        "SAMLResponse=%s",
        "data=%%257B%%2522password%%2522%%253A%%2522%s%%2522%%257D",
        'data={"a":"{\\"password\\":\\"%s\\"}"}',
        "name=password&value=%s",
        "filter[name]=token&filter[value]=%s",
        "u=https%%3A%%2F%%2Fbob%%3A%s%%40example.org",
        "a=1;token=%s",
        "X-Amz-Signature=%s",
        "oauth_signature=%s",
        "next=%%252Fa%%253Fx%%253D1%%2526token%%253D%s",
    ],
)
def test_queries_give_nothing_away(query: str) -> None:
    """Encoded once, twice or not, alone or beside the pair that names it."""
    assert SECRET not in _scrubber.query(query % SECRET)


@pytest.mark.parametrize(
    "url",
    [
        "https://bob:%s@example.org/a",
        "https://x.org/reset/%s",
        "https://x.org/invite/%s/accept",
        "https://x.org/cb#access_token=%s&x=1",
        "https://x.org/#/reset?token=%s",
        "https://x.org/a;jsessionid=%s?x=1",
    ],
)
def test_addresses_give_nothing_away(url: str) -> None:
    """A password, a link's random part, a fragment's token."""
    assert SECRET not in _scrubber.url(url % SECRET)


@pytest.mark.parametrize(
    "value",
    [
        {"key": "password", "value": SECRET},
        {"Field": "api_key", "Content": SECRET},
        {"state": SECRET, "code": "1"},
        {"kty": "oct", "k": SECRET},
        ("a", "password", SECRET, 1),
        [b"x", b"--password", SECRET.encode(), b"y"],
        ["curl", "-u", f"bob:{SECRET}"],
        (b"authorization", f"Bearer {SECRET}".encode()),
        {"netloc": f"bob:{SECRET}@example.org"},
    ],
)
def test_values_that_stand_apart_from_their_name(value: object) -> None:
    """A key that says the name and one that says the value; a row; an option of a command."""
    assert SECRET not in str(Serializer(_scrubber).value(value))


@pytest.mark.parametrize(
    "value",
    [
        {"password": None, "token": True, "secret": False, "cookies": {}},
        {"tokens": 1500, "error": {"code": 404}},
        ["username", "password", "email"],
        {"state": "open", "page": 2},
    ],
)
def test_what_is_no_secret_keeps_its_value(value: object) -> None:
    """Booleans, None, what is empty, a number of tokens, an error's code."""
    assert MASK not in str(Serializer(_scrubber).value(value))


@pytest.mark.parametrize("length", [400, 2000])
@pytest.mark.parametrize(
    "secret",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "x" * 500,
        "4111 1111 1111 1111",
        "postgres://bob:hunter2hunter2@db/shop",
        "password=" + "hunter2" * 100,
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    ],
)
def test_a_secret_that_the_cut_runs_through_is_masked(secret: str, length: int) -> None:
    """Wherever a text is cut, no half of a secret is shown."""
    for before in range(length - 60, length + 330, 3):
        shown = _scrubber.short("x " * (before // 2) + secret + " y" * 300, length)
        assert len(shown) <= length
        for part in ("eyJhbGciOi", "4111 1111 1111", "hunter2", "ghp_abcdefghijkl"):
            assert part not in shown
