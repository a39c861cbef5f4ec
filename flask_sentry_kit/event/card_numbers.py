"""Recognises payment card numbers among the other long numbers in a text."""

from __future__ import annotations

import re
from typing import Final

from .mask import MASK

# Payment cards: first digits and lengths by ISO/IEC 7812 and the networks' published ranges.
_CARDS: Final = re.compile(
    r"""
    4(?:\d{12}|\d{15}|\d{18})                                            # Visa
    | (?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}    # Mastercard
    | 3[47]\d{13}                                                        # American Express
    | (?:6011|64[4-9]\d|65\d\d)\d{12}(?:\d{3})?                          # Discover
    | (?:30[0-5]|3095|3[689]\d)\d{11}                                    # Diners Club
    | 35(?:2[89]|[3-8]\d)\d{12}                                          # JCB
    | 62\d{14}(?:\d{2,3})?                                               # UnionPay
    | (?:5018|5020|5038|5893|6304|6759|676[1-3])\d{8,15}                 # Maestro
    | 220[0-4]\d{12}                                                     # Mir
    | (?:508[5-9]|8[12]\d\d)\d{12}                                       # RuPay
    | 9792\d{12}                                                         # Troy
    """,
    re.VERBOSE,
)
LONG_NUMBERS: Final = re.compile(
    r"""
    (?<![0-9A-Za-z])(?<![0-9]\.)(?<!\+)
    (?: [0-9]{12,19}
      | [0-9]{4}([ .+\xa0-]|\ -\ |%20)[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?:\1[0-9]{3})?
      | [0-9]{4}([ .+\xa0-]|%20)[0-9]{6}\2[0-9]{4,5}
    )
    (?![0-9A-Za-z])(?!\.[0-9])
    """,
    re.VERBOSE,
)
# A number after one of these words is not a card, even if its check digit fits.
_NUMBERED: Final = re.compile(
    r"""(?i)(?:order|invoice|ean|isbn|issn|gtin|upc|sku|asin|barcode|tracking|imei|phone|tel|mobile
    |timestamp|time|ts|parcel|shipment|article|product)
    (?:[ _-]?(?:id|no|nr|number|num|code))?['"]?[\s:=#.]{0,4}['"]?\Z""",
    re.VERBOSE,
)


def is_card(digits: str) -> bool:
    """Whether 12 to 19 digits are a payment card number: they have an issuer's first digits and
    length, and Luhn's check digit (ISO/IEC 7812-1). Timestamps, EANs and most other numbers fail.
    """
    if _CARDS.fullmatch(digits) is None or len(set(digits)) < 2:
        return False
    if len(digits) == 13 and _is_ean(digits):
        return False
    total = 0
    for place, char in enumerate(reversed(digits)):
        number = int(char) * (1 + place % 2)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


def _is_ean(digits: str) -> bool:
    return sum(int(char) * (1 + 2 * (place % 2)) for place, char in enumerate(digits)) % 10 == 0


def mask_digits(match: re.Match[str]) -> str:
    found = match.group()
    digits = re.sub(r"%20|[^0-9]", "", found)
    if not is_card(digits):
        return found
    start = match.start()
    before = match.string[max(0, start - 30) : start]
    return found if _NUMBERED.search(before) else MASK
