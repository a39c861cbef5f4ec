"""Words of Python and its libraries, grouped by their meaning for the literals beside them, and the
state inside one pair of brackets."""

from __future__ import annotations

from typing import Final

BLOCKS: Final = frozenset("if elif else while for with try except match case class def".split())
KEYWORDS: Final = BLOCKS | frozenset(
    "and or not in is return yield lambda async await assert raise from import as del global"
    " nonlocal None True False".split()
)
# Functions whose first argument names a value. The next argument is the fallback value.
LOOKUPS: Final = frozenset(
    "get getenv pop getlist setdefault getattr get_or_create read load fetch encode decode".split()
)
# The arguments of these functions describe the form of a value.
FORMS: Final = frozenset(
    "strip lstrip rstrip split rsplit partition rpartition isinstance url_for"
    " render_template".split()
)
COMPARING: Final = frozenset("startswith endswith removeprefix removesuffix __eq__".split())
# {"name": "password", "value": "hunter2"}
NAMING: Final = frozenset("name key field id header param option".split())
VALUING: Final = frozenset("value val content default fallback initial const".split())

# Keywords that give the location or the owner of a secret.
NEUTRAL: Final = frozenset(
    "url uri href host hostname endpoint domain realm scope user username login email label"
    " description help title doc encoding algorithm method type".split()
)


class Level:
    """The state inside one pair of brackets or one statement."""

    __slots__ = (
        "annotated", "base", "block", "bracket_next", "chain", "compared", "compares",
        "first_is_key", "hot", "hot_items", "index", "item_before", "keyword", "kind", "named",
        "names_inside", "names_next", "names_value", "pair", "subscript_key", "words_stay",
    )  # fmt: skip

    def __init__(self, kind: str, base: bool = False, chain: bool = False) -> None:
        self.kind = kind  # "statement", "call", "group", "list", "subscript" or "braces"
        self.base = base  # a secret's name is before the bracket
        self.hot = base  # literals of this item are a secret's value
        self.compared = False
        self.chain = chain  # the text before the bracket contains a secret's name
        self.annotated = False
        self.block = False
        self.index = 0
        self.keyword = ""
        self.named = False  # a string among the arguments is a secret's name
        self.names_next = -1  # the item that is the value of the name before it
        self.names_value = False
        self.pair: int | None = None  # the span masked as second of a pair
        self.first_is_key = False
        self.subscript_key = False
        self.bracket_next = -1  # the item whose literals are named by the item before it
        self.compares = False  # assertEqual("hunter2", password)
        self.item_before: tuple[int, int] | None = None  # the literal that is a whole item
        self.hot_items: tuple[int, ...] = ()  # arguments that the first one names: "password=%s"
        self.names_inside = False  # a group of targets holds a secret's name
        self.words_stay = False  # a plain word among the arguments is the secret's owner
