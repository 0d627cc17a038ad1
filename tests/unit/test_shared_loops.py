"""Every loop in which workspaces stand behind each other is on its page, with what one may cost the others there."""

from __future__ import annotations

import pytest

from tests.support import shared_loops
from tests.support.shared_loops import is_over_all

FOUND = shared_loops.found()
SAID = shared_loops.said()
CODES = {code for loop in SAID for code in loop.codes}


def test_every_loop_over_workspaces_is_on_the_page() -> None:
    assert len(FOUND) > 15
    assert sorted(FOUND - CODES) == [], f"enter it in {shared_loops.PAGE.name}, with what one workspace may cost the others in it"


def test_every_loop_of_a_process_is_on_the_page_once() -> None:
    named = [worker for loop in SAID for worker in loop.workers]
    assert sorted(named) == sorted(shared_loops.workers())


def test_what_stands_on_the_page_is_a_loop() -> None:
    assert sorted(code for loop in SAID if not loop.workers for code in loop.codes - FOUND) == []
    assert len(CODES) == sum(len(loop.codes) for loop in SAID), "a loop stands there once"


def test_each_says_what_one_workspace_may_cost_the_others() -> None:
    assert [loop.codes for loop in SAID if len(loop.cost.split()) < 4] == []


@pytest.mark.parametrize(
    ("statement", "over_all"),
    [
        ("select id from santral.workspace order by id", True),
        ("select w.id from santral.workspace w where w.settings ? 'x'", True),
        ("select 1 from santral.workspace where id = $1", False),
        ("select 1 from santral.workspace w where w.id = any($1::uuid[])", False),
        ("select 1 from santral.workspace where name = $1", False),
        ("select 1 from santral.agent a join santral.workspace w on w.id = a.workspace_id", False),
        ("select distinct q.workspace_id from santral.delivery q where q.state = 'queued'", True),
        ("select distinct b.workspace_id, b.cause from santral.blob_removal b", True),
        ("select distinct workspace_id, id from unnest($1)", False),
    ],
)
def test_a_statement_over_every_workspace_is_told_from_one_of_one(statement: str, over_all: bool) -> None:
    assert is_over_all(statement) == over_all
