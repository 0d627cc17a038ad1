"""The package's revisions form one line, its end is what processes ask the database for, and each says what it works with."""

from __future__ import annotations

import re
from pathlib import Path

from services.schema.migrations import HEAD, NEEDS
from tests.support.schema import revisions


def test_the_revisions_form_one_line_and_its_end_is_what_processes_know() -> None:
    found = revisions()
    names = [one.revision for one in found]
    assert names == [f"{number:04}" for number in range(1, len(names) + 1)]
    assert [one.down_revision for one in found] == [None, *names[:-1]]
    assert names[-1] == HEAD
    assert NEEDS in names


def test_every_revision_says_the_oldest_head_that_may_go_on_running_on_it() -> None:
    names = [one.revision for one in revisions()]
    said = [one.module.WORKS_WITH for one in revisions()]
    assert set(said) <= set(names)
    assert all(works_with <= name for works_with, name in zip(said, names, strict=True))
    assert said == sorted(said), "what a database once refused it refuses for ever"


def test_what_older_releases_write_is_indexed_beside_them() -> None:
    later = [Path(one.module.__file__ or "").with_suffix(".sql") for one in revisions() if one.revision > "0021"]
    texts = [one.read_text(encoding="utf-8").lower() for one in later]
    assert any("alter table" in text for text in texts)
    for text in texts:
        made = set(re.findall(r"create table (\S+)", text))
        assert set(re.findall(r"create (?:unique )?index \S+ on (\S+)", text)) <= made
