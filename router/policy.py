"""Which queue: a workspace's policy as a document, checked and compiled, and asked about one message. No I/O.

Rules are asked in order. The first that matches decides, unless it says ``continue``: then its tags, skills and boost are kept
and the next ones are asked. A rule that errs does not match and is counted. When the budget of time is used up, the default
queue is taken and the choice says so.

**Identity**: a policy by (workspace, version); the document never changes.
**Units**: boosts in seconds, the budget in seconds of this thread's processor time, so that a busy machine decides no differently.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from router.condition import FIELDS, to_cel
from router.expressions import TREE_CHARS_MAX, Expression, Facts, attributes, compiled, members
from router.goals import BOOST_MAX_S, EMERGENCY, NORMAL
from shared.errors import Unprocessable

RULES_MAX: Final = 200
BUDGET_S: Final = 0.005
DEFAULT_QUEUE: Final = "default"
_Name = Annotated[str, Field(min_length=1, max_length=200)]


class RuleDocument(BaseModel):
    """One rule as stored and edited. Without ``when`` and ``when_cel`` it matches everything."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: _Name
    when: Any = None
    when_cel: str | None = None
    queue: _Name | None = None
    boost_s: Annotated[int, Field(ge=0, le=BOOST_MAX_S)] = 0
    due_class: Annotated[int, Field(ge=EMERGENCY, le=NORMAL, alias="class")] = NORMAL
    skills: dict[_Name, Annotated[int, Field(ge=1, le=5)]] = Field(default_factory=dict)
    tags: list[_Name] = Field(default_factory=list, max_length=20)
    goes_on: bool = Field(default=False, alias="continue")


class PolicyDocument(BaseModel):
    """The whole policy as stored and edited."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: list[RuleDocument] = Field(default_factory=list, max_length=RULES_MAX)
    default_queue: _Name = DEFAULT_QUEUE


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A checked rule; ``condition`` None matches everything."""

    name: str
    condition: Expression | None
    queue: str | None
    boost_s: int
    due_class: int
    skills: Mapping[str, int]
    tags: Sequence[str]
    goes_on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A compiled policy. ``asks_queues`` and ``attributes`` say which facts its rules need."""

    version: int | None
    rules: Sequence[Rule]
    default_queue: str
    asks_queues: bool = False
    attributes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the policy says of one message, and the trace that explains it."""

    queue: str
    rule: str | None = None
    boost_s: int = 0
    due_class: int = NORMAL
    skills: Mapping[str, int] = field(default_factory=dict)
    tags: Sequence[str] = ()
    matched: Sequence[str] = ()
    errors: Mapping[str, str] = field(default_factory=dict)
    asked: int = 0
    out_of_time: bool = False


NO_POLICY: Final = Policy(version=None, rules=(), default_queue=DEFAULT_QUEUE)


def checked(document: Mapping[str, Any], *, version: int | None = None, queues: Collection[str] | None = None) -> Policy:
    """Checks and compiles a document. ``queues`` are the names that exist; None leaves them unchecked (a stored version).

    Raises `Unprocessable` naming the rule and the place in it, with the remedy. Calling it twice gives an equal policy.
    """
    try:
        parsed = PolicyDocument.model_validate(document)
    except ValidationError as error:
        raise _refused(document, error) from error
    names: set[str] = set()
    rules: list[Rule] = []
    always: str | None = None
    for place, rule in enumerate(parsed.rules):
        where = f"rules[{place}] {rule.name!r}"
        if rule.name in names:
            raise Unprocessable("two rules of this name", field=f"{where}.name", remedy="rename one of them")
        if always is not None:
            raise Unprocessable(
                f"never reached: rule {always!r} before it takes every message",
                field=where,
                remedy=f"move {rule.name!r} up, give {always!r} a condition, or let it continue",
            )
        names.add(rule.name)
        _check_queue(rule.queue, f"{where}.queue", queues)
        if rule.queue is None and not rule.goes_on:
            raise Unprocessable("a rule that decides without a queue", field=f"{where}.queue", remedy="name a queue or continue")
        rules.append(_compiled_rule(rule, where))
        if not rule.goes_on and (rules[-1].condition is None or _is_true(rules[-1])):
            always = rule.name
    _check_queue(parsed.default_queue, "default_queue", queues)
    sources = [rule.condition.source for rule in rules if rule.condition is not None]
    return Policy(
        version=version,
        rules=tuple(rules),
        default_queue=parsed.default_queue,
        asks_queues=any("queue" in source for source in sources),
        attributes=frozenset[str]().union(*(attributes(source) for source in sources)),
    )


def queue_for(policy: Policy, facts: Facts, *, clock: Callable[[], float] = time.thread_time, budget_s: float = BUDGET_S) -> Choice:
    """Asks the rules in order. Never raises on a rule; the same facts give the same choice while time lasts."""
    ends_at = clock() + budget_s
    boost, due_class = 0, NORMAL
    skills: dict[str, int] = {}
    tags: list[str] = []
    matched: list[str] = []
    errors: dict[str, str] = {}
    decided: Rule | None = None
    queue: str | None = None
    asked = 0
    out_of_time = False
    for rule in policy.rules:
        if clock() > ends_at:
            out_of_time = True
            break
        asked += 1
        if rule.condition is not None:
            answer = rule.condition.ask(facts)
            if answer.error:
                errors[rule.name] = answer.error
            if not answer.matched:
                continue
        matched.append(rule.name)
        boost = max(boost, rule.boost_s)
        due_class = min(due_class, rule.due_class)
        tags.extend(tag for tag in rule.tags if tag not in tags)
        for skill, level in rule.skills.items():
            skills[skill] = max(level, skills.get(skill, 0))
        if rule.queue is not None:
            queue, decided = rule.queue, rule
        if not rule.goes_on:
            break
    if out_of_time:
        queue, decided = None, None
    return Choice(
        queue=queue or policy.default_queue, rule=decided.name if decided else None, boost_s=min(boost, BOOST_MAX_S),
        due_class=due_class, skills=skills, tags=tuple(tags), matched=tuple(matched), errors=errors, asked=asked,
        out_of_time=out_of_time,
    )  # fmt: skip


def _compiled_rule(rule: RuleDocument, where: str) -> Rule:
    if rule.when is not None and rule.when_cel is not None:
        raise Unprocessable("both when and when_cel", field=where, remedy="keep one of them")
    condition: Expression | None = None
    if rule.when is not None:
        condition = compiled(to_cel(rule.when, field=f"{where}.when"), f"{where}.when", TREE_CHARS_MAX)
    elif rule.when_cel is not None:
        condition = compiled(rule.when_cel, f"{where}.when_cel")
        for root, name in sorted(members(rule.when_cel)):
            if name not in FIELDS[root]:
                raise Unprocessable(
                    f"unknown name {root}.{name}",
                    field=f"{where}.when_cel",
                    remedy=f"one of {', '.join(f'{root}.{one}' for one in sorted(FIELDS[root]))}",
                )
    return Rule(
        name=rule.name, condition=condition, queue=rule.queue, boost_s=rule.boost_s, due_class=rule.due_class, skills=rule.skills,
        tags=tuple(rule.tags), goes_on=rule.goes_on,
    )  # fmt: skip


def _is_true(rule: Rule) -> bool:
    return rule.condition is not None and rule.condition.source in ("true", "(true)")


def _check_queue(name: str | None, where: str, queues: Collection[str] | None) -> None:
    if name is not None and queues is not None and name not in queues:
        known = ", ".join(sorted(queues)[:20]) or "none yet: create one first"
        raise Unprocessable(f"unknown queue {name!r}", field=where, remedy=f"one of {known}")


def _refused(document: Mapping[str, Any], error: ValidationError) -> Unprocessable:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    rules = document.get("rules") if isinstance(document, Mapping) else None
    if len(first["loc"]) > 2 and first["loc"][0] == "rules" and isinstance(rules, list):
        place = int(first["loc"][1])
        name = rules[place].get("name") if isinstance(rules[place], Mapping) else None
        where = f"rules[{place}] {name!r}." + ".".join(str(part) for part in first["loc"][2:])
    return Unprocessable(first["msg"], field=where or "document", remedy="see the description of policies")
