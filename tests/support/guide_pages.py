"""The pages of the documentation's site, put together from where each is written: `docs/`, the rooms' READMEs, CONTRIBUTING, SECURITY, CHANGELOG.

Nothing is written twice: a room's page has its decisions under ``why/``, one page for each top room, with their numbers and days from the
register. Links between files of the repository become links between pages; what is no page (source code, a setting of a tool) stays as its
name. A link to a file that is not there is a `ValueError`.
**Identity** of a page: its path in the site. Source of what is spaced anew: Python-Markdown, which wants an empty line before a list.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from tests.support.decisions import Decision, Registered, decisions, decisions_in, folders, registered, section_of
from tests.support.drawings import drawn
from tests.support.tables import ROOMS, ROOT

ELSEWHERE: Final = {
    "CONTRIBUTING.md": "inside/contributing.md",
    "SECURITY.md": "inside/security.md",
    "CHANGELOG.md": "reference/changes.md",
    "README.md": "index.md",
}
"""Files outside `docs/` and the rooms, and where their pages are; the README is not one, what leads to it leads to the first page."""
_LINK: Final = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s#]*)(#[^)\s]*)?\)")
_FENCE: Final = re.compile(r"^```(.*?)\n(.*?)^```[^\S\n]*$", re.MULTILINE | re.DOTALL)
_ITEM: Final = re.compile(r"(?:[-*]|\d+\.) ")


def room_page(room: str) -> str:
    """Where a room's page is."""
    return f"inside/rooms/{room.replace('/', '-')}.md"


def places() -> dict[str, str]:
    """Every file that is a page: its path in the repository and its page's."""
    own = {
        path.relative_to(ROOT).as_posix(): path.relative_to(ROOT / "docs").as_posix()
        for path in sorted((ROOT / "docs").rglob("*.md"))
    }
    return {**ELSEWHERE, **{f"{room}/README.md": room_page(room) for room in folders()}, **own}


def pages() -> tuple[dict[str, str], dict[str, Path]]:
    """The site's pages (path → Markdown) and its pictures (path → file). Raises `ValueError` for a link that leads nowhere."""
    where, pictures = places(), _Pictures()
    rows = {(one.room, one.title): one for one in registered(_text("docs/why/index.md"))}
    made = {}
    for source, target in where.items():
        text = _text(source)
        if source == "README.md":
            _made(text, source, target, where, pictures)  # its links are looked at too
            continue
        if source == "docs/why/index.md":
            text = _with_links(text)
        if source.endswith("/README.md"):
            text = _without_decisions(source.removesuffix("/README.md"), text, rows)
        made[target] = _made(text, source, target, where, pictures)
    for top in ROOMS:
        target = f"why/{top}.md"
        parts = [f"# Decisions of {top}\n"]
        for room in (one for one in folders() if one.split("/")[0] == top):
            kept = [one for one in decisions() if one.room == room]
            words = "\n".join(_decision(one, rows[room, one.title]) for one in kept)
            if kept:
                parts.append(_made(f"## [{room}](README.md)\n\n{words}", f"{room}/README.md", target, where, pictures))
        made[target] = "\n".join(parts)
    return made, pictures.found


def navigation() -> dict[str, list[str]]:
    """The parts of the navigation that follow from the rooms."""
    return {"Rooms": [room_page(room) for room in folders()], "Decisions": [f"why/{top}.md" for top in ROOMS]}


class _Pictures:
    """The pictures that pages show."""

    def __init__(self) -> None:
        self.found: dict[str, Path] = {}

    def page_of(self, path: str) -> str:
        place = f"images/{PurePosixPath(path).name}"
        if self.found.setdefault(place, ROOT / path) != ROOT / path:
            raise ValueError(f"two pictures are called {PurePosixPath(path).name}")
        return place


def _text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def _without_decisions(room: str, page: str, rows: Mapping[tuple[str, str], Registered]) -> str:
    before, section, after = section_of(page)
    numbers = [rows[room, one.title] for one in decisions_in(room, page)]
    if not numbers:
        return page
    top = room.split("/")[0]
    links = "\n".join(f"- [{one.number} · {one.title}](site:why/{top}.md#d{one.number})" for one in numbers)
    return f"{before}## Decisions\n\n{links}\n\n{after}" if section else page


def _with_links(register: str) -> str:
    """The register whose titles lead to the decisions."""
    for one in registered(register):
        place = f"site:why/{one.room.split('/')[0]}.md#d{one.number}"
        register = register.replace(f"| {one.title} | [{one.room}]", f"| [{one.title}]({place}) | [{one.room}]")
    return register


def _decision(one: Decision, row: Registered) -> str:
    words = one.words if one.whole else f"{one.title}{'' if one.words[:1] in ',:;' else ' '}{one.words}"
    return f"### {row.number} · {one.title} {{ #d{row.number} }}\n\nSince {row.day}.\n\n{words}\n"


def _made(text: str, source: str, target: str, where: Mapping[str, str], pictures: _Pictures) -> str:
    """A page of the site from a file's text: links, lists, drawings."""

    def linked(link: re.Match[str]) -> str:
        picture, label, path, anchor = link[1], link[2], link[3], link[4] or ""
        if not path or re.match(r"(?!site:)[a-z]+:", path):
            return link[0]
        if path.startswith("site:"):
            return f"[{label}]({_relative(path.removeprefix('site:'), target)}{anchor})"
        full = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        full = f"{full}/README.md" if (ROOT / full).is_dir() else full
        if full.startswith("..") or not (ROOT / full).is_file():
            raise ValueError(f"{source} leads to {path}, which is not there")
        if picture or full.endswith((".png", ".svg")):
            return f"{picture}[{label}]({_relative(pictures.page_of(full), target)})"
        return f"[{label}]({_relative(where[full], target)}{anchor})" if full in where else label

    return _outside_fences(text, lambda part: _spaced(_LINK.sub(linked, part)), _drawn_fence)


def _relative(page: str, target: str) -> str:
    return os.path.relpath(page, posixpath.dirname(target) or ".")


def _drawn_fence(fence: re.Match[str]) -> str:
    return drawn(fence[2]) if fence[1].strip() == "mermaid" else fence[0]


def _outside_fences(text: str, change: Callable[[str], str], fenced: Callable[[re.Match[str]], str]) -> str:
    parts, at = [], 0
    for fence in _FENCE.finditer(text):
        parts += [change(text[at : fence.start()]), fenced(fence)]
        at = fence.end()
    return "".join([*parts, change(text[at:])])


def _spaced(text: str) -> str:
    return "\n".join(_lines(text.split("\n")))


def _lines(lines: list[str]) -> Iterator[str]:
    before = ""
    for line in lines:
        if line.startswith("- ") and before.strip() and not before[0].isspace() and not _ITEM.match(before):
            yield ""
        yield line
        before = line
