"""Two customers with a mail and a file each, and somebody who may hold, erase and look: for tests of legal holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from services.privacy.erasures import Erasures
from services.privacy.retention import Retention
from shared.leases import Leases
from shared.message import InboundMessage
from tests.support.api import Api
from tests.support.intake_line import SECRET, Line, Member, member_of, message_to, rows
from tests.support.workspaces import Workspace

HELD, FREE = "ayse@ornek.com", "baran@ornek.com"


@dataclass(slots=True, kw_only=True)
class Office:
    """One workspace, its router, and an administrator's key."""

    api: Api
    workspace: Workspace
    admin: dict[str, str]
    member: Member
    line: Line = field(default_factory=Line)

    async def mail(self, external_id: str, who: str, **values: Any) -> InboundMessage:
        """A mail with a file and its original, taken in."""
        made = message_to(self.workspace, "smtp", external_id, who=who, **values)
        parts = []
        for role in ("original", "attachment"):
            key = f"{self.workspace.id}/{made.id}/{role}-1"
            await self.api.app.state.blobs.put(key, who.encode())
            parts.append({"blob": key, "name": f"{role}.bin", "content_type": "text/plain", "size_bytes": 5, "role": role})
        mail = type(made).model_validate(made.model_dump() | {"parts": parts})
        self.line.add(mail)
        await self.member.take(self.line)
        return mail

    async def call(self, verb: str, path: str, body: Any = None, status: int = 200, headers: dict[str, str] | None = None) -> Any:
        """The answer's JSON; fails unless it has the status."""
        answer = await self.api.client.request(verb, path, headers=headers or self.admin, json=body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def hold(self, kind: str, subject: UUID, *, reason: str = "dava", until: datetime | None = None) -> str:
        """Places a hold; its id."""
        body = {"kind": kind, "subject_id": str(subject), "reason": reason, "until": until and until.isoformat()}
        return str((await self.call("POST", "/v1/holds", body, 201))["id"])

    async def lift(self, hold: str) -> None:
        """Lifts a hold."""
        await self.call("DELETE", f"/v1/holds/{hold}", status=204)

    async def pass_until(self, hold: str) -> None:
        """Lets the database's clock have passed a hold's end."""
        await self.change("update santral.hold set until = now() - interval '1 s' where id = $1", UUID(hold))
        await self.change("update santral.erasure set due_at = now() where state = 'held'")

    async def profile(self, value: str) -> UUID:
        """Whose an address is now."""
        (found,) = await rows(self.api.worker, "select profile_id from santral.handle where value = $1", value)
        return UUID(str(found["profile_id"]))

    async def conversation(self, value: str) -> UUID:
        """The one conversation that an address began."""
        statement = (
            "select c.id from santral.conversation c join santral.handle h on h.id = c.handle_id where h.value = $1 order by c.id"
        )
        found = await rows(self.api.worker, statement, value)
        return UUID(str(found[0]["id"]))

    async def erase(self, profile: UUID) -> dict[str, Any]:
        """Asks for an erasure, and works erasures until none is due; its confirmation then."""
        asked = await self.call("POST", f"/v1/profiles/{profile}/erase", {"reason": "law", "confirm": str(profile)}, 202)
        return await self.worked(asked["id"])

    async def worked(self, erasure: str) -> dict[str, Any]:
        """Works erasures until none is due; this one's confirmation then."""
        job = Erasures(db=self.api.worker, blobs=self.api.app.state.blobs, hints=None, secret=SECRET, settle_s=0)
        while await job.round():
            pass
        shown: dict[str, Any] = await self.call("GET", f"/v1/erasures/{erasure}")
        return shown

    async def retained(self, **days: int) -> int:
        """Sets the workspace's days and lets retention run once; how many rows went, which is what the plan said."""
        await self.change(
            "update santral.workspace set settings = settings || $2 where id = $1", self.workspace.id, {"retention": days}
        )
        planned = await self.call("GET", "/v1/retention/plan")
        leases = Leases(self.api.worker, kind="retention", slots=1, owner=uuid4())
        await self.change("delete from santral.lease where kind = 'retention'")
        await leases.round()
        removed = await Retention(db=self.api.worker, blobs=self.api.app.state.blobs, leases=leases).round()
        assert sum(one["rows"] for one in planned["items"]) == removed
        return removed

    async def close_all(self) -> None:
        """Everything said until now was a month ago, and its work is done."""
        await self.change("update santral.work_item set state = 'completed', closed_at = now() - interval '31 days'")
        await self.change("update santral.conversation set state = 'closed', closed_at = now() - interval '31 days'")
        await self.change("update santral.placement_operation set done_at = now() - interval '31 days'")

    async def change(self, statement: str, *values: Any) -> None:
        """Runs a statement as the worker."""
        async with self.api.worker.batch() as connection:
            await connection.execute(statement, *values)

    async def words(self) -> set[str]:
        """The texts that are still there, and the file store's keys by their message."""
        return {row["text"] for row in await rows(self.api.worker, "select text from santral.message where text <> ''")}


async def through_quarantine(job: Erasures, workspace: Workspace, erasure_id: UUID) -> None:
    """An erasure's first step, page by page, until the person's own is next."""
    step = "quarantine"
    while step == "quarantine":
        step = await job._advance(workspace.id, erasure_id, step)
    assert step == "person"


async def office_of(api: Api, workspace: Workspace) -> Office:
    """With a mail of `HELD` and one of `FREE`, whose texts are their names."""
    office = Office(api=api, workspace=workspace, admin=await api.key(workspace.id), member=await member_of(api.worker))
    await office.mail("<1@x>", HELD, subject="konu", text="ayse", defines=("mid:1@x",))
    await office.mail("<2@x>", FREE, subject="konu", text="baran", defines=("mid:2@x",))
    return office
