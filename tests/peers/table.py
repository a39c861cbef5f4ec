"""The table of docs/servers.md: written, and compared."""

from __future__ import annotations

from tests.matrix.shop import ROOT

from .book import MEANINGS, SETTINGS, End, Peer, Verdict
from .plays import NAMED

PAGE = ROOT / "docs" / "servers.md"
BEGIN, END = "<!-- servers: made by `make peers` -->", "<!-- end of servers -->"
Row = tuple[str, ...]


def rows(peers: list[Peer], verdicts: list[Verdict]) -> list[Row]:
    """One row a setting, one column a server."""
    ends = {(one.setting, one.peer): one for one in verdicts}
    return [
        (one.title, *(_cell(ends.get((one.title, peer.name)), one.title, peer) for peer in peers))
        for one in SETTINGS
        if any(title == one.title for title, _ in ends)
    ]


def _cell(verdict: Verdict | None, title: str, peer: Peer) -> str:
    if verdict is None:
        return "–"
    said = "; ".join((verdict.end.value, *verdict.faults))
    return f'`"{peer.server}"`: {said}' if title == NAMED else said


def line(cells: Row) -> str:
    return f"| {' | '.join(cells)} |"


def markdown(peers: list[Peer], verdicts: list[Verdict]) -> str:
    heads = ("setting", *(peer.title for peer in peers))
    table = [line(heads), "|" + "---|" * len(heads), *map(line, rows(peers, verdicts))]
    ends = [end for end in End if any(one.end is end for one in verdicts)]
    meanings = [f"- {end.value}: {MEANINGS[end]}." for end in ends]
    return "\n".join([*table, "", *meanings]) + "\n"


def _parts() -> tuple[str, str, str]:
    before, begin, rest = PAGE.read_text("utf-8").partition(BEGIN)
    table, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE.name} has no place for the table: {BEGIN} … {END}")
    return before, table, after


def write(text: str) -> None:
    before, _, after = _parts()
    whole = f"{before}{BEGIN}\n\n{text}\n{END}{after}"
    if PAGE.read_text("utf-8") != whole:
        PAGE.write_text(whole, "utf-8")
        print(f"wrote {PAGE.relative_to(ROOT)}")


def written() -> dict[tuple[str, str], str]:
    """The cells that the page has, by setting and by the head of the column."""
    lines = [one for one in _parts()[1].splitlines() if one.startswith("| ")]
    cells = [one.strip("| ").split(" | ") for one in lines]
    return {
        (row[0], head): cell
        for row in cells[1:]
        for head, cell in zip(cells[0][1:], row[1:], strict=True)
    }


def stale(peers: list[Peer], verdicts: list[Verdict]) -> list[str]:
    """What was played and is otherwise on the page."""
    page = written()
    return [
        f"{row[0]} | {peer.title}: {cell}"
        for row in rows(peers, verdicts)
        for peer, cell in zip(peers, row[1:], strict=True)
        if cell != "–" and page.get((row[0], peer.title)) != cell
    ]
