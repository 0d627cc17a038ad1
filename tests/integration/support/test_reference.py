"""The pages of docs/ that are written from the source say what the source says."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.frame.settings import Settings
from tests.support.generated import reference
from tests.support.reference_pages import PAGES
from tests.support.reference_rest import openapi
from tests.support.source_files import sources
from tests.support.tables import ROOT

MADE = reference()


@pytest.mark.parametrize("page", MADE, ids=lambda path: path.stem)
def test_a_page_is_what_the_source_says(page: Path) -> None:
    assert page.read_text("utf-8") == MADE[page], "make reference"


def test_every_page_of_the_reference_is_made_or_said_to_be_by_hand() -> None:
    by_hand = {"index", "bounds"}
    assert {path.stem for path in (ROOT / "docs/reference").glob("*.md")} - by_hand == {page.stem for page in MADE}


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_every_operation_and_every_metric_has_its_row() -> None:
    rest = MADE[ROOT / "docs/reference/rest.md"]
    missing = [
        f"{verb.upper()} {path}"
        for path, verbs in openapi()["paths"].items()
        for verb in verbs
        if f"| `{verb.upper()} {path}` |" not in rest
    ]
    assert missing == []
    assert PAGES["metrics"]().count("| `santral_") > 50


def test_every_action_of_the_log_has_its_row() -> None:
    page = PAGES["log-actions"]()
    named = {file.name for file in sources() if "log = get_log(__name__)" in file.text and 'action="' in file.text}
    assert len(named) > 20
    assert [name for name in sorted(named) if f"`{name}`" not in page] == []
