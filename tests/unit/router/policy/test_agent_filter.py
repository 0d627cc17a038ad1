"""Filters over agents: what one and all of them may cost, and what is asked again when something changes."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from router.policy.agent_filter import FILTERS_MAX, Filters, checked_filter, filter_skill, require_few
from shared.errors import Conflict, Unprocessable

AGENT: dict[str, Any] = {
    "id": uuid4(), "name": "Ece", "title": "", "kind": "human", "languages": ["tr"], "skills": {"tr": 4}, "attributes": {"team": "vip"},
}  # fmt: skip


def by_skill(*sources: str) -> dict[str, str]:
    return {filter_skill(source): source for source in sources}


@pytest.mark.parametrize(
    "source",
    [
        'agent.queues.all(q, agent.queues.all(p, !agent.title.matches("(x|t){1,500}y")))',
        'agent.kind == "robot" && agent.queues.all(q, agent.queues.all(p, agent.skills.all(r, r != p)))',
        'agent.attributes["a"].matches("(.{1,200}){1,4}9")',
        "agent.name.matches(agent.title)",
        "[agent.queues]" + ".map(q, q + q)" * 20 + ".exists(q, size(q) == 1)",
    ],
)
def test_a_filter_that_is_dear_for_some_agent_is_refused(source: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        checked_filter(source, "steps.0.filter")
    assert (refused.value.field, bool(refused.value.remedy)) == ("steps.0.filter", True)


def test_what_people_write_is_taken_and_many_of_it() -> None:
    for source in (
        'agent.attributes["team"] == "vip" && agent.skills["tr"] >= 3 && "en" in agent.languages',
        'agent.queues.exists(q, q.startsWith("vip"))', 'agent.title.matches("(?i)senior|kıdemli")',
    ):  # fmt: skip
        assert checked_filter(source)
    require_few([f'agent.attributes["team"] == "{n}" && "tr" in agent.languages' for n in range(FILTERS_MAX)], field="x")


def test_filters_of_a_workspace_are_few_and_cost_little_together() -> None:
    with pytest.raises(Conflict) as refused:
        require_few([f'agent.name == "{n}"' for n in range(FILTERS_MAX + 1)], field="steps.3.filter")
    assert (refused.value.field, "200" in str(refused.value), bool(refused.value.remedy)) == ("steps.3.filter", True, True)
    with pytest.raises(Conflict, match="5 ms"):
        require_few([f'agent.queues.exists(q, q.startsWith("{n}")) || agent.title.matches("{n}")' for n in range(150)], field="x")
    require_few(["this was taken by an engine of another day ("], field="x")


def test_texts_that_differ_in_spaces_are_two_filters() -> None:
    two = by_skill('agent.name == "a b"', 'agent.name == "a  b"')
    assert len(two) == 2
    assert Filters(two).met({**AGENT, "name": "a  b"}, []) == {filter_skill('agent.name == "a  b"')}


def test_an_agent_is_asked_again_only_what_may_have_changed() -> None:
    vip, turkish, named = 'agent.attributes["team"] == "vip"', '"tr" in agent.languages', 'agent.name == "Ece"'
    first = Filters(by_skill(vip, turkish))
    assert first.met(AGENT, ["a"]) == {filter_skill(vip), filter_skill(turkish)}
    # What is remembered counts: were it asked again, the answer would be another one.
    first._met[AGENT["id"]] = first._met[AGENT["id"]]._replace(met=frozenset({filter_skill(turkish)}))
    assert first.met({**AGENT, "used": 3}, ["a"]) == {filter_skill(turkish)}
    then = Filters(by_skill(turkish, named), first)
    assert then.met(AGENT, ["a"]) == {filter_skill(turkish), filter_skill(named)}
    assert then.met({**AGENT, "languages": []}, ["a"]) == {filter_skill(named)}
    again = Filters(by_skill(vip), then)
    assert again.met(AGENT, ["a"]) == {filter_skill(vip)}
    again.forget(AGENT["id"])
    assert again.met(AGENT, ["b"]) == {filter_skill(vip)}


def test_a_filter_that_compiles_no_more_is_met_by_nobody() -> None:
    assert Filters(by_skill("agent.name ==", 'agent.kind == "human"')).met(AGENT, []) == {filter_skill('agent.kind == "human"')}
