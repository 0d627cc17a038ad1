"""Decisions for people: records with names beside their ids, and the test that each gives its own answer again.

Routing: the policy of the recorded version over the recorded facts. Dispatch: the comparator over the recorded candidates. Reads only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from router.evaluation.evaluation import Difference, differences
from router.evaluation.store import Decided, read_document
from router.policy.policy import Policy, kept_policy
from shared.database import Connection

_COLUMNS: Final = "d.id, d.kind, d.conversation_id, d.item_id, d.message_id, d.record, d.decided_at"
_LIST: Final = f"""
select {_COLUMNS} from santral.decision d
where d.workspace_id = $1 and d.conversation_id = $2 and ($3::uuid is null or d.item_id = $3)
  and ($4::uuid is null or d.message_id = $4) and ($5::uuid is null or d.id > $5) order by d.id limit $6
"""


async def list_decisions(
    connection: Connection, workspace_id: UUID, conversation_id: UUID, *, item_id: UUID | None = None, message_id: UUID | None = None,
    after: UUID | None = None, limit: int = 50,
) -> list[dict[str, Any]]:  # fmt: skip
    """A conversation's decisions, oldest first, with names."""
    rows = await connection.fetch(_LIST, workspace_id, conversation_id, item_id, message_id, after, limit)
    shown = [dict(row) for row in rows]
    records = await with_names(connection, workspace_id, [one["record"] for one in shown])
    return [{**one, "record": record} for one, record in zip(shown, records, strict=True)]


async def with_names(connection: Connection, workspace_id: UUID, records: Sequence[Any]) -> list[Any]:
    """The records with ``name`` at each candidate, ``queue`` beside the queue's id and ``made_work_by_name`` beside who made it work.

    What is not there any more has none.
    """
    agents = {UUID(one["agent_id"]) for record in records for one in _candidates(record)}
    agents |= {made_by for record in records if (made_by := _made_by(record)) is not None}
    queues = {UUID(record["queue_id"]) for record in records if record and "queue_id" in record}
    if not agents and not queues:
        return list(records)
    names = {
        str(row["id"]): row["name"]
        for row in await connection.fetch(
            "select id, name from santral.agent where workspace_id = $1 and id = any($2::uuid[])"
            " union all select id, coalesce(nullif(title, ''), name) from santral.queue where workspace_id = $1 and id = any($3::uuid[])",
            workspace_id, list(agents), list(queues),
        )
    }  # fmt: skip
    return [_named(record, names) for record in records]


def _candidates(record: Any) -> Iterable[Mapping[str, Any]]:
    return (record or {}).get("candidates") or ()


def _made_by(record: Any) -> UUID | None:
    """The agent who made it work."""
    kind, _, one = str((record or {}).get("made_work_by", "")).partition(":")
    return UUID(one) if kind == "agent" else None


def _named(record: Any, names: Mapping[str, str]) -> Any:
    made_by = _made_by(record)
    if made_by is not None:
        return {**record, "made_work_by_name": names.get(str(made_by))}
    if not record or "queue_id" not in record:
        return record
    candidates = [{**one, "name": names.get(one["agent_id"])} for one in _candidates(record)]
    return {**record, "candidates": candidates, "queue": names.get(record["queue_id"])}


class Checker:
    """Asks decisions again; keeps the policies it has compiled. For one request."""

    def __init__(self, connection: Connection, workspace_id: UUID, policies: dict[int | None, Policy | None] | None = None) -> None:
        self._connection = connection
        self._workspace_id = workspace_id
        self._policies = {} if policies is None else policies
        self._documents: dict[int | None, Mapping[str, Any] | None] = {}

    async def load(self, decided: Sequence[Decided]) -> None:
        """Reads the policies that these were decided by; they are compiled when they are asked."""
        for one in decided:
            version = one.record.get("policy_version")
            if one.kind == "routing" and version not in self._policies and version not in self._documents:
                self._documents[version] = await read_document(self._connection, self._workspace_id, version)

    def differences(self, decided: Decided) -> list[Difference] | str:
        """What differs from the record, nothing for a true one; a text says why it cannot be asked again. Loaded before.

        For a thread: policies of any length are compiled and asked.
        """
        if decided.kind == "dispatch":
            return dispatch_differences(decided.record)
        if decided.facts is None:
            return "erased"
        policy = self._policy(decided.record.get("policy_version"))
        return "version_gone" if policy is None else differences(decided.record, policy, decided.facts)

    def _policy(self, version: int | None) -> Policy | None:
        if version not in self._policies:
            document = self._documents.pop(version)
            self._policies[version] = None if document is None else kept_policy(version, document)[0]
        return self._policies[version]


def dispatch_differences(record: Mapping[str, Any]) -> list[Difference]:
    """What the comparator says differently of the recorded candidates: smaller score first, ties by the agent's id."""
    candidates = list(_candidates(record))
    again = sorted(candidates, key=lambda one: (*one["score"], UUID(one["agent_id"]).int))
    was, is_ = [one["agent_id"] for one in candidates], [one["agent_id"] for one in again]
    found = []
    if was[:1] != is_[:1]:
        found.append(Difference(what="agent_id", recorded=was[0], now=is_[0]))
    if was != is_:
        found.append(Difference(what="candidates", recorded=was, now=is_))
    return found
