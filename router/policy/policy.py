"""Which queue: a workspace's policy as a document, compiled, and asked about one message. No I/O.

Rules are asked in order. The first that matches decides, unless it says ``continue``: then its tags, skills and boost are kept
and the next ones are asked. A rule that errs does not match and is counted. When the budget of time is used up, the default
queue is taken and the choice says so.

What a person may save is stricter than what is compiled here: see `router/policy/check.py`.

**Identity**: a policy by (workspace, version); the document never changes.
**Units**: boosts in seconds, the budget in seconds of this thread's processor time, so that a busy machine decides no differently.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from router.item.goals import BOOST_MAX_S, EMERGENCY, NORMAL
from router.policy.condition import to_cel
from router.policy.expressions import NO, TREE_CHARS_MAX, Answer, Block, Expression, Facts, compiled
from router.policy.source import asks_open_conversations, asks_queues, attributes, is_cheap
from shared.errors import Unprocessable

RULES_MAX: Final = 200
BUDGET_S: Final = 0.005
BLOCK_RULES: Final = 16
DEFAULT_QUEUE: Final = "default"
_Name = Annotated[str, Field(min_length=1, max_length=200)]


class RuleDocument(BaseModel):
    """One rule as stored and edited. Without ``when`` and ``when_cel`` it matches everything."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: _Name = Field(description="how decisions name it; once in a policy")
    when: Any = Field(default=None, description="the condition as a tree")
    when_cel: str | None = Field(default=None, description="the condition as an expression, in its place")
    queue: _Name | None = Field(default=None, description="the queue it chooses, unless a later rule that is asked chooses another")
    boost_s: int = Field(default=0, ge=0, le=BOOST_MAX_S, description="so much earlier its turn comes")
    due_class: int = Field(
        default=NORMAL,
        ge=EMERGENCY,
        le=NORMAL,
        alias="class",
        description=f"{EMERGENCY}: before all other work; {NORMAL}: in its turn",
    )
    skills: dict[_Name, Annotated[int, Field(ge=1, le=5)]] = Field(
        default_factory=dict, description="what whoever takes it must have, at least at this level"
    )
    tags: list[_Name] = Field(default_factory=list, max_length=20, description="words that the work item carries")
    sla: _Name | None = Field(default=None, description="the service level that holds")
    plan: _Name | None = Field(default=None, description="who may take it, and how that widens")
    goes_on: bool = Field(default=False, alias="continue", description="later rules are asked too")


class PolicyDocument(BaseModel):
    """The whole policy as stored and edited."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: list[RuleDocument] = Field(default_factory=list, max_length=RULES_MAX, description="asked from the top")
    default_queue: _Name = Field(default=DEFAULT_QUEUE, description="where a message goes that no rule sends anywhere")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A compiled rule; ``condition`` None matches everything, ``says`` is what it does then."""

    place: int
    says: RuleDocument
    condition: Expression | None

    @property
    def name(self) -> str:
        """Its name, unique in the policy."""
        return self.says.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A compiled policy. ``asks_queues`` and ``attributes`` say which facts its rules need.

    ``blocks`` are the same rules in the same order, in groups that are asked in one crossing into the engine.
    """

    version: int | None
    rules: Sequence[Rule]
    default_queue: str
    blocks: Sequence[tuple[Sequence[Rule], Block]] = ()
    asks_queues: bool = False
    asks_open_conversations: bool = False
    attributes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the policy says of one message, and the trace that explains it. ``sla`` names a set of targets, ``plan`` who may take it.

    ``bulk``: it went to the queue for mail to many from nobody we know, and no rule was asked.
    """

    queue: str
    rule: str | None = None
    boost_s: int = 0
    due_class: int = NORMAL
    skills: Mapping[str, int] = field(default_factory=dict)
    tags: Sequence[str] = ()
    sla: str | None = None
    plan: str | None = None
    matched: Sequence[str] = ()
    errors: Mapping[str, str] = field(default_factory=dict)
    asked: int = 0
    out_of_time: bool = False
    bulk: bool = False


NO_POLICY: Final = Policy(version=None, rules=(), default_queue=DEFAULT_QUEUE)


def policy_of(document: Mapping[str, Any], *, version: int | None = None) -> Policy:
    """Compiles a document. Raises `Unprocessable` naming the rule and the place in it, with the remedy.

    Calling it twice gives an equal policy.
    """
    try:
        parsed = PolicyDocument.model_validate(document)
    except ValidationError as error:
        raise refused(document, error) from error
    rules = [
        Rule(place=place, says=rule, condition=_condition(rule, f"rules[{place}] {rule.name!r}"))
        for place, rule in enumerate(parsed.rules)
    ]
    return with_rules(rules, version=version, default_queue=parsed.default_queue)


def with_rules(rules: Sequence[Rule], *, version: int | None, default_queue: str) -> Policy:
    """A policy of compiled rules, in this order."""
    sources = [rule.condition.source for rule in rules if rule.condition is not None]
    return Policy(
        version=version, rules=tuple(rules), default_queue=default_queue, blocks=_blocks(rules),
        asks_queues=any(asks_queues(source) for source in sources),
        asks_open_conversations=any(asks_open_conversations(source) for source in sources),
        attributes=frozenset[str]().union(*(attributes(source) for source in sources)),
    )  # fmt: skip


def kept_policy(version: int | None, document: Mapping[str, Any]) -> tuple[Policy, Unprocessable | None]:
    """A stored version, whatever a later release thinks of it: with its default queue alone where it cannot be compiled any more."""
    try:
        return policy_of(document, version=version), None
    except Unprocessable as error:
        default = document.get("default_queue") or DEFAULT_QUEUE
        return Policy(version=version, rules=(), default_queue=str(default)), error


def queue_for(
    policy: Policy,
    facts: Facts,
    *,
    clock: Callable[[], float] = time.thread_time,
    budget_s: float = BUDGET_S,
    on_answer: Callable[[Rule, Answer], None] | None = None,
) -> Choice:
    """Asks the rules in order. Never raises on a rule; the same facts give the same choice while time lasts.

    ``on_answer`` is told of each rule that was asked. The clock is looked at between blocks; without a budget no rule is asked. Where the
    facts say ``bulk`` (a queue's name, seen at intake and recorded), that is the choice of every policy.
    """
    if bulk := facts.values.get("bulk"):
        return Choice(queue=bulk["queue"], bulk=True)
    ends_at = clock() + budget_s
    boost, due_class = 0, NORMAL
    sla: str | None = None
    plan: str | None = None
    skills: dict[str, int] = {}
    tags: list[str] = []
    matched: list[str] = []
    errors: dict[str, str] = {}
    decided: Rule | None = None
    asked = 0
    going, out_of_time = True, False
    for rules, block in policy.blocks:
        if clock() >= ends_at:
            out_of_time, decided = True, None
            break
        answers = block.ask(facts)
        if answers is None and on_answer is None:
            asked += len(rules)
            continue
        for rule, answer in zip(rules, answers or [NO] * len(rules), strict=True):
            asked += 1
            if on_answer is not None:
                on_answer(rule, answer)
            if answer.error:
                errors[rule.name] = answer.error
            if not answer.matched:
                continue
            says = rule.says
            matched.append(says.name)
            boost = max(boost, says.boost_s)
            due_class = min(due_class, says.due_class)
            sla = says.sla or sla
            plan = says.plan or plan
            tags.extend(tag for tag in says.tags if tag not in tags)
            for skill, level in says.skills.items():
                skills[skill] = max(level, skills.get(skill, 0))
            if says.queue is not None:
                decided = rule
            if not says.goes_on:
                going = False
                break
        if not going:
            break
    queue = None if decided is None else decided.says.queue
    return Choice(
        queue=queue or policy.default_queue, rule=decided.name if decided else None, boost_s=min(boost, BOOST_MAX_S),
        due_class=due_class, skills=skills, tags=tuple(tags), sla=sla, plan=plan, matched=tuple(matched), errors=errors, asked=asked,
        out_of_time=out_of_time,
    )  # fmt: skip


def _blocks(rules: Sequence[Rule]) -> tuple[tuple[Sequence[Rule], Block], ...]:
    """Neighbours that are cheap, together; each that may be dear, alone, so that the clock is looked at after it."""
    groups: list[list[Rule]] = []
    before = False
    for rule in rules:
        cheap = rule.condition is None or is_cheap(rule.condition.source)
        if cheap and before and len(groups[-1]) < BLOCK_RULES:
            groups[-1].append(rule)
        else:
            groups.append([rule])
        before = cheap
    return tuple((tuple(group), Block([rule.condition for rule in group])) for group in groups)


def _condition(rule: RuleDocument, where: str) -> Expression | None:
    if rule.when is not None and rule.when_cel is not None:
        raise Unprocessable("both when and when_cel", field=where, remedy="keep one of them")
    if rule.when is not None:
        return compiled(to_cel(rule.when, field=f"{where}.when"), f"{where}.when", TREE_CHARS_MAX)
    if rule.when_cel is not None:
        return compiled(rule.when_cel, f"{where}.when_cel")
    return None


def refused(document: Any, error: ValidationError) -> Unprocessable:
    """The first thing that a document's shape has wrong, with the rule's name."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    rules = document.get("rules") if isinstance(document, Mapping) else None
    if len(first["loc"]) > 2 and first["loc"][0] == "rules" and isinstance(rules, list):
        place = int(first["loc"][1])
        name = rules[place].get("name") if isinstance(rules[place], Mapping) else None
        where = f"rules[{place}] {name!r}." + ".".join(str(part) for part in first["loc"][2:])
    return Unprocessable(first["msg"], field=where or "document", remedy="see the description of policies")
