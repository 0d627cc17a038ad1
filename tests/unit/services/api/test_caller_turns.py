"""A workspace's one place is drawn round its callers, and a few of each may wait."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.api.caller_turns import CallerTurns
from services.api.principal import Principal
from shared.errors import Throttled
from shared.ids import WorkspaceId, new_id

HERE, THERE = WorkspaceId(new_id()), WorkspaceId(new_id())


def caller(workspace_id: WorkspaceId = HERE) -> Principal:
    return Principal(workspace_id=workspace_id, id=new_id(), kind="key")


async def test_a_colleague_waits_for_one_question_of_each_other_caller() -> None:
    turns, done = CallerTurns(waiting_max=50), list[str]()
    working = {HERE: 0, THERE: 0}

    async def ask(name: str, whose: Principal) -> None:
        async with turns.of(whose):
            working[whose.workspace_id] += 1
            assert working[whose.workspace_id] == 1, "a workspace has one place"
            await asyncio.sleep(0)
            working[whose.workspace_id] -= 1
            done.append(name)

    loud = [caller() for _ in range(3)]
    asked = [asyncio.create_task(ask("loud", one)) for one in loud for _ in range(20)]
    await asyncio.sleep(0)
    await asyncio.gather(ask("quiet", caller()), ask("elsewhere", caller(THERE)), *asked)
    assert done.index("elsewhere") <= 1
    assert len(done) == 62
    done.remove("elsewhere")
    assert done.index("quiet") <= len(loud)


async def test_all_sessions_of_an_agent_are_one_caller() -> None:
    turns, agent = CallerTurns(waiting_max=0), new_id()
    sessions = [Principal(workspace_id=HERE, id=new_id(), kind="agent", agent_id=agent) for _ in range(2)]
    async with turns.of(sessions[0]):
        with pytest.raises(Throttled):
            async with turns.of(sessions[1]):
                pass


@pytest.mark.parametrize(("callers", "theirs", "others"), [(40, Throttled, None), (1, Throttled, Throttled)])
async def test_who_asks_for_too_many_is_put_off_and_their_colleagues_are_not(callers: int, theirs: Any, others: Any) -> None:
    turns, loud, leave = CallerTurns(waiting_max=3, callers=callers), caller(), asyncio.Event()

    async def ask(whose: Principal) -> None:
        async with turns.of(whose):
            await leave.wait()

    held = [asyncio.create_task(ask(loud)) for _ in range(4)]
    await asyncio.sleep(0)
    with pytest.raises(theirs) as refused:
        await ask(loud)
    assert refused.value.retry_after_s >= 1
    colleague = asyncio.create_task(ask(caller()))
    leave.set()
    answers = await asyncio.gather(colleague, *held, return_exceptions=True)
    assert [type(one) for one in answers] == [others or type(None)] + [type(None)] * 4
