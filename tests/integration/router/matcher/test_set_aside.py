"""One workspace that dispatch cannot serve is set aside: the others' work goes on, and theirs when the cause is gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest

from router.dispatch.core import Dispatch
from router.matcher import matcher as shell
from router.matcher.effects import carry_out
from router.matcher.feed import read_everything
from router.matcher.matcher import Matcher
from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from shared.errors import InputRejected
from shared.hints import Hints
from shared.leases import Leases
from tests.support.intake_line import rows
from tests.support.workspaces import Workspace, add_item, make_workspace


def at_its_effects(patch: pytest.MonkeyPatch, workspace: UUID) -> None:
    async def refusing(connection: Any, effects: Mapping[UUID, Any], at: Any) -> Any:
        if workspace in effects:
            raise InputRejected("a value that cannot be stored")
        return await carry_out(connection, effects, at)

    patch.setattr(shell, "carry_out", refusing)


def at_its_rows(patch: pytest.MonkeyPatch, workspace: UUID) -> None:
    async def refusing(connection: Any, workspaces: Sequence[UUID]) -> Any:
        if workspace in workspaces:
            raise LookupError("nobody thought of it")
        return await read_everything(connection, workspaces)

    patch.setattr(shell, "read_everything", refusing)


def at_its_core(patch: pytest.MonkeyPatch, item: UUID) -> None:
    class Raising(Dispatch):
        def steps(self, told: Iterable[Any], now: float) -> Any:
            told = list(told)
            if any(getattr(one, "id", None) == item for one in told):
                raise TypeError("nobody thought of it")
            return super().steps(told, now)

    patch.setattr(shell, "Dispatch", Raising)


@pytest.fixture
async def matcher(worker_db: Database, database_urls: PostgresUrls) -> Matcher:
    leases = Leases(worker_db, kind="dispatch", slots=64, owner=uuid4())
    await leases.round()
    return Matcher(db=worker_db, leases=leases, hints=Hints(database_urls.worker, listening=False))


async def state(db: Database, item: UUID) -> str:
    return str((await rows(db, "select state from santral.work_item where id = $1", item))[0]["state"])


async def served(db: Database, matcher: Matcher, workspace: Workspace) -> str:
    """What becomes of an item that comes now."""
    item = await add_item(db, workspace)
    async with db.batch() as connection:
        await connection.execute(
            "insert into santral.dispatch_change (workspace_id, slot, kind, id) values ($1, $2, 'item', $3)",
            workspace.id, workspace.id.int % 64, item,
        )  # fmt: skip
    while await matcher.round():
        pass
    return await state(db, item)


async def give_new_items(db: Database, workspace: Workspace, value: dict[str, int] | None) -> None:
    """A value in the agent's row; no release writes one without ``items``."""
    async with db.batch() as connection:
        await connection.execute("update santral.agent set new_items = $2 where workspace_id = $1", workspace.id, value)


@pytest.mark.parametrize("cause", ["values", "rows", "core", "effects"])
async def test_one_workspace_is_set_aside_and_comes_back(
    worker_db: Database, workspace: Workspace, matcher: Matcher, monkeypatch: pytest.MonkeyPatch, cause: str
) -> None:
    others = [await make_workspace(worker_db, name=f"other{place}") for place in range(4)]
    items = [await add_item(worker_db, one) for one in others]
    unserved = await add_item(worker_db, workspace)
    with monkeypatch.context() as patch:
        if cause == "values":
            await give_new_items(worker_db, workspace, {"unknown": 1})
        elif cause == "rows":
            at_its_rows(patch, workspace.id)
        elif cause == "core":
            at_its_core(patch, unserved)
        else:
            at_its_effects(patch, workspace.id)
        while await matcher.round():
            pass
        assert [await state(worker_db, item) for item in items] == ["offered"] * 4
        assert await state(worker_db, unserved) == "queued"
        # What comes later is served too, while the one is aside.
        assert await served(worker_db, matcher, others[0]) == "offered"
        # Nor does it hold them up when it is tried again in vain.
        patch.setattr(shell, "ASIDE_S", 0.0)
        await matcher.round()
        patch.setattr(shell, "ASIDE_S", 3600.0)
        assert await served(worker_db, matcher, others[1]) == "offered"
        assert await state(worker_db, unserved) == "queued"
    await give_new_items(worker_db, workspace, None)
    monkeypatch.setattr(shell, "ASIDE_S", 0.0)
    while await matcher.round():
        pass
    assert await state(worker_db, unserved) == "offered"
