"""Configuration as clients write and read it: one model each, the same fields in and out but for what only the server knows.

Names refer to names (an inbox to its connection, an agent to its queues), so that a document can be kept in a file. Secrets go in
and never come out: ``secrets_set`` says which are there.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from router.calendars.hours import CalendarDocument
from router.policy.plan_document import PlanDocument
from services.privacy.retention import RetentionClass
from shared.handle import KINDS

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\s/][^/\x00-\x1f]*$")]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
Channel = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Seconds = Annotated[int, Field(ge=0, le=366 * 24 * 3600)]


class Resource(BaseModel):
    """What every configuration resource has."""

    model_config = ConfigDict(extra="forbid")

    managed_digest: Annotated[str, Field(max_length=128)] | None = None


class ConnectionIn(Resource):
    """Credentials with a provider that several inboxes share."""

    name: Slug
    provider: Channel
    settings: dict[str, Any] = Field(default_factory=dict)
    secrets: dict[str, str] = Field(default_factory=dict)


class InboxIn(Resource):
    """One account of a provider where customers write."""

    name: Slug
    provider: Channel
    channel: Channel | None = None
    connection: Slug | None = None
    address: Annotated[str, Field(max_length=320)] | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    secrets: dict[str, str] = Field(default_factory=dict)
    enabled: bool = True


ItemsMax = Annotated[int, Field(ge=1, le=1000)]


class QueueIn(Resource):
    """A waiting line. Goals order it, targets alarm, both in seconds by channel; targets count the hours of its calendar.

    ``items_max``: at most so many of its items at one agent at the same time; an agent's place in the queue may say another number.
    """

    name: Slug
    title: Annotated[str, Field(max_length=200)] = ""
    mode: Literal["push", "pull", "both"] = "push"
    comparator: Literal["load", "round_robin", "best_skill", "least_flexible"] = "load"
    goals_s: dict[Channel, Seconds] = Field(default_factory=dict)
    targets_s: dict[Channel, Seconds] = Field(default_factory=dict)
    offer_s: Annotated[int, Field(ge=5, le=600)] = 30
    overflow: Slug | None = None
    calendar: Slug | None = None
    plan: Slug | PlanDocument | None = None
    wrap_s: Annotated[int, Field(ge=0, le=24 * 3600)] | None = None
    items_max: ItemsMax | None = None
    purpose: Literal["customers", "bulk"] = "customers"
    """``bulk``: mail to many from nobody we know goes here (the first such queue by name): no target, out of the figures, after all other
    work, a digest a day. It has no plan, no targets and no overflow."""
    enabled: bool = True


class NewItems(BaseModel):
    """At most ``items`` new items come to an agent in any ``window_s`` seconds, offered or assigned. What comes back to who had it, and
    what a colleague hands over by name, is not new. Agents who claim set their own pace, but what they claim counts."""

    model_config = ConfigDict(extra="forbid")

    items: Annotated[int, Field(ge=1, le=200)]
    window_s: Annotated[int, Field(ge=10, le=7 * 24 * 3600)]


class ChannelIn(BaseModel):
    """What one item of a channel asks of this agent."""

    model_config = ConfigDict(extra="forbid")

    cost: Annotated[int, Field(ge=0, le=1000)]
    cap: Annotated[int, Field(ge=0, le=1000)]
    enabled: bool = True
    exclusive: bool = False
    interruptible: bool = False


class ChannelLimits(BaseModel):
    """What one item of a channel asks of every agent, where the agent's own limits say nothing else. Left out: as usual."""

    model_config = ConfigDict(extra="forbid")

    cost: Annotated[int, Field(ge=0, le=1000)] | None = None
    cap: Annotated[int, Field(ge=0, le=1000)] | None = None
    enabled: bool | None = None
    exclusive: bool | None = None
    interruptible: bool | None = None


class RampIn(BaseModel):
    """How fast an agent who has just come online is filled: in the first ``window_s`` seconds ``items``, or ``per_s`` a second."""

    model_config = ConfigDict(extra="forbid")

    items: Annotated[int, Field(ge=1, le=1000)] | None = None
    per_s: Annotated[float, Field(ge=0.001, le=100)] | None = None
    window_s: Annotated[float, Field(ge=1, le=3600)] = 60

    @model_validator(mode="after")
    def _one_of_them(self) -> RampIn:
        if (self.items is None) == (self.per_s is None):
            raise ValueError("name items or per_s, one of them")
        return self


class PlanIn(Resource, PlanDocument):
    """A named plan: who may take an item, and how that widens while it waits."""

    model_config = ConfigDict(extra="forbid", frozen=False)

    name: Slug
    title: Annotated[str, Field(max_length=200)] = ""


class MembershipIn(BaseModel):
    """An agent's place in a queue: smaller priority first, and only items that have waited ``delay_s``.

    ``items_max``: at most so many items of the queue at the same time, whatever the queue says of everybody.
    """

    model_config = ConfigDict(extra="forbid")

    queue: Slug
    priority: Annotated[int, Field(ge=0, le=100)] = 0
    delay_s: Seconds = 0
    items_max: ItemsMax | None = None


class AgentIn(Resource):
    """Who takes work. ``channels`` left empty: the usual limits; ``hours`` left out: no shifts, at work whenever online."""

    name: Name
    title: Annotated[str, Field(max_length=200)] = ""
    kind: Literal["human", "bot"] = "human"
    user: Name | None = None
    languages: list[Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]] = Field(default_factory=list)
    skills: dict[Slug, Annotated[int, Field(ge=1, le=5)]] = Field(default_factory=dict)
    budget: Annotated[int, Field(ge=0, le=10_000)] = 100
    channels: dict[Channel, ChannelIn] = Field(default_factory=dict)
    queues: list[MembershipIn] = Field(default_factory=list)
    attributes: Annotated[dict[Slug, str | int | float | bool], Field(max_length=50)] = Field(default_factory=dict)
    hours: CalendarDocument | None = None
    new_items: NewItems | None = None
    """This agent's own pace; left out: the workspace's."""
    enabled: bool = True


class SkillIn(Resource):
    """Something an agent can do, with levels 1 to 5."""

    name: Slug
    title: Annotated[str, Field(max_length=200)] = ""


class RoleIn(Resource):
    """A named set of scopes with a visibility."""

    name: Slug
    scopes: list[str]
    visibility: Literal["own", "team", "queue", "workspace"]


class UserIn(Resource):
    """A person who signs in."""

    name: Name
    email: Annotated[str, Field(max_length=320)] | None = None
    role: Slug
    enabled: bool = True


class WorkspaceIn(Resource):
    """The workspace's own settings."""

    title: Annotated[str, Field(max_length=200)] = ""
    settings: WorkspaceSettings = Field(default_factory=lambda: WorkspaceSettings())


HandleKind = Annotated[str, Field(pattern=f"^({'|'.join(sorted(KINDS))})$")]


class AttributeRule(BaseModel):
    """How an attribute's value is chosen among several. ``sources``, most trusted first, also break the other strategies' ties."""

    model_config = ConfigDict(extra="forbid")

    strategy: Literal["highest_assurance", "most_recent", "trusted_source", "most_complete", "majority"] = "highest_assurance"
    sources: Annotated[list[Annotated[str, Field(min_length=1, max_length=100)]], Field(max_length=50)] = Field(
        default_factory=list
    )


Chance = Annotated[float, Field(gt=0, le=1)]


class LearnedField(BaseModel):
    """Chances of the levels of likeness of a field, the least alike first: ``m`` of one person's two values, ``u`` of two people's."""

    model_config = ConfigDict(extra="forbid")

    m: Annotated[list[Chance], Field(min_length=2, max_length=10)]
    u: Annotated[list[Chance], Field(min_length=2, max_length=10)]


class LearnedWeights(BaseModel):
    """What suggestions weigh with, as `santral profiles train` learned it from ``people`` people; fields it lacks keep what is assumed."""

    model_config = ConfigDict(extra="forbid")

    people: Annotated[int, Field(ge=2)]
    fields: Annotated[dict[Annotated[str, Field(max_length=40)], LearnedField], Field(max_length=40)]


class ProfileSettings(BaseModel):
    """The rules of identity. By kind of handle: how many a person may have (a customer id always one), how many verified people
    one may meet before it is nobody's, and after how long unseen its links end (0: never).

    What changes here is carried to everybody in the background; `GET /v1/profiles/rules` says how far it is.
    """

    model_config = ConfigDict(extra="forbid")

    attributes: dict[Annotated[str, Field(min_length=1, max_length=64)], AttributeRule] = Field(default_factory=dict)
    limits: dict[HandleKind, Annotated[int, Field(ge=1, le=1000)]] = Field(default_factory=dict)
    fan_out: dict[HandleKind, Annotated[int, Field(ge=1, le=1000)]] = Field(default_factory=dict)
    expire_after_s: dict[HandleKind, Annotated[int, Field(ge=0, le=20 * 366 * 24 * 3600)]] = Field(default_factory=dict)
    matching: LearnedWeights | None = None


class WorkspaceSettings(BaseModel):
    """What holds for the whole workspace. Durations in seconds; ``terms`` and ``goals_s`` by channel."""

    model_config = ConfigDict(extra="forbid")

    region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    languages: list[str] = Field(default_factory=lambda: ["tr", "en"])
    time_zone: str = "UTC"
    continue_within_s: Seconds = 24 * 3600
    reopen_within_s: Seconds = 7 * 24 * 3600
    goals_s: dict[Channel, Seconds] = Field(default_factory=dict)
    terms: dict[Channel, dict[str, float | bool | None]] = Field(default_factory=dict)
    channels: dict[Channel, ChannelLimits] = Field(default_factory=dict)
    ramp: RampIn | None = None
    new_items: NewItems | None = None
    keywords: dict[str, dict[str, list[str]]] = Field(default_factory=dict)
    own_addresses: list[str] = Field(default_factory=list)
    profile: ProfileSettings = Field(default_factory=lambda: ProfileSettings())
    mask_numbers: bool | list[Slug] = False
    """Card numbers and national ids are masked in every inbox, or in those named."""
    marked_mail: Literal["work", "aside"] | None = None
    """Mail that is marked and not seen to be a machine's (a list's, a campaign's, a program's that marks all it sends): a person's mail
    that no machine answers, or kept out of work. Left out of a replacement it stays as it is; a workspace without it keeps it out."""
    classify: bool = False
    """Customers' words are shown to the deployment's own classifier, where it has one."""
    retention: dict[RetentionClass, Annotated[int, Field(ge=1, le=36_500)]] = Field(default_factory=dict)
    """Days by class; what is not named is kept."""


class Stored(BaseModel):
    """What the server adds to a resource."""

    id: UUID
    version: int


class ConnectionOut(ConnectionIn, Stored):
    """A connection. ``webhook_path`` is the address its provider calls."""

    secrets: dict[str, str] = Field(default_factory=dict, exclude=True)
    secrets_set: list[str]
    webhook_path: str


class InboxOut(InboxIn, Stored):
    """An inbox. ``widget_token`` stands for it in the chat widget."""

    secrets: dict[str, str] = Field(default_factory=dict, exclude=True)
    secrets_set: list[str]
    webhook_path: str
    widget_token: str | None = None


class QueueOut(QueueIn, Stored):
    """A queue. ``warnings`` come with saving only."""

    warnings: list[str] | None = None


class AgentOut(AgentIn, Stored):
    """An agent with presence and load. ``version`` is of what is configured here; work does not change it."""

    presence: str
    used: int
    counts: dict[str, int]
    presences: dict[str, str]
    off_shift: bool
    warnings: list[str] | None = None


class PlanOut(PlanIn):
    """A plan. ``warnings`` come with saving only."""

    version: int
    warnings: list[str] | None = None


class SkillOut(SkillIn):
    """A skill."""

    version: int


class RoleOut(RoleIn):
    """A role."""

    version: int


class UserOut(UserIn, Stored):
    """A user."""


class WorkspaceOut(WorkspaceIn, Stored):
    """The workspace."""

    name: str
