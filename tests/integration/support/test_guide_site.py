"""The documentation's site is built from what is here, whole, and what is broken in it is said."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from tests.support import decisions
from tests.support.drawings import drawn
from tests.support.generated import register
from tests.support.guide_site import Broken, build, faults, stage


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of these sources, put together."""
    folder = tmp_path_factory.mktemp("guide").resolve()
    stage(folder)
    return folder


@pytest.fixture(scope="module")
def site(staged: Path) -> Path:
    """Their site."""
    return build(staged)


def test_the_site_of_these_sources_is_whole(site: Path) -> None:
    assert list(faults(site)) == []
    assert len(list(site.rglob("index.html"))) > 60
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        assert "<script>" not in text
        assert '<html lang="tr"' in text if page.parent.name == "index.tr" else '<html lang="en"' in text


def test_every_decision_has_its_place_under_why_and_none_is_told_twice(site: Path) -> None:
    pages = "".join(page.read_text("utf-8") for page in (site / "why").rglob("*.html"))
    rows = decisions.registered(decisions.REGISTER.read_text("utf-8"))
    assert len(rows) > 200
    assert [row.number for row in rows if f'id="d{row.number}"' not in pages] == []
    told = "it tells the core rows as production's matcher does"
    assert sum(told in page.read_text("utf-8").lower() for page in site.rglob("*.html")) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ('<a href="../nowhere/">x</a>', "../nowhere/ is not there"),
        ('<a href="../reference/settings/#nothing">x</a>', "has no such place"),
        ('<img src="../images/nothing.png">', "nothing.png is not there"),
        ('<img src="https://santral.example/a.png">', "would be asked of another host"),
        ('<script src="//santral.example/a.js"></script>', "would be asked of another host"),
        ('<pre class="mermaid"></pre>', "a script from elsewhere"),
    ],
)
def test_what_is_broken_is_said(site: Path, tmp_path: Path, words: str, said: str) -> None:
    copied = (tmp_path / "site").resolve()
    shutil.copytree(site, copied)
    with (copied / "start/index.html").open("a", encoding="utf-8") as page:
        page.write(words)
    assert [one for one in faults(copied) if said in one]


def test_a_broken_link_between_pages_ends_the_build(staged: Path, tmp_path: Path) -> None:
    copied = (tmp_path / "guide").resolve()
    shutil.copytree(staged, copied, ignore=shutil.ignore_patterns("site", ".cache"))
    with (copied / "pages/start/index.md").open("a", encoding="utf-8") as page:
        page.write("\n[gone](gone.md)\n")
    with pytest.raises(Broken, match="gone"):
        build(copied)


def test_the_register_is_what_the_rooms_decided() -> None:
    page = decisions.REGISTER.read_text("utf-8")
    assert register(page) == page, "make reference"


def test_what_is_decided_anew_gets_the_next_number_and_the_rest_keep_theirs() -> None:
    text = "# room\n\n## Decisions\n\n**One.** Because.\n\nAnd more.\n\n**Two** is the beginning of a sentence.\n\n## After\n\n**Three.** No.\n"
    found = decisions.decisions_in("router", text)
    assert [(one.title, one.whole, one.words) for one in found] == [
        ("One", True, "Because.\n\nAnd more."),
        ("Two", False, "is the beginning of a sentence."),
    ]
    kept = decisions.Registered(number=7, day=date(2026, 1, 2), title="Two", room="router")
    gone = decisions.Registered(number=9, day=date(2026, 1, 2), title="Gone", room="router")
    after = decisions.completed([kept, gone], found, date(2026, 3, 4))
    assert after == [kept, decisions.Registered(number=10, day=date(2026, 3, 4), title="One", room="router")]
    assert decisions.registered(decisions.table_of(after)) == after


def test_a_sequence_is_drawn_and_what_is_not_understood_is_said() -> None:
    picture = drawn("sequenceDiagram\n participant A as one\n participant B as <two>\n A->>B: go\n B-->>A: gone\n B-)B: again\n")
    assert picture.count("<text") == 5
    assert "&lt;two&gt;" in picture
    with pytest.raises(ValueError, match="not understood"):
        drawn("sequenceDiagram\n participant A as one\n A->>C: go\n")
    with pytest.raises(ValueError, match="only sequenceDiagram"):
        drawn("flowchart LR\n A --> B\n")
