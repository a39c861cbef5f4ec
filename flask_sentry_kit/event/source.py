"""Masks the secrets that are written in lines of source code and leaves the rest unchanged.

``password = "hunter2"`` contains a secret. ``token = request.args["t"]`` does not, and developers
need to read it. The time is linear in the length of the lines, and no content makes it raise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from .literals import Literals
from .mask import MASK
from .scrub import Scrubber
from .source_masks import USERINFO
from .source_tokens import DEFINITION

LINE_MAX: Final = 200
"""Most characters of a line that are sent."""
LINE_READ: Final = 2 * LINE_MAX
"""Characters of a line that are read, so that a secret is recognised if the cut is inside it."""


def enclosing_function(lines: Sequence[str]) -> tuple[int, str] | None:
    """Indentation and name of the function that may contain the code after these lines, or None."""
    column = 1_000
    for line in reversed(lines):
        text = line.lstrip(" \t")
        if not text or text[0] in "#)]}\"'":
            continue
        indent = len(line) - len(text)
        if indent < column:
            found = DEFINITION.match(line)
            if found:
                return indent, found[2]
            column = indent
        if column == 0:
            break
    return None


def mask_source(
    lines: Sequence[str],
    scrubber: Scrubber,
    *,
    skip: int = 0,
    function: tuple[int, str] | None = None,
) -> list[str]:
    """Lines of Python with the secrets in their literals and comments masked.

    :param lines: consecutive lines without their ends.
    :param skip: number of lines at the beginning that are read only as context for the next ones.
    :param function: indentation and name of the function that contains the first line.
    :return: the lines from ``skip`` on, each cut to ``LINE_MAX`` characters.
    """
    known = [line[:LINE_READ].replace("\n", " ") for line in lines]
    text = "\n".join(known)
    walk = Literals(
        text,
        scrubber,
        [(function[0], scrubber.hides(function[1]))] if function else (),
        shown_from=sum(len(line) + 1 for line in known[:skip]),
    )
    walk.run()
    found: list[str] = []
    starts = sorted(walk.spans)
    at, place = 0, 0
    for number, line in enumerate(known):
        limit, end, done = at + LINE_MAX, at + len(line), at
        shown: list[str] = []
        while place < len(starts) and starts[place] < end:
            start = starts[place]
            place += 1
            if start < done or start >= limit:
                continue
            finish, instead = walk.spans[start]
            shown += (text[done:start], instead)
            done = finish
        if done < limit:
            shown.append(text[done : min(end, limit)])
        if number >= skip:
            found.append("".join(shown)[:LINE_MAX])
        at = end + 1
    return found


def mask_text_lines(lines: Iterable[str], scrubber: Scrubber) -> list[str]:
    """Lines of a file that is not Python, such as a template, each scrubbed like any text."""
    return [USERINFO.sub(MASK, scrubber.text(line[:LINE_READ]))[:LINE_MAX] for line in lines]
