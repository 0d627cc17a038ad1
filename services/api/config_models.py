"""Configuration as clients write and read it: one model each, the same fields in and out but for what only the server knows.

Names refer to names (an inbox to its connection, an agent to its queues), so that a document can be kept in a file. Secrets go in
and never come out: ``secrets_set`` says which are there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ingest.registry import adapters
from router.calendars.hours import CalendarDocument
from router.item.terms import ChannelTerms
from router.policy.plan_document import PlanDocument
from services.api.principal import SCOPES
from services.privacy.retention import RetentionClass
from shared.given import Given, exactly_one, not_both
from shared.handle import KINDS

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\s/][^/\x00-\x1f]*$")]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
Channel = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Scope = Annotated[str, Field(json_schema_extra={"enum": list(SCOPES)})]
Secret = Annotated[str, Field(json_schema_extra={"pattern": r"\S"})]
Seconds = Annotated[int, Field(ge=0, le=366 * 24 * 3600)]


class Resource(Given):
    """What every configuration resource has."""

    managed_digest: Annotated[str, Field(max_length=128)] | None = None


def _by_provider(part: Literal["connection", "inbox"]) -> Callable[[dict[str, Any]], None]:
    """For a model's ``json_schema_extra``: which providers have this part, and each one's own settings, secrets and channels."""

    def tell(schema: dict[str, Any]) -> None:
        parts = {name: found[part] for name, one in sorted(adapters().items()) if part in (found := one.settings_schema())}
        schema["properties"]["provider"]["enum"] = list(parts)
        schema["anyOf"] = [{"properties": _own(schema, name, part)} for name, part in parts.items()]

    return tell


def _own(schema: Mapping[str, Any], provider: str, part: Mapping[str, Any]) -> dict[str, Any]:
    own = {"provider": {"const": provider}, "settings": part["settings"]}
    if "channel" in schema["properties"]:
        own["channel"] = {"enum": [*sorted(adapters()[provider].channels), None]}
    if (secrets := schema["properties"].get("secrets")) is not None:
        texts = secrets["additionalProperties"].get("type") == "string"  # elsewhere it is said where they come from
        own["secrets"] = part["secrets"] if texts else {"propertyNames": {"enum": list(part["secrets"]["properties"])}}
    return own


class ConnectionIn(Resource):
    """Credentials with a provider that several inboxes share."""

    model_config = ConfigDict(json_schema_extra=_by_provider("connection"))

    name: Slug
    provider: Channel
    settings: dict[str, Any] = Field(default_factory=dict)
    secrets: dict[str, Secret] = Field(default_factory=dict)


class InboxIn(Resource):
    """One account of a provider where customers write."""

    model_config = ConfigDict(json_schema_extra=_by_provider("inbox"))

    name: Slug
    provider: Channel
    channel: Channel | None = None
    connection: Slug | None = None
    address: Annotated[str, Field(max_length=320)] | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    secrets: dict[str, Secret] = Field(default_factory=dict)
    enabled: bool = True


ItemsMax = Annotated[int, Field(ge=1, le=1000)]


_BULK: Final[dict[str, Any]] = {
    "if": {"required": ["purpose"], "properties": {"purpose": {"const": "bulk"}}},
    "then": {"properties": {"plan": {"type": "null"}, "overflow": {"type": "null"}, "targets_s": {"maxProperties": 0}}},
}


class QueueIn(Resource):
    """A waiting line. Goals order it, targets alarm, both in seconds by channel; targets count the hours of its calendar.

    ``items_max``: at most so many of its items at one agent at the same time; an agent's place in the queue may say another number.
    """

    model_config = ConfigDict(json_schema_extra=_BULK)

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


class NewItems(Given):
    """At most ``items`` new items come to an agent in any ``window_s`` seconds, offered or assigned. What comes back to who had it, and
    what a colleague hands over by name, is not new. Agents who claim set their own pace, but what they claim counts."""

    items: Annotated[int, Field(ge=1, le=200)]
    window_s: Annotated[int, Field(ge=10, le=7 * 24 * 3600)]


class ChannelIn(Given):
    """What one item of a channel asks of this agent."""

    cost: Annotated[int, Field(ge=0, le=1000)]
    cap: Annotated[int, Field(ge=0, le=1000)]
    enabled: bool = True
    exclusive: bool = False
    interruptible: bool = False


class ChannelLimits(Given):
    """What one item of a channel asks of every agent, where the agent's own limits say nothing else. Left out: as usual."""

    cost: Annotated[int, Field(ge=0, le=1000)] | None = None
    cap: Annotated[int, Field(ge=0, le=1000)] | None = None
    enabled: bool | None = None
    exclusive: bool | None = None
    interruptible: bool | None = None


class RampIn(Given):
    """How fast an agent who has just come online is filled: in the first ``window_s`` seconds ``items``, or ``per_s`` a second."""

    model_config = ConfigDict(json_schema_extra=exactly_one("items", "per_s"))

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


class MembershipIn(Given):
    """An agent's place in a queue: smaller priority first, and only items that have waited ``delay_s``.

    ``items_max``: at most so many items of the queue at the same time, whatever the queue says of everybody.
    """

    queue: Slug
    priority: Annotated[int, Field(ge=0, le=100)] = 0
    delay_s: Seconds = 0
    items_max: ItemsMax | None = None


class AgentIn(Resource):
    """Who takes work. ``channels`` left empty: the usual limits; ``hours`` left out: no shifts, at work whenever online."""

    model_config = ConfigDict(json_schema_extra=not_both("user", "role"))

    name: Name
    title: Annotated[str, Field(max_length=200)] = ""
    kind: Literal["human", "bot"] = "human"
    user: Name | None = None
    role: Slug | None = None
    """What an agent without a user may do, whom a program signs in: ``agent`` where nothing is said."""
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
    scopes: list[Scope]
    visibility: Literal["own", "team", "queue", "workspace"]


class UserIn(Resource):
    """A person who signs in."""

    name: Name
    email: Annotated[str, Field(max_length=320, json_schema_extra={"pattern": r"^$|^[^@\s]+@[^@\s]+$"})] | None = None
    role: Slug
    enabled: bool = True


class WorkspaceIn(Resource):
    """The workspace's own settings."""

    title: Annotated[str, Field(max_length=200)] = ""
    settings: WorkspaceSettings = Field(default_factory=lambda: WorkspaceSettings())


HandleKind = Annotated[str, Field(pattern=f"^({'|'.join(sorted(KINDS))})$")]


class AttributeRule(Given):
    """How an attribute's value is chosen among several. ``sources``, most trusted first, also break the other strategies' ties."""

    strategy: Literal["highest_assurance", "most_recent", "trusted_source", "most_complete", "majority"] = "highest_assurance"
    sources: Annotated[list[Annotated[str, Field(min_length=1, max_length=100)]], Field(max_length=50)] = Field(
        default_factory=list
    )


Chance = Annotated[float, Field(gt=0, le=1)]


class LearnedField(Given):
    """Chances of the levels of likeness of a field, the least alike first: ``m`` of one person's two values, ``u`` of two people's."""

    m: Annotated[list[Chance], Field(min_length=2, max_length=10)]
    u: Annotated[list[Chance], Field(min_length=2, max_length=10)]


class LearnedWeights(Given):
    """What suggestions weigh with, as `santral profiles train` learned it from ``people`` people; fields it lacks keep what is assumed."""

    people: Annotated[int, Field(ge=2)]
    fields: Annotated[dict[Annotated[str, Field(max_length=40)], LearnedField], Field(max_length=40)]


class ProfileSettings(Given):
    """The rules of identity. By kind of handle: how many a person may have (a customer id always one), how many verified people
    one may meet before it is nobody's, and after how long unseen its links end (0: never).

    What changes here is carried to everybody in the background; `GET /v1/profiles/rules` says how far it is.
    """

    attributes: dict[Annotated[str, Field(min_length=1, max_length=64)], AttributeRule] = Field(default_factory=dict)
    limits: dict[HandleKind, Annotated[int, Field(ge=1, le=1000)]] = Field(default_factory=dict)
    fan_out: dict[HandleKind, Annotated[int, Field(ge=1, le=1000)]] = Field(default_factory=dict)
    expire_after_s: dict[HandleKind, Annotated[int, Field(ge=0, le=20 * 366 * 24 * 3600)]] = Field(default_factory=dict)
    matching: LearnedWeights | None = None


class WorkspaceSettings(Given):
    """What holds for the whole workspace. Durations in seconds; ``terms`` and ``goals_s`` by channel."""

    region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    languages: list[str] = Field(default_factory=lambda: ["tr", "en"])
    time_zone: str = "UTC"
    continue_within_s: Seconds = 24 * 3600
    reopen_within_s: Seconds = 7 * 24 * 3600
    goals_s: dict[Channel, Seconds] = Field(default_factory=dict)
    terms: dict[Channel, ChannelTerms] = Field(default_factory=dict)
    channels: dict[Channel, ChannelLimits] = Field(default_factory=dict)
    ramp: RampIn | None = None
    new_items: NewItems | None = None
    keywords: dict[str, list[str] | dict[str, list[str]]] = Field(default_factory=dict)
    """Words of its own under ``complaint``, ``urgent`` and ``person``, in one list or by language. They are looked for where a word begins."""
    own_addresses: list[str] = Field(default_factory=list)
    profile: ProfileSettings = Field(default_factory=lambda: ProfileSettings())
    mask_numbers: bool | Literal["cards"] | list[Slug] = False
    """``cards``: payment cards are masked but for their last four digits, in what comes in and in what is written here; new workspaces begin
    with it, and it stays where a replacement leaves it out. ``true``, or the names of inboxes: every digit of card numbers and national ids
    is masked, in what comes in at every inbox, or at those named. Files that are not text are never looked into."""
    marked_mail: Literal["work", "aside"] | None = None
    """Mail that is marked and not seen to be a machine's (a list's, a campaign's, a program's that marks all it sends): a person's mail
    that no machine answers, or kept out of work. Left out of a replacement it stays as it is; a workspace without it keeps it out."""
    classify: bool = False
    """Customers' words are shown to the deployment's own classifier, where it has one."""
    retention: dict[RetentionClass, Annotated[int, Field(ge=1, le=36_500)]] = Field(default_factory=dict)
    """Days by class; what is not named is kept. Shortened with the scope `admin` only, ``audit`` and ``views`` to 30 days at least."""


class Stored(BaseModel):
    """What the server adds to a resource."""

    id: UUID
    version: int


class ConnectionOut(ConnectionIn, Stored):
    """A connection. ``webhook_path`` is the address its provider calls, for those who may configure, or hand messages in."""

    secrets: dict[str, str] = Field(default_factory=dict, exclude=True)
    secrets_set: list[str]
    webhook_path: str | None


class InboxOut(InboxIn, Stored):
    """An inbox. ``widget_token`` stands for it in the chat widget; ``webhook_path`` as at a connection.

    ``secrets_made`` stands in the answer that creates it only: the secret by which posts prove who sends them.
    """

    secrets: dict[str, str] = Field(default_factory=dict, exclude=True)
    secrets_set: list[str]
    secrets_made: dict[str, str] | None = None
    webhook_path: str | None
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
    """A role. ``warnings`` come with saving only."""

    version: int
    warnings: list[str] | None = None


class UserOut(UserIn, Stored):
    """A user."""


class WorkspaceOut(WorkspaceIn, Stored):
    """The workspace."""

    name: str
