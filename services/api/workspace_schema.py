"""The JSON Schema of a workspace file, made from the models the API validates with."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from router.policy.policy import PolicyDocument
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
    roles: list[RoleIn] = Field(default_factory=list)
    skills: list[SkillIn] = Field(default_factory=list)
    users: list[UserIn] = Field(default_factory=list)
    connections: list[ConnectionEntry] = Field(default_factory=list)
    inboxes: list[InboxEntry] = Field(default_factory=list)
    calendars: list[CalendarIn] = Field(default_factory=list)
    queues: list[QueueIn] = Field(default_factory=list)
    plans: list[PlanIn] = Field(default_factory=list)
    slas: list[SlaIn] = Field(default_factory=list)
    agents: list[AgentIn] = Field(default_factory=list)
    policy: PolicyDocument | None = None


def workspace_schema() -> dict[str, Any]:
    """The schema, for editors and for checking a file before it is applied."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **WorkspaceDocument.model_json_schema()}
