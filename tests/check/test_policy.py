"""Content-Security-Policy as browsers read it (check/policy.py)."""

from __future__ import annotations

import pytest

from flask_sentry_kit.check.policy import Part, read_policies

PAGE = "https://shop.example/basket"
SENTRY = "https://errors.example.com/api/"
CSP = "Content-Security-Policy"
INLINE = Part("inline script", nonce="abc", text="run()")
ADDED = Part("script", SENTRY, by_script=True)


@pytest.mark.parametrize(
    "policy, part, blocked",
    [
        # Fallback: the narrowest directive decides alone; form-action has none.
        ("default-src 'self'", ADDED, "default-src"),
        ("default-src *; script-src 'self'", ADDED, "script-src"),
        ("script-src 'self'; script-src-elem *", ADDED, None),
        ("script-src *; script-src-elem 'none'", ADDED, "script-src-elem"),
        ("default-src 'none'", Part("form", PAGE), None),
        ("form-action 'none'", Part("form", PAGE), "form-action"),
        ("form-action 'self'", Part("form", PAGE), None),
        ("img-src data:", Part("connect", SENTRY), None),
        ("connect-src 'self'", Part("connect", SENTRY), "connect-src"),
        # The first directive of a name counts; names and keywords are in any case.
        ("script-src *; script-src 'none'", ADDED, None),
        ("SCRIPT-SRC 'Self'", Part("script", "https://shop.example/a.js"), None),
        (" ;; script-src\t 'none' ;", ADDED, "script-src"),
        # An empty list allows nothing.
        ("script-src", ADDED, "script-src"),
        # Host sources: scheme, port, wildcard, path.
        ("script-src errors.example.com", ADDED, None),
        ("script-src https://errors.example.com", ADDED, None),
        ("script-src http://errors.example.com", ADDED, None),
        ("script-src *.example.com", ADDED, None),
        ("script-src *.errors.example.com", ADDED, "script-src"),
        ("script-src errors.example.com:8443", ADDED, "script-src"),
        ("script-src errors.example.com:*", ADDED, None),
        ("script-src errors.example.com/api/", ADDED, None),
        ("script-src errors.example.com/ap", ADDED, "script-src"),
        ("script-src https:", ADDED, None),
        ("script-src data:", ADDED, "script-src"),
        # "*" is every host, but no data:.
        ("img-src *", Part("image", "data:image/png,"), "img-src"),
        ("img-src * data:", Part("image", "data:image/png,"), None),
        # Nonces and hashes; 'unsafe-inline' is nothing beside them.
        ("script-src 'nonce-abc'", INLINE, None),
        ("script-src 'nonce-ABC'", INLINE, "script-src"),
        ("script-src 'unsafe-inline'", Part("inline script", text="run()"), None),
        ("script-src 'unsafe-inline' 'nonce-x'", Part("inline script", text="run()"), "script-src"),
        (
            "script-src 'sha256-3ZMuCCdMD0Q0ZUPjAqT0VLhVmyPQ2CqXsUsmtNq4JqM='",
            Part("inline script", text="run("),
            "script-src",
        ),
        ("style-src 'self' 'unsafe-inline'", Part("inline style", text="."), None),
        ("style-src 'self' 'nonce-x' 'unsafe-inline'", Part("inline style", text="."), "style-src"),
        # 'strict-dynamic': hosts count no more, and what a script adds is allowed.
        ("script-src 'strict-dynamic' 'nonce-abc'", ADDED, None),
        ("script-src 'strict-dynamic' 'self'", Part("script", f"{PAGE}.js"), "script-src"),
        ("script-src 'strict-dynamic' 'nonce-a'", Part("script", f"{PAGE}.js", nonce="a"), None),
        ("script-src 'strict-dynamic' 'unsafe-inline'", Part("inline script"), "script-src"),
    ],
)
def test_which_directive_blocks(policy: str, part: Part, blocked: str | None) -> None:
    """The directive that blocks a part of the page, or none."""
    (read,) = read_policies([(CSP, policy)])
    assert read.blocked_by(part, PAGE) == blocked


def test_a_hash_allows_its_script_alone() -> None:
    """The digest of the script's text, in any of the three kinds."""
    import base64
    import hashlib

    for kind in ("sha256", "sha384", "sha512"):
        digest = base64.b64encode(hashlib.new(kind, b"run()").digest()).decode()
        (policy,) = read_policies([(CSP, f"script-src '{kind}-{digest}'")])
        assert policy.blocked_by(Part("inline script", text="run()"), PAGE) is None
        assert policy.blocked_by(Part("inline script", text="walk()"), PAGE) == "script-src"
        linked = Part("script", SENTRY, integrity=f"{kind}-{digest}")
        assert policy.blocked_by(linked, PAGE) is None


def test_all_policies_of_all_headers_are_read() -> None:
    """Several headers, several policies in one header, those in the page's head; report-only ones
    are marked, and empty ones are none."""
    headers = [
        (CSP, "script-src 'self', img-src 'none'"),
        ("content-security-policy", "form-action 'self'"),
        (f"{CSP}-Report-Only", "default-src 'none'"),
        (CSP, " ; "),
        ("Content-Type", "text/html"),
    ]
    policies = read_policies(headers, ["style-src 'self'; sandbox; frame-ancestors 'none'"])
    assert [(list(one.directives), one.enforced) for one in policies] == [
        (["script-src"], True),
        (["img-src"], True),
        (["form-action"], True),
        (["default-src"], False),
        (["style-src"], True),
    ]


def test_self_is_upgraded_and_not_crossed() -> None:
    """'self' of a page with http takes the same host with https; not another port or host."""
    (policy,) = read_policies([(CSP, "script-src 'self'")])
    for url, page, blocked in (
        ("https://shop.example/a", "http://shop.example/", None),
        ("http://shop.example/a", "https://shop.example/", "script-src"),
        ("http://localhost:5000/a", "http://localhost:5000/", None),
        ("http://localhost:5001/a", "http://localhost:5000/", "script-src"),
        ("https://cdn.shop.example/a", "https://shop.example/", "script-src"),
    ):
        assert policy.blocked_by(Part("script", url), page) == blocked, url
