"""The JSON Schema of a workspace file, made from the models the API validates with."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from router.policy.policy import PolicyDocument
from services.api.bounds import BOUNDS
from services.api.config_models import AgentIn, ConnectionIn, InboxIn, PlanIn, QueueIn, RoleIn, SkillIn, UserIn, WorkspaceIn
from services.api.sla_models import CalendarIn, SlaIn


class SecretSource(BaseModel):
    """Where a secret comes from; never the secret itself."""

    model_config = ConfigDict(extra="forbid")

    env: str | None = None
    file: str | None = None


class ConnectionEntry(ConnectionIn):
    """A connection in a file."""

    secrets: dict[str, SecretSource] = Field(default_factory=dict)  # type: ignore[assignment]


class InboxEntry(InboxIn):
    """An inbox in a file."""

    secrets: dict[str, SecretSource] = Field(default_factory=dict)  # type: ignore[assignment]


class WorkspaceDocument(BaseModel):
    """A Santral workspace."""

    model_config = ConfigDict(extra="forbid", title="Santral workspace")

    workspace: WorkspaceIn | None = None
    roles: list[RoleIn] = Field(default_factory=list, max_length=BOUNDS["roles"])
    skills: list[SkillIn] = Field(default_factory=list, max_length=BOUNDS["skills"])
    users: list[UserIn] = Field(default_factory=list, max_length=BOUNDS["users"])
    connections: list[ConnectionEntry] = Field(default_factory=list, max_length=BOUNDS["connections"])
    inboxes: list[InboxEntry] = Field(default_factory=list, max_length=BOUNDS["inboxes"])
    calendars: list[CalendarIn] = Field(default_factory=list, max_length=BOUNDS["calendars"])
    queues: list[QueueIn] = Field(default_factory=list, max_length=BOUNDS["queues"])
    plans: list[PlanIn] = Field(default_factory=list, max_length=BOUNDS["plans"])
    slas: list[SlaIn] = Field(default_factory=list, max_length=BOUNDS["slas"])
    agents: list[AgentIn] = Field(default_factory=list, max_length=BOUNDS["agents"])
    policy: PolicyDocument | None = None


def workspace_schema() -> dict[str, Any]:
    """The schema, for editors and for checking a file before it is applied."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **WorkspaceDocument.model_json_schema()}
