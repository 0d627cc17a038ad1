"""What became of waiting in a stretch of time, but for bulk mail's: waits, plans, stickiness, evenness, and how good the predictions were.

Counted from the records of dispatch's reservations, one per item and reservation. **Units**: seconds; shares 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from router.waits.fairness import gini, shares
from shared.database import Connection
from shared.ids import first_id_at

_RESERVED: Final = """
with reserved as (
    select d.workspace_id, d.record, (d.record->>'waited_s')::float8 as waited_s, i.predicted_s, i.predicted_p90_s,
           q.name as queue
    from santral.decision d
    left join santral.work_item i on i.workspace_id = d.workspace_id and i.id = d.item_id
    left join santral.queue q on q.workspace_id = d.workspace_id and q.id = (d.record->>'queue_id')::uuid
    where d.workspace_id = any($1::uuid[]) and d.id >= $2 and d.id < $3 and d.kind = 'dispatch'
      and q.purpose is distinct from 'bulk'
)
select {name} as queue, count(*) as reserved, avg(waited_s) as mean_s,
       percentile_cont(array[0.5, 0.9, 0.99]) within group (order by waited_s) as quantiles, max(waited_s) as max_s,
       avg((record->>'step')::int)::float8 as step, avg((record->>'personal')::boolean::int)::float8 as sticky,
       count(predicted_s) as predicted, avg(waited_s - predicted_s) as bias_s, avg(abs(waited_s - predicted_s)) as error_s,
       avg((waited_s <= predicted_p90_s)::int) filter (where predicted_p90_s is not null)::float8 as kept
from reserved group by 1 order by 1
"""
_BY_QUEUE: Final = _RESERVED.replace("{name}", "coalesce(queue, '')")
_WHOLE: Final = _RESERVED.replace("{name}", "''::text")
_TAKEN: Final = """
select (d.record->'candidates'->0->>'agent_id')::uuid as agent_id, count(*) as taken, max(a.budget) as budget, max(a.name) as name
from santral.decision d
join santral.agent a on a.workspace_id = d.workspace_id and a.id = (d.record->'candidates'->0->>'agent_id')::uuid
where d.workspace_id = any($1::uuid[]) and d.id >= $2 and d.id < $3 and d.kind = 'dispatch'
  and not exists (select 1 from santral.queue q
      where q.workspace_id = d.workspace_id and q.id = (d.record->>'queue_id')::uuid and q.purpose = 'bulk')
group by 1 order by 2 desc
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Reservations of one queue, or of all (empty name). Predictions: how many, mean error, mean distance, share within the p90."""

    queue: str
    reserved: int
    mean_s: float
    p50_s: float
    p90_s: float
    p99_s: float
    max_s: float
    relaxation_steps: float
    sticky_share: float
    predicted: int
    prediction_bias_s: float | None
    prediction_error_s: float | None
    prediction_kept_share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """An agent's part of the work beside the part of the capacity (budgets) of those who took part."""

    agent_id: UUID
    name: str
    taken: int
    work_share: float
    weight_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole; ``gini`` 0 is even."""

    whole: Waits | None
    queues: tuple[Waits, ...]
    agents: tuple[Share, ...]
    gini: float


async def routing_report(connection: Connection, workspaces: list[UUID], *, since: datetime, until: datetime) -> Report:
    """What was reserved in the range; its ids are its times, so no index beside the key is read."""
    asked = (workspaces, first_id_at(since), first_id_at(until))
    whole = [_waits(dict(row)) for row in await connection.fetch(_WHOLE, *asked)]
    queues = [_waits(dict(row)) for row in await connection.fetch(_BY_QUEUE, *asked)]
    taken = await connection.fetch(_TAKEN, *asked)
    work = {row["agent_id"]: float(row["taken"]) for row in taken}
    weights = {row["agent_id"]: float(row["budget"]) for row in taken}
    parts = shares(work, weights)
    return Report(
        whole=whole[0] if whole else None,
        queues=tuple(queues),
        agents=tuple(
            Share(
                agent_id=row["agent_id"], name=row["name"], taken=row["taken"], work_share=parts[row["agent_id"]][0],
                weight_share=parts[row["agent_id"]][1],
            )
            for row in taken
        ),
        gini=gini(work, weights),
    )  # fmt: skip


def _waits(row: dict[str, object]) -> Waits:
    quantiles = row.pop("quantiles")
    assert isinstance(quantiles, list)
    p50_s, p90_s, p99_s = quantiles
    values = {
        "queue": row["queue"], "reserved": row["reserved"], "mean_s": row["mean_s"], "max_s": row["max_s"],
        "relaxation_steps": row["step"], "sticky_share": row["sticky"], "predicted": row["predicted"],
        "prediction_bias_s": row["bias_s"], "prediction_error_s": row["error_s"], "prediction_kept_share": row["kept"],
    }  # fmt: skip
    return Waits(p50_s=p50_s, p90_s=p90_s, p99_s=p99_s, **values)  # type: ignore[arg-type]
