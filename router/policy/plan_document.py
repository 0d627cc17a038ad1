"""Plans as people write them, and as items carry them. Pure.

A document has steps and, for the whole plan, whom to wait for first and how long an item may live. A step says who else may take the
item from then on: neighbours beside the item's own queue, skills, a filter over agents. What a step reached stays reached, so a
later step can only add; one that adds nobody is told when it is saved.

The skills that a policy's rule asks for hold in every step. A step relaxes them by name: ``relax`` drops them, a level of its own in
``skills`` takes the place of the rule's.

Stored, a plan is a list of steps in time: a neighbour with ``delay_s`` is a step of its own that begins so much later, and queues are
named by id, so that renaming one changes nothing. The first step carries what holds for the whole plan.
**Units**: seconds, counted from entering the step. Identity: two plans with equal steps are the same plan.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from router.item.goals import BOOST_MAX_S
from router.item.plan import OWN_QUEUE, Plan, Requirement, Step, reach
from router.policy.agent_filter import checked_filter, filter_skill
from shared.errors import Unprocessable
from shared.given import Given

STEPS_MAX: Final = 20
SKILLS_MAX: Final = 50
"""Of a step."""
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
Level = Annotated[int, Field(ge=1, le=5)]
Wait = Annotated[float, Field(ge=1, le=30 * 24 * 3600)]


class Neighbour(Given):
    """Another queue whose agents may take the item: after ``delay_s``, smaller ``priority`` asked first."""

    model_config = ConfigDict(frozen=True)

    queue: Slug
    priority: Annotated[int, Field(ge=0, le=100)] = 0
    delay_s: Annotated[float, Field(ge=0, le=24 * 3600)] = 0

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, given: Any) -> Any:
        return {"queue": given} if isinstance(given, str) else given


class StepDocument(Given):
    """Who else may take the item from now on, and how long only they. ``own`` false leaves the item's own queue out."""

    model_config = ConfigDict(frozen=True)

    own: bool = True
    queues: Annotated[list[Neighbour], Field(max_length=50)] = Field(default_factory=list)
    skills: dict[Slug, Level] = Field(default_factory=dict)
    relax: Annotated[list[Slug], Field(max_length=50)] = Field(default_factory=list)
    filter: Annotated[str, Field(min_length=1)] | None = None
    raise_s: Annotated[int, Field(ge=0, le=BOOST_MAX_S)] = 0
    timeout_s: Wait | None = None


class Preferred(Given):
    """For whom the item waits first, the first of ``of`` that is known, and until when."""

    model_config = ConfigDict(frozen=True)

    of: Annotated[list[Literal["last_agent", "account_owner"]], Field(min_length=1, max_length=2)]
    wait_s: Wait = 120


class PlanDocument(Given):
    """A whole plan. ``live_s``: after so long an item goes to the overflow queue, whatever its step."""

    model_config = ConfigDict(frozen=True)

    steps: Annotated[list[StepDocument], Field(min_length=1, max_length=STEPS_MAX)]
    preferred: Preferred | None = None
    live_s: Wait | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What exists in the workspace: queues by name, how many agents each has, skills."""

    queues: Mapping[str, UUID] = field(default_factory=dict)
    agents: Mapping[str, int] = field(default_factory=dict)
    skills: Collection[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedPlan:
    """A plan that may be saved: as items carry it, the filters it names by their skill, and what its author should know."""

    steps: tuple[Mapping[str, Any], ...]
    filters: Mapping[str, str]
    warnings: tuple[str, ...]


def checked_plan(document: PlanDocument, known: Known, *, path: str = "") -> CheckedPlan:
    """Checks names, filters and times, and compiles. Raises `Unprocessable` naming the step and the remedy."""
    filters: dict[str, str] = {}
    for place, step in enumerate(document.steps):
        where = f"{path}steps.{place}"
        _check_step(step, known, where)
        if step.filter is not None:
            checked_filter(step.filter, f"{where}.filter")
            filters[filter_skill(step.filter)] = step.filter
    if not document.steps[0].own and all(one.delay_s > 0 for one in document.steps[0].queues):
        raise Unprocessable(
            "the first step names no queue at once",
            field=f"{path}steps.0.queues",
            remedy="leave own true, or name one without delay_s",
        )
    steps = compiled(document, known.queues)
    return CheckedPlan(steps=steps, filters=filters, warnings=tuple(_warnings(document, known)))


def _check_step(step: StepDocument, known: Known, where: str) -> None:
    seen: set[str] = set()
    for place, one in enumerate(step.queues):
        at = f"{where}.queues.{place}"
        if one.queue not in known.queues:
            raise Unprocessable(f"there is no queue {one.queue!r}", field=at, remedy="create the queue first")
        if one.queue in seen:
            raise Unprocessable(f"the step names {one.queue} twice", field=at, remedy="name it once")
        seen.add(one.queue)
        if step.timeout_s is not None and one.delay_s >= step.timeout_s:
            raise Unprocessable(
                f"a delay of {one.delay_s:g} s in a step of {step.timeout_s:g} s",
                field=f"{at}.delay_s", remedy="less than timeout_s, or name the queue in the next step",
            )  # fmt: skip
    if len(step.skills) > SKILLS_MAX:
        raise Unprocessable(f"a step with {len(step.skills)} skills", field=f"{where}.skills", remedy=f"at most {SKILLS_MAX}")
    for name in (*step.skills, *step.relax):
        if name not in known.skills:
            where_skill = f"{where}.skills.{name}" if name in step.skills else f"{where}.relax"
            raise Unprocessable(f"there is no skill {name!r}", field=where_skill, remedy="create the skill first")
    if set(step.skills) & set(step.relax):
        raise Unprocessable("a skill is both required and relaxed", field=f"{where}.relax", remedy="keep one of them")
    if step.filter is not None and not step.filter.strip():
        raise Unprocessable("an empty filter", field=f"{where}.filter", remedy="leave it out")


def compiled(document: PlanDocument, queues: Mapping[str, UUID]) -> tuple[Mapping[str, Any], ...]:
    """The steps in time, as they are stored. Names must exist."""
    steps: list[dict[str, Any]] = []
    for step in document.steps:
        delays = sorted({0.0, *(one.delay_s for one in step.queues)})
        for place, delay_s in enumerate(delays):
            until = delays[place + 1] if place + 1 < len(delays) else step.timeout_s
            neighbours = sorted((one for one in step.queues if one.delay_s == delay_s), key=lambda one: one.priority)
            entry: dict[str, Any] = {"queues": [None] if step.own and delay_s == 0 else []}
            entry["queues"] += [str(queues[one.queue]) for one in neighbours]
            if any(one.priority for one in neighbours):
                entry["priorities"] = {str(queues[one.queue]): one.priority for one in neighbours if one.priority}
            skills: dict[str, int] = dict(step.skills)
            if step.filter is not None:
                skills[filter_skill(step.filter)] = 1
            entry |= {"skills": skills} if skills else {}
            entry |= {"relax": step.relax} if step.relax else {}
            entry |= {"timeout_s": until - delay_s} if until is not None else {}
            entry |= {"raise_s": step.raise_s} if step.raise_s and place == 0 else {}
            steps.append(entry)
    if document.preferred is not None:
        steps[0] |= {"preferred": list(document.preferred.of), "preferred_s": document.preferred.wait_s}
    if document.live_s is not None:
        steps[0]["live_s"] = document.live_s
    return tuple(steps)


def plan_of(stored: Sequence[Mapping[str, Any]], skills: Mapping[str, int], own: UUID | None = None) -> Plan:
    """A stored plan for an item that requires ``skills`` and waits in the queue ``own``."""
    if not stored:
        return _skilled(tuple(skills.items())) if skills else OWN_QUEUE
    return Plan(tuple(_step(one, skills, own) for one in stored))


@lru_cache(maxsize=4096)
def _skilled(requires: Requirement) -> Plan:
    """The own queue with these skills; thousands of waiting items share one."""
    return Plan((Step(requires=requires),))


def _step(stored: Mapping[str, Any], skills: Mapping[str, int], own: UUID | None) -> Step:
    relaxed = stored.get("relax") or ()
    requires = {name: level for name, level in skills.items() if name not in relaxed} | dict(stored.get("skills") or {})
    named = [UUID(queue) if queue else None for queue in stored.get("queues", [None])]
    # The item's own queue may be somebody else's neighbour: there it is the own one still, and stands in one line.
    queues = dict.fromkeys(None if queue == own else queue for queue in named)
    turns = tuple((UUID(queue), turn) for queue, turn in (stored.get("priorities") or {}).items())
    return Step(
        turns=turns, queues=tuple(queues), requires=tuple(requires.items()), timeout_s=stored.get("timeout_s"),
        raise_s=float(stored.get("raise_s", 0)),
    )  # fmt: skip


def preferred_of(stored: Sequence[Mapping[str, Any]]) -> tuple[Sequence[str], float] | None:
    """Whom a stored plan waits for first, and how long."""
    if not stored or not stored[0].get("preferred"):
        return None
    return stored[0]["preferred"], float(stored[0]["preferred_s"])


def live_s_of(stored: Sequence[Mapping[str, Any]]) -> float | None:
    """How long an item of a stored plan may live."""
    return float(stored[0]["live_s"]) if stored and stored[0].get("live_s") is not None else None


def _warnings(document: PlanDocument, known: Known) -> list[str]:
    found: list[str] = []
    # A step may relax what a rule asks for, so the check assumes a rule that asks for all of it.
    asked = {name: 5 for step in document.steps for name in step.relax}
    for place, step in enumerate(document.steps):
        empty = [one.queue for one in step.queues if not known.agents.get(one.queue)]
        found.extend(f"steps.{place}: the queue {name} has no agents who could take anything" for name in empty)
        if step.timeout_s is None and place + 1 < len(document.steps):
            found.append(f"steps.{place}: without timeout_s the next step begins only when everybody has declined")
        if place == 0:
            continue
        before = document.model_copy(update={"steps": document.steps[:place]})
        upto = document.model_copy(update={"steps": document.steps[: place + 1]})
        if _reached(upto, known, asked) == _reached(before, known, asked) and not step.raise_s:
            why = "what it asks for is met by fewer agents than before, and what a step reached stays reached"
            found.append(
                f"steps.{place}: adds nobody; {why if _asks_more(document.steps, place) else 'the steps before reach the same'}"
            )
    total = sum(step.timeout_s or 0 for step in document.steps[:-1])
    if document.live_s is not None and document.live_s <= total:
        found.append(f"live_s: the item overflows after {document.live_s:g} s, before the last step begins at {total:g} s")
    return found


def _reached(document: PlanDocument, known: Known, asked: Mapping[str, int]) -> frozenset[Any]:
    # Without the item's own queue as a name: whichever it is, the plan is told apart by its neighbours.
    plan = plan_of(compiled(document, known.queues), asked)
    return frozenset(reach(plan, len(plan.steps) - 1))


def _asks_more(steps: Sequence[StepDocument], place: int) -> bool:
    step = steps[place]
    before = steps[:place]
    return bool(step.filter or step.skills) and any(
        any(level > one.skills.get(name, 0) for name, level in step.skills.items()) or step.filter != one.filter for one in before
    )
