"""Recognises secrets without a name: payment cards, tokens with known prefixes, JSON web tokens,
private keys, password hashes, passwords in addresses.

Every pattern takes linear time: nothing is required after a run of unbounded length, and no run is
entered twice.
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Final

from .card_numbers import LONG_NUMBERS, mask_digits
from .mask import MASK

# Tokens with prefixes that their issuers publish, so that scanners can find them. Only the part
# after the last fixed character varies in length.
_PREFIXED: Final = re.compile(
    r"""
    (?<![A-Za-z0-9])(?:
      (?:AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA)[A-Z0-9]{12,}   # AWS
    | gh[pousr]_[A-Za-z0-9]{16,} | github_pat_\w{16,}                      # GitHub
    | gl(?:pat|ptt|rt|dt|soat|cbt|ft|imt|agent|oas|ffct|rtr|wt)-[\w.=-]{12,}
    | GR1348941[\w-]{12,} | _gitlab_session=[\w-]{16,}                     # GitLab
    | xox[abcdeoprs](?:[.-][A-Za-z0-9%-]{6,})+ | xapp-[\w-]{10,} | xwfp-[\w-]{10,}   # Slack
    | (?:sk|rk|pk)_(?:live|test|prod)_\w{8,} | whsec_[A-Za-z0-9+/=_-]{10,}       # Stripe
    | (?:pi|seti|cs)_[A-Za-z0-9]{8,}_secret_\w{8,}
    | AIza[\w-]{30,} | ya29\.[\w.-]{10,} | GOCSPX-[\w-]{16,} | 1//0[\w-]{20,} | 4/0A[\w-]{20,}
    | SG\.[\w-]{10,}(?:\.[\w-]{10,})? | xkeysib-[\w-]{20,} | xsmtpsib-[\w-]{20,}
    | (?:mm_)?key-[0-9a-f]{24,} | [0-9a-f]{32}-us[0-9]{1,2}(?![0-9A-Za-z])
    | npm_[A-Za-z0-9]{20,} | pypi-[\w-]{16,} | rubygems_[0-9a-f]{20,} | oy2[a-z0-9]{43}
    | dckr_(?:pat|oat)_[\w-]{16,} | nuget_[\w-]{16,} | cio[A-Za-z0-9]{32} | crates_[\w-]{20,}
    | sk-(?:proj-|ant-|svcacct-|admin-|or-|live-|lf-)?[A-Za-z0-9][\w-]{15,} | sess-[A-Za-z0-9]{30,}
    | pplx-[A-Za-z0-9]{20,} | gsk_[A-Za-z0-9]{20,} | xai-[A-Za-z0-9]{20,} | r8_[A-Za-z0-9]{20,}
    | hf_[A-Za-z0-9]{16,} | api_org_[A-Za-z0-9]{20,} | co-[A-Za-z0-9]{38,}
    | (?:AC|SK)[0-9a-fA-F]{32}                                                # Twilio
    | shp(?:at|ca|pa|ss|ua|tka)_[A-Za-z0-9]{16,}                           # Shopify
    | do[opr]_v1_[0-9a-f]{16,} | HRKU-[\w-]{16,} | rnd_[A-Za-z0-9]{20,} | fo1_[\w-]{30,}
    | fm[12][ar]?_[A-Za-z0-9+/=_-]{30,} | vercel_[\w]{16,} | nf[pcoub]_[A-Za-z0-9]{24,}
    | [0-9]{8,11}:AA[\w-]{25,} | [MNO][A-Za-z0-9_-]{22,27}\.[\w-]{6}\.[\w-]{26,}
    | sq0[a-z]{3}-[\w-]{16,} | EAAA[A-Za-z0-9_+/=-]{20,} | EAA[A-Za-z0-9]{60,}
    | access_token\$(?:production|sandbox)\$[0-9a-z]{8,}\$[0-9a-f]{16,}     # Braintree, PayPal
    | dapi[0-9a-f]{28,}(?:-[0-9])? | dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{16,}
    | lin_(?:api|oauth)_[A-Za-z0-9]{16,} | (?:secret|ntn)_[A-Za-z0-9]{30,} | fig[dou]_[\w-]{20,}
    | gl(?:c|sa)_[A-Za-z0-9+/=_-]{20,} | sntr(?:ys|yu)_[A-Za-z0-9+/=_-]{16,}
    | (?:hvs|hvb|hvr)\.[\w-]{16,} | [sbr]\.[A-Za-z0-9]{24}(?![A-Za-z0-9])  # Vault
    | AGE-SECRET-KEY-1[0-9A-Z]{20,} | NRAK-[A-Z0-9]{20,} | NRJS-[0-9a-f]{16,} | NRI[IQ]-[\w-]{20,}
    | PMAK-[0-9a-f-]{20,} | rdme_[a-z0-9]{20,} | tfp_[\w-]{20,} | dop_[\w-]{20,}
    | atlasv1\.[\w-]{20,} | [A-Za-z0-9]{14}\.atlasv1\.[\w-]{20,} | ATATT3[\w=-]{20,}
    | ATCTT3[\w=-]{20,} | ATBB[A-Za-z0-9]{20,} | BBDC-[\w-]{20,} | PRIVATE-[\w-]{30,}
    | sbp_[0-9a-f]{20,} | sb_(?:secret|publishable)_[\w-]{16,}
    | pscale_(?:tkn|pw|oauth)_[\w.=-]{16,}
    | tskey-[a-z]+-[\w-]{10,} | ops_eyJ[\w-]{20,} | A3-[A-Z0-9]{6}-[A-Z0-9-]{16,}   # 1Password
    | pul-[0-9a-f]{20,} | duffel_(?:test|live)_[\w=-]{16,} | FLW(?:SECK|PUBK)(?:_TEST)?-[\w-]{12,}
    | EZ[AT]K[A-Za-z0-9]{20,} | shippo_(?:live|test)_[0-9a-f]{16,} | rzp_(?:live|test)_\w{10,}
    | (?:live|test)_[A-Za-z0-9]{30,} | key_(?:live|test)_[A-Za-z0-9]{16,} | plaid-[\w-]{20,}
    | (?:access|public|link|processor)-(?:sandbox|development|production)-[0-9a-f-]{20,}  # Plaid
    | CFPAT-[\w-]{20,} | p8e-[A-Za-z0-9-]{16,} | lsv2_(?:pt|sk)_\w{16,} | jina_\w{20,}
    | phc_[A-Za-z0-9]{20,} | phx_[A-Za-z0-9]{20,} | bkua_[0-9a-f]{20,} | CCIPAT_\w{16,}
    | re_[A-Za-z0-9]{6,12}_[A-Za-z0-9]{16,} | pat[A-Za-z0-9]{14}\.[0-9a-f]{20,}
    | pat-(?:na|eu)1-[0-9a-f-]{20,}
    | xoxe\.xox[bp]-[\w-]{16,} | ST-[0-9]{1,12}-[\w.-]{10,}
    | TGT-[0-9]{1,12}-[\w.-]{10,} | PT-[0-9]{1,12}-[\w.-]{20,}
    | v2\.(?:local|public)\.[\w-]{16,} | v[34]\.(?:local|public)\.[\w-]{16,}        # PASETO
    | [xyzt]prv[A-Za-z0-9]{50,} | [5KL][1-9A-HJ-NP-Za-km-z]{50,51}(?![A-Za-z0-9])  # wallets
    | vk1\.a\.[\w-]{20,} | y[0-3]_[\w-]{30,} | AQVN[\w-]{30,} | t1\.[\w-]{40,}      # VK, Yandex
    | SWMTKN-1-[\w-]{20,} | K10[0-9a-f]{40,}::[\w:.-]{6,} | amzn\.mws\.[0-9a-f-]{20,}
    | A3T[A-Z0-9]{17,} | ABSK[A-Za-z0-9+/]{40,} | LTAI[A-Za-z0-9]{16,} | bedrock-api-key-\w{10,}
    | AKCp[A-Za-z0-9]{40,} | cmVmd[A-Za-z0-9]{40,} | [A-Za-z0-9_~.]{3}[0-9]Q~[\w~.-]{31,34}
    | (?i:CLOJARS_)[a-z0-9]{40,} | v1\.0-[a-f0-9]{24}-[a-f0-9]{40,} | dnkey-[\w=-]{20,}
    | sl\.[\w=-]{40,} | ico-[A-Za-z0-9]{32} | API-[A-Z0-9]{26}(?![A-Z0-9]) | \w{36}_mmk
    | (?:pat|sat)\.[\w-]{22}\.[\w.-]{20,} | dt0[a-z][0-9]{2}\.[\w.-]{24,} | pubkey-[0-9a-f]{32}
    | fio-u-[\w=-]{20,} | s-s4t2(?:ud|af)-[0-9a-f]{40,} | ZXlK[\w+/=-]{20,} | 4b1d[A-Za-z0-9]{38}
    | 1//[\w-]{30,} | prct?l?_[\w-]{20,} | pnu_\w{30,} | sk_[A-Za-z0-9]{24,} | zpka_\w{16,}
    | [0-9]{15,16}[|%][0-9a-z_-]{27,40} | tk-us-[\w-]{30,} | sm_[aps]at_\w{16,} | sgp_\w{20,}
    | (?:sc|ext|scauth|authress)_[a-z0-9]{5,30}\.[a-z0-9]{4,6}\.acc[_-][\w./+-]{10,}
    )[=]{0,2}
    """,
    re.VERBOSE,
)
_WEBHOOKS: Final = re.compile(
    r"""
    (?<![\w.-]) (?P<hook>
      hooks\.slack\.com/(?:services|workflows|triggers)/
    | (?:\w{1,20}\.)?discord(?:app)?\.com/api/(?:v[0-9]+/)?webhooks/
    | [\w.-]{1,60}\.webhook\.office\.com/
    | outlook\.office(?:365)?\.com/webhook/
    | hooks\.zapier\.com/hooks/
    | chat\.googleapis\.com/v1/spaces/
    | maker\.ifttt\.com/(?:use|trigger)/
    | open\.(?:feishu\.cn|larksuite\.com)/open-apis/bot/v2/hook/
    | api\.telegram\.org/(?:file/)?bot
    ) [^\s"'<>\\]+
    """,
    re.VERBOSE,
)
_JWT: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:\.?eJ[A-Za-z0-9_-]{10,}|ey[JA-Z][A-Za-z0-9_+/=%-]{4,})(?:\.[A-Za-z0-9_-]*){0,4}"
)
_SCHEME: Final = re.compile(
    r"""\b(?P<scheme>(?i:bearer|basic|negotiate|ntlm|ssws|geniekey|apikey|token|hawk|dpop|jwt))
    (?P<gap>[ \t]{1,8}|%20|\+|\xa0)(?P<value>[A-Za-z0-9+/._~=|:$-]{6,})""",
    re.VERBOSE,
)
_DIGEST: Final = re.compile(r"(?i)\b(digest\s{1,8})(?=[a-z]{1,20}=)[^\r\n]*")
_HASHES: Final = re.compile(
    r"""
    (?<![\w$])(?:
      \$(?:2[abxy]?|[1567y]|gy|md5|sha1|apr1|bcrypt(?:-sha256)?|argon2(?:id|i|d)|scrypt|7|y|P|H|S
         |pbkdf2(?:-sha(?:1|256|512))?|p5k2|shiro1|sm3)\$[\w./+=,$*-]{8,}
    | (?:scrypt|pbkdf2)(?::\w+){0,5}\$[\w./+=$-]{4,}
    | (?:pbkdf2_sha(?:1|256|512)|bcrypt(?:_sha256)?|argon2(?:id|i|d)?|scrypt|md5|sha1|sha256|sha512
         |unsalted_md5|PBKDF2|sha512_crypt)\$[\w./+=,$*-]{8,}
    | \{(?:SSHA|SHA|SMD5|MD5|CRYPT|SSHA256|SSHA512|PBKDF2[\w-]{0,12}|ARGON2|BCRYPT)\}[\w./+=$-]{8,}
    | \*[0-9A-F]{40}(?![0-9A-Za-z])
    | (?:SCRAM-SHA-256|SCRAM-SHA-1)\$[\w./+=$:-]{8,}
    | [0-9a-f]{32}:[0-9a-f]{32}(?![0-9A-Za-z])
    )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_PEM_BEGIN: Final = re.compile(
    r"-{4,5} ?BEGIN [A-Z0-9 ]{0,40}(?:PRIVATE KEY|SECRET KEY|PRIVATE KEY BLOCK)[A-Z ]{0,10} ?-{4,5}"
)
_PEM_END: Final = re.compile(r"-{4,5} ?END [A-Z0-9 ]{0,60}-{4,5}")
_PUTTY: Final = re.compile(r"Private-Lines: [0-9]+|Private-MAC: ")
_ADDRESS: Final = re.compile(r"://[^\s\"'<>`|]+|(?<=:)\\?/\\?/[^\s\"'<>`|]+")
_NETLOC: Final = re.compile(
    r"(?<![\w./-])(?P<user>[\w.+%-]{1,64})(?P<sign>[:/])(?P<word>[^\s:@/\"'<>]{1,100})"
    r"@(?=[\w.-]{1,100}:[0-9]{2,5}(?![0-9]))"
)
_IN_PROSE: Final = re.compile(
    r"""(?i)(?<![A-Za-z0-9])(?:
      (?P<name>pass(?:word|wd|phrase|code|wort)|pwd|kennwort|wachtwoord|contraseña|senha|пароль)
      (?P<gap>[ ](?:for[ ]\S{1,60}[ ])?(?:is|was|of|to|with|now|ist|es|est)[ ]|[ \t]{1,8})
      (?P<quote>["'`]?)(?P<value>[^\s"'`,;<>()]{4,})
    | (?P<long>tokens?|secret|credentials?|session|key
        |(?:api|access|secret|private|signing|encryption)[ _-]?key)
      (?P<gap2>[ ](?:for[ ]\S{1,60}[ ])?(?:is|was|of|to|with|now|id)[ ]|[ \t]{1,8})
      (?P<quote2>["'`]?)(?P<value2>[A-Za-z0-9_+/=.~-]{10,})
    | (?P<short>pin|otp|passcode|cvv2?|cvc2?|tan|puk
        |(?:verification|security|login|access|backup|recovery|reset|one[ -]time|auth(?:entication)?
           |confirmation|sms|2fa|mfa|sign[ -]in|activation|unlock)[ ](?:code|pin))
      (?P<gap3>[ ](?:is|was|of|to|now)[ ]|[ ]|:[ ]|[ ]is:[ ])
      (?P<quote3>["'`]?)(?P<value3>[0-9][0-9A-Z-]{2,11})(?![\w.])
    )""",
    re.VERBOSE,
)
# Most texts contain none of these; checking that first is cheaper than the full patterns.
_DIGIT: Final = re.compile(r"[0-9]")
_RUN_LEAST: Final = 12
_RUN: Final = re.compile(rf"[\w.:$+=*{{}}-]{{{_RUN_LEAST},}}")
_LONG_DIGITS: Final = re.compile(r"[0-9]{4}[0-9 .+\xa0%-]{8}")
# Prefixes that no word begins with. Other prefixes need a digit after them, because of words
# such as "sk-learn-compatible".
_KNOWN: Final = tuple(
    "glpat- sk_live_ sk_test_ rk_live_ SG. sk-proj- sk-ant- hf_ whsec_ hvs. ghp_ gho_ npm_ pypi- "
    "github_pat_ xoxb- xoxp- api_org_ shpat_ AIza GOCSPX- dckr_pat_ AKIA".split()
)
# Characters after the name of a scheme, and after a name in prose.
_GAP: Final = re.compile(r"[ \t+%\xa0]")
_SCHEMES: Final = (
    "digest bearer basic negotiate ntlm ssws geniekey apikey token hawk dpop jwt".split()
)
_NAMES_IN_PROSE: Final = (
    "pass pwd token secret key credential session pin otp cvv cvc code tan puk kennwort wachtwoord "
    "contraseña senha пароль"
).split()


def is_random(text: str, least: int = 8) -> bool:
    """Whether a word looks machine-made: it mixes digits with letters or capitals with lower-case
    letters, or is longer than words are. Prose does not look like that."""
    if len(text) < least or text == MASK:
        return False
    core = text.strip(".,:;=-_/")
    digits = sum(char.isdigit() for char in core)
    if digits and digits < len(core) and (digits > 1 or least < 8 or len(core) >= 16):
        return any(char.isalpha() for char in core)
    small = sum(char.islower() for char in core[1:])
    capitals = sum(char.isupper() for char in core[1:])
    if small and capitals > (1 if least < 12 else 2):
        return True
    if text.endswith("=") and least < 12:
        return True
    return len(core) >= 24 and core.isalnum()


def _mask_scheme(match: re.Match[str]) -> str:
    scheme, value = match["scheme"], match["value"]
    kind = scheme.lower()
    if kind == "basic":
        secret = _is_basic(value) or is_random(value)
    else:
        secret = is_random(value, 12 if kind in ("token", "jwt") else 8)
    return f"{scheme}{match['gap']}{MASK}" if secret else match.group()


def _is_basic(value: str) -> bool:
    try:
        return b":" in b64decode(value[:400] + "=" * (-len(value[:400]) % 4), validate=True)
    except ValueError:
        return False


def _mask_in_prose(match: re.Match[str]) -> str:
    for value, least in (("value", 6), ("value2", 10), ("value3", 3)):
        found = match[value]
        if found is None:
            continue
        if value != "value3":
            if not is_random(found, least) or "=" in found[:-2] or found.startswith(("--", "/")):
                return match.group()
            if value == "value2" and not any(char.isdigit() for char in found):
                return match.group()
        return (
            match.group()[: match.start(value) - match.start()]
            + MASK
            + (match.group()[match.end(value) - match.start() :])
        )
    return match.group()


def _mask_jwt(match: re.Match[str]) -> str:
    found = match.group()
    if len(found) < 14:
        return found
    if not any(char.isdigit() or char.isupper() for char in found[3:]):
        return found
    return MASK


def _mask_prefixed(match: re.Match[str]) -> str:
    found = match.group()
    if found.startswith(_KNOWN) or _DIGIT.search(found) is not None:
        return MASK
    return found


def _mask_hook(match: re.Match[str]) -> str:
    return match["hook"] + MASK


def _mask_address(match: re.Match[str]) -> str:
    """An address without the password or token before its host (RFC 3986, 3.2.1).

    A password may contain characters that should have been encoded: "/", "?", "#", "@".
    """
    whole = match.group()
    if "@" not in whole:
        return whole
    return "://".join(map(_without_userinfo, whole.split("://")))


def _without_userinfo(rest: str) -> str:
    at = rest.rfind("@")
    if at < 0:
        return rest
    lead = len(rest) - len(rest.lstrip("/\\"))
    end = next((place for place in range(lead, len(rest)) if rest[place] in "/?#"), len(rest))
    authority = rest[lead:end]
    if "@" in authority:
        at = lead + authority.rfind("@")
        # "p@ss/word@host": the last "@" counts if the text between is not a host with a path.
        later = rest.rfind("@")
        if later > at and "/" in rest[at:later] and rest[at + 1 : at + 2] not in "[":
            host = rest[at + 1 : end]
            if (
                ":" in authority[: at - lead]
                and "." not in host
                and not host.startswith("localhost")
            ):
                at = later
    else:
        # No "@" before the path: the password contains a "/", or the path contains an "@".
        user, sign, port = authority.partition(":")
        if not sign or port.isdigit() or not port or authority.startswith("["):
            return rest
    user, sign, word = rest[lead:at].partition(":")
    host = rest[at:]
    if not sign:
        if user in ("git", "hg", "svn", "anonymous") or (len(user) < 12 and user.isalpha()):
            return rest
        return f"{rest[:lead]}{MASK}{host}"
    if not word and len(user) < 16:
        return rest
    if not user or (word not in ("", "x-oauth-basic", "x", "X", "api_token") and len(user) < 40):
        return f"{rest[:lead]}{user}:{MASK}{host}"
    return f"{rest[:lead]}{MASK}{host}"


def _without_keys(text: str) -> str:
    """The text without the body of private keys in PEM format."""
    found: list[str] = []
    done = 0
    while begin := _PEM_BEGIN.search(text, done):
        end = _PEM_END.search(text, begin.end())
        found += (text[done : begin.end()], MASK)
        if end is None:
            return "".join(found)
        done = end.start()
    return "".join(found) + text[done:]


def mask_looks(text: str) -> str:
    """The text with everything masked that looks like a secret."""
    if "PRIVATE KEY" in text or "SECRET KEY" in text:
        text = _without_keys(text)
    if "Private-" in text and (putty := _PUTTY.search(text)):
        text = text[: putty.end()] + MASK
    if "//" in text or "/\\/" in text:
        text = _ADDRESS.sub(_mask_address, text)
    if may_be_webhook(text):
        text = _WEBHOOKS.sub(_mask_hook, text)
    if "@" in text:
        text = _NETLOC.sub(rf"\g<user>\g<sign>{MASK}", text)
    if "ey" in text or "eJ" in text:
        text = _JWT.sub(_mask_jwt, text)
    runs = _RUN.findall(text) if len(text) >= _RUN_LEAST else ()
    if runs and any(
        _DIGIT.search(run) is not None or any(map(run.__contains__, _KNOWN)) for run in runs
    ):
        text = _PREFIXED.sub(_mask_prefixed, text)
        if any("$" in run or "}" in run or "*" in run or len(run) > 64 for run in runs):
            text = _HASHES.sub(MASK, text)
    if _DIGIT.search(text) is not None:
        if _LONG_DIGITS.search(text) is not None:
            text = LONG_NUMBERS.sub(mask_digits, text)
    if _GAP.search(text) is None:
        return text
    lowered = text.lower()
    if _DIGIT.search(text) is not None and any(map(lowered.__contains__, _NAMES_IN_PROSE)):
        text = _IN_PROSE.sub(_mask_in_prose, text)
    if any(map(lowered.__contains__, _SCHEMES)):
        text = _DIGEST.sub(rf"\g<1>{MASK}", text)
        text = _SCHEME.sub(_mask_scheme, text)
    return text


def may_be_webhook(text: str) -> bool:
    """Whether a text contains a word that occurs in all webhook addresses."""
    return "hook" in text or "telegram" in text or "/spaces/" in text or "/trigger/" in text


_PLAIN: Final = re.compile(
    r"[^\W\d](?:[\s./:-]*[^\W\d])*|\d[\d ]*[.,:/-][\d.,:/ -]{0,20}"
    r"|[\w./ -]*\.[A-Za-z]{1,5}|/[\w./-]*"
)


def is_plain(text: str) -> bool:
    """Whether a text is words, a dotted name, a path, a date or a time. Such texts occur in many
    places of an event for unrelated reasons."""
    return _PLAIN.fullmatch(text[:500]) is not None
