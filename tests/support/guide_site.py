"""The documentation as a site: put together, built with Zensical, checked, and laid where the wheel and the API take it from.

    python -m tests.support.guide_site          builds what changed into services/web/guide
    python -m tests.support.guide_site --check  builds and checks, and lays nothing anywhere
    python -m tests.support.guide_site --stage FOLDER  only puts pages and settings together there, for another builder

Zensical says what is broken between pages; pictures, anchors and whatever would be asked of another host are looked at here, in the HTML
that came out.
**Identity** of a site: the digest of its pages, pictures and settings. **Units**: seconds.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import yaml

from tests.support.guide_pages import navigation, pages
from tests.support.tables import ROOT

GUIDE: Final = ROOT / "services/web/guide"
BUILD_S_MAX: Final = 120
_STAMP: Final = ".stamp"
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_INLINE: Final = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_SHEETS: Final = re.compile(rb"url\(\s*[\"']?(?:https?:)?//|@import")


class Broken(Exception):
    """The site is not whole: what is missing, a line each."""


def stage(folder: Path) -> None:
    """Writes pages, pictures and the settings of the site into a folder. Raises `Broken`."""
    try:
        made, pictures = pages()
    except (ValueError, KeyError) as error:
        raise Broken(f"the pages cannot be put together: {error}") from error
    for path, text in made.items():
        target = folder / "pages" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    for path, picture in pictures.items():
        (folder / "pages" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture, folder / "pages" / path)
    shutil.copyfile(ROOT / "docs/style.css", folder / "pages/style.css")
    settings = yaml.safe_load((ROOT / "docs/mkdocs.yml").read_text(encoding="utf-8"))
    _fill(settings["nav"], navigation())
    named = set(_named(settings["nav"]))
    if named != made.keys():
        raise Broken("\n".join(f"docs/mkdocs.yml and the pages differ in {path}" for path in sorted(named ^ made.keys())))
    (folder / "mkdocs.yml").write_text(yaml.safe_dump(settings, allow_unicode=True, sort_keys=False), encoding="utf-8")


def _fill(node: Any, parts: dict[str, list[str]]) -> None:
    if isinstance(node, list):
        for one in node:
            _fill(one, parts)
    elif isinstance(node, dict):
        for title, inner in node.items():
            if title in parts:
                node[title] = parts[title]
            else:
                _fill(inner, parts)


def _named(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    for one in node if isinstance(node, list) else node.values() if isinstance(node, dict) else ():
        yield from _named(one)


def build(folder: Path) -> Path:
    """Builds what was staged; the folder of the site. Raises `Broken` with what Zensical and the look at its HTML say."""
    command = [str(Path(sys.executable).with_name("zensical")), "build", "--strict", "--clean", "-f", "mkdocs.yml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=BUILD_S_MAX, check=False)
    if done.returncode:
        raise Broken(_COLOUR.sub("", done.stdout + done.stderr.partition("Traceback")[0]))
    site = folder / "site"
    (site / "404.html").unlink()  # what is not there is answered by the API, as everywhere
    _finish(site)
    wrong = sorted(faults(site))
    if wrong:
        raise Broken("\n".join(wrong))
    return site


def _finish(site: Path) -> None:
    """Scripts that stand in the pages become files, so that the API may forbid every other. A page in another language says which."""

    def as_file(page: Path, script: re.Match[str]) -> str:
        target = site / "assets" / f"page.{hashlib.sha256(script[1].encode()).hexdigest()[:8]}.js"
        target.write_text(script[1], encoding="utf-8")
        return f'<script src="{os.path.relpath(target, page.parent)}"></script>'

    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        language = page.parent.suffix.removeprefix(".")
        if language:
            text = text.replace('<html lang="en"', f'<html lang="{language}"', 1)
        page.write_text(_INLINE.sub(lambda script, page=page: as_file(page, script), text), encoding="utf-8")  # type: ignore[misc]


class _Page(HTMLParser):
    """What a page names and what can be named in it."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.parts: list[str] = []
        self.mermaid = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        self.mermaid = self.mermaid or "mermaid" in given.get("class", "").split()
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") not in ("canonical", "alternate", "prev", "next"):
            self.parts.append(given["href"])
        elif "src" in given:
            self.parts.append(given["src"])


def faults(site: Path) -> Iterator[str]:
    """What is wrong with a site: links, anchors and pictures that lead nowhere, and what would be asked of another host."""
    read = {path: _read(path) for path in sorted(site.rglob("*.html"))}
    for path, page in read.items():
        name = path.relative_to(site)
        if page.mermaid:
            yield f"{name}: a diagram that a script from elsewhere would draw"
        for part in page.parts:
            if urlsplit(part).scheme not in ("", "data") or part.startswith("//"):
                yield f"{name}: {part} would be asked of another host"
        for link in (*page.links, *page.parts):
            if not urlsplit(link).scheme and not link.startswith("//"):
                yield from _led(site, read, path, link)
    for sheet in site.rglob("*.css"):
        if _SHEETS.search(sheet.read_bytes()):
            yield f"{sheet.relative_to(site)}: a part would be asked of another host"


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def _led(site: Path, read: dict[Path, _Page], path: Path, link: str) -> Iterator[str]:
    parts = urlsplit(link)
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    target = target / "index.html" if target.is_dir() else target
    if not target.is_file() or not target.is_relative_to(site):
        yield f"{path.relative_to(site)}: {link} is not there"
    elif parts.fragment and target in read and unquote(parts.fragment) not in read[target].anchors:
        yield f"{path.relative_to(site)}: {link} has no such place"


def digest(folder: Path) -> str:
    """Of everything staged."""
    whole = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        whole.update(f"{path.relative_to(folder)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return whole.hexdigest()


def main(words: Sequence[str]) -> None:
    """Builds and checks; without ``--check`` the site is laid into the package, when it is another than the one there."""
    if words[:1] == ["--stage"]:
        stage(Path(words[1]))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        try:
            stage(folder)
            wanted, stamp = digest(folder), GUIDE / _STAMP
            if "--check" not in words and stamp.is_file() and stamp.read_text(encoding="ascii") == wanted:
                return
            site = build(folder)
        except Broken as error:
            sys.exit(str(error))
        if "--check" not in words:
            shutil.rmtree(GUIDE, ignore_errors=True)
            shutil.copytree(site, GUIDE)
            stamp.write_text(wanted, encoding="ascii")


if __name__ == "__main__":
    main(sys.argv[1:])
