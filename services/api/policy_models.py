"""Policies as clients read them: versions, what is wrong with a document, what a rule can ask, and what a policy would do."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from router.evaluation.evaluation import Difference, Outcome
from router.policy.fields import Operator, Type
from services.api.shown import Shown


class PolicyProblem(Shown):
    """One thing that is wrong with a document. ``path`` leads to it, ``field`` says so for people; line and character are inside its
    expression, 0 for none."""

    severity: Literal["error", "warning"]
    message: str
    remedy: str
    path: list[str | int]
    field: str
    rule: int | None
    name: str | None
    line: int
    character: int


class PolicyOut(BaseModel):
    """A version of the policy. ``warnings`` come with saving only."""

    version: int
    active: bool
    document: dict[str, Any]
    managed_digest: str | None
    actor: str | None
    created_at: datetime
    note: str
    activated_at: datetime | None
    activated_by: str | None
    warnings: list[PolicyProblem] | None = None


class Checked(BaseModel):
    """Whether a document could be saved, and everything that is wrong with it."""

    ok: bool
    problems: list[PolicyProblem]


class RuleError(BaseModel):
    """A rule that could not be evaluated, with messages that show it, the newest first."""

    rule: str
    count: int
    error: str
    message_id: UUID
    decision_id: UUID
    message_ids: list[UUID]
    first_at: datetime
    last_at: datetime


class RuleErrors(BaseModel):
    """The errors of a version, from the newest decisions that have any."""

    items: list[RuleError]
    looked_at: int


class FactOut(Shown):
    """A fact that a rule can ask. ``always``: it is there for every message; ``values`` are the usual ones."""

    name: str
    type: Type
    help: str
    always: bool
    values: list[str]
    operators: list[str]


class VocabularyNames(Shown):
    """What exists and may be named."""

    queues: list[str]
    skills: list[str]
    slas: list[str]
    plans: list[str]


class VocabularyLimits(Shown):
    """How large a policy may be, and how long its rules may take over one message."""

    rules: int
    document_chars: int
    budget_ms: float


class Vocabulary(Shown):
    """What a rule can ask and do; ``rule`` is the JSON Schema of one."""

    fields: list[FactOut]
    operators: list[Operator]
    rule: dict[str, Any]
    names: VocabularyNames
    limits: VocabularyLimits


class ChoiceOut(Shown):
    """What a policy says of one message, by the names that a rule uses."""

    queue: str
    rule: str | None
    boost_s: int
    due_class: Annotated[int, Field(alias="class")]
    skills: dict[str, int]
    tags: list[str]
    sla: str | None
    plan: str | None
    matched: list[str]
    errors: dict[str, str]
    out_of_time: bool
    bulk: bool


class RecordedChoice(ChoiceOut):
    """What was chosen then, and by which version."""

    policy_version: int | None


class AskedRule(Shown):
    """What one rule answered. ``saw``: the facts it names, null for one that is not there; texts are cut."""

    place: int
    name: str
    outcome: Outcome
    decided: bool
    error: str
    saw: dict[str, Any]


class Evaluated(Shown):
    """Of one message: the choice and the trace. ``before`` and ``differences``: what really happened, where it is a stored one.

    ``not_recorded``: facts the policy asks that nobody recorded then; attributes and open conversations among them are of today. A message that
    joined work already there was not decided on: its profile and conversation are those of today. Words that their writer took back, or that
    were taken away here, are not among the facts that are shown; the rules were asked with those of then.
    """

    policy_version: int | None
    queue: str
    choice: ChoiceOut
    rules: list[AskedRule]
    facts: dict[str, dict[str, Any]]
    not_recorded: list[str]
    decision_id: UUID | None = None
    before: RecordedChoice | None = None
    differences: list[Difference] = Field(default_factory=list)


class MovedMessage(Shown):
    """A message that would come to another queue, and the rules that decided."""

    message_id: str
    decision_id: str
    rule_before: str | None
    rule: str | None


class QueueMove(Shown):
    """Messages that came to one queue and would come to another, or to the same; with a few examples where they differ."""

    before: str
    after: str
    count: int
    examples: list[MovedMessage]


class ChangedBoosts(Shown):
    """Messages that would stand further ahead, or further behind, and by how many seconds together."""

    raised: int
    lowered: int
    seconds: int


class ChangedTags(Shown):
    """How often each tag would be given that was not, and not be given that was."""

    added: dict[str, int]
    removed: dict[str, int]


class RuleCount(Shown):
    """How often a rule would match, and decide."""

    name: str
    place: int
    matched: int
    decided: int


class RuleFailure(Shown):
    """A rule that could not be evaluated, how often, and the first message that broke it."""

    rule: str
    count: int
    error: str
    message_id: str
    decision_id: str


class ReportOut(Shown):
    """The difference, added up. ``left_out``: messages that cannot be asked, by reason; ``classes``: messages in another class of urgency."""

    messages: int
    changed: int
    left_out: dict[str, int]
    not_recorded: dict[str, int]
    queues: list[QueueMove]
    boosts: ChangedBoosts
    classes: int
    tags: ChangedTags
    rules: list[RuleCount]
    never_matched: list[str]
    errors: list[RuleFailure]


class QueueWait(Shown):
    """How a queue's waits were, and would be with the other number of items. Seconds; null where too little was observed."""

    queue: str
    items_before: int
    items_after: int
    wait_s: float | None
    wait_p90_s: float | None
    predicted_wait_s: float | None
    overloaded: bool
    breached: int | None
    predicted_breached: int | None


class RangeEvaluated(Shown):
    """Of a stretch of time: the difference against what really happened. ``next`` goes on where the budget ended."""

    policy_version: int | None
    since: datetime
    until: datetime
    report: ReportOut
    waits: list[QueueWait]
    next: str | None
