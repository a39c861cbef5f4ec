"""The Python tokens that are needed to find literals and their names."""

from __future__ import annotations

import re
from typing import Final

TOKEN: Final = re.compile(
    r"""
    (?P<comment>\#[^\n]*)
  | (?P<string>[A-Za-z]{0,3}(?:
        \"{3}[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*(?:\"{3})?
      | '{3}[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*(?:'{3})?
      | "[^"\\\n]*(?:\\.[^"\\\n]*)*"?
      | '[^'\\\n]*(?:\\.[^'\\\n]*)*'?
    ))
  | (?P<name>[^\W\d]\w*)
  | (?P<number>\d[\w.]*)
  | (?P<newline>\n)
  | (?P<joined>\\\n)
  | (?P<operator>:=|[=!]=|->|[-+*/|&%]?=|[^\s\w])
    """,
    re.VERBOSE | re.DOTALL,
)
STRING: Final = re.compile(r"(?P<prefix>[A-Za-z]*)(?P<quote>\"{3}|'{3}|[\"'])", re.DOTALL)
DEFINITION: Final = re.compile(r"([ \t]*)(?:async[ \t]+)?def[ \t]+(\w+)")
COLON: Final = re.compile(r"\s{0,200}:")
NAME_LIKE: Final = re.compile(r"[\w.:-]{1,80}")
