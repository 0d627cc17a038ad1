"""Filters over agents: a CEL condition in a step of a plan, checked when it is saved, worked out for each agent beforehand.

Each is worked out for every agent of the workspace, so there may be `FILTERS_MAX` of them, and each and all may cost little at worst.

Dispatch knows skills only, so a filter stands for a skill of level 1 that no person gives: its name is made from the condition, and
whoever meets the condition has it. A filter that errs for an agent is not met by them, nor is one that compiles no more.

Names an expression sees: ``agent.name``, ``agent.title``, ``agent.kind``, ``agent.languages``, ``agent.skills`` (name → level),
``agent.attributes`` (as configured) and ``agent.queues`` (names).
**Identity**: two filters with the same source are the same filter. **Units**: seconds of an ordinary processor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from cel_expr_python import cel

from router.policy.cost import cost_of, require_affordable
from router.policy.expression_errors import complaints
from router.policy.expressions import DEPTH_MAX, Expression, Facts
from router.policy.fact_shapes import AGENT_FACTS
from router.policy.fitting import fitting
from router.policy.source import depth
from shared.errors import Conflict, Unprocessable

SOURCE_CHARS_MAX: Final = 2_000
FILTERS_MAX: Final = 200
"""Of a workspace."""
WORST_S: Final = 0.001
WORST_TOGETHER_S: Final = 0.005
"""What a filter, and what all filters of a workspace, may take for one agent at worst."""
PERSON: Final = "~person"
"""The skill of everybody who is no bot; items that asked for a person require it."""
_REMEDY: Final = 'like agent.attributes["team"] == "vip" or "tr" in agent.languages'


def filter_skill(source: str) -> str:
    """The skill that a filter stands for; it cannot collide with a configured one."""
    return "?" + hashlib.sha256(source.strip().encode()).hexdigest()[:16]


@lru_cache(maxsize=1)
def _environment() -> Any:
    return cel.NewEnv(variables={"agent": cel.Type.Map(cel.Type.STRING, cel.Type.DYN)})


@lru_cache(maxsize=1)
def _typed_environment() -> Any:
    """Every name with its own type, so that a name nobody knows and a comparison of two kinds are found."""
    texts, any_by_name = cel.Type.List(cel.Type.STRING), cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
    return cel.NewEnv(
        variables={
            "agent.name": cel.Type.STRING, "agent.title": cel.Type.STRING, "agent.kind": cel.Type.STRING, "agent.languages": texts,
            "agent.queues": texts, "agent.skills": cel.Type.Map(cel.Type.STRING, cel.Type.INT), "agent.attributes": any_by_name,
        }
    )  # fmt: skip


def checked_filter(source: str, field: str = "filter") -> Expression:
    """Compiles a filter that somebody saves. Raises `Unprocessable` naming ``field``: too long, too deep, names, types, no yes or no."""
    if len(source) > SOURCE_CHARS_MAX:
        raise Unprocessable(f"a filter of {len(source)} characters", field=field, remedy=f"at most {SOURCE_CHARS_MAX}")
    if depth(source) > DEPTH_MAX:
        raise Unprocessable("a filter nested too deeply", field=field, remedy=f"at most {DEPTH_MAX} brackets within brackets")
    try:
        expression = _typed_environment().compile(source)
        compiled_filter(source)
    except TypeError as error:
        raise Unprocessable("not text: half of a character pair", field=field, remedy="write the character itself") from error
    except RuntimeError as error:
        first = complaints(str(error))[0]
        raise Unprocessable(first.message, field=field, remedy=_REMEDY, line=first.line, character=first.character) from error
    if expression.return_type() not in (cel.Type.BOOL, cel.Type.DYN):
        raise Unprocessable("the filter gives no yes or no", field=field, remedy=_REMEDY)
    found = compiled_filter(source)
    require_affordable(cost_of(found.serialized(), AGENT_FACTS), field=field, seconds_max=WORST_S)
    return found


def require_few(sources: Collection[str], *, field: str) -> None:
    """Raises `Conflict` naming ``field`` where a workspace would have too many filters, or they cost too much together.

    Those that compile no more cost nothing.
    """
    remedy = "write fewer, or the same ones again; what no plan names and no open item needs any more is gone within an hour"
    if len(sources) > FILTERS_MAX:
        raise Conflict(f"more than {FILTERS_MAX} filters in the plans of this workspace", field=field, remedy=remedy)
    if sum(map(_worst_s, sources)) > WORST_TOGETHER_S:
        raise Conflict(
            f"the filters of this workspace may take more than {1000 * WORST_TOGETHER_S:g} ms for one agent", field=field,
            remedy=f"shorter ones without loops and patterns; or {remedy}",
        )  # fmt: skip


@lru_cache(maxsize=4096)
def _worst_s(source: str) -> float:
    try:
        return cost_of(compiled_filter(source).serialized(), AGENT_FACTS).seconds
    except RuntimeError:
        return 0.0


@lru_cache(maxsize=1024)
def compiled_filter(source: str) -> Expression:
    """A stored filter. Raises RuntimeError for one that was never checked."""
    return Expression(source, _environment().compile(source))


class Filters:
    """A workspace's filters, by the skill that each stands for; which of them an agent meets is remembered until either changes.

    Compiling and asking may take as long as is permitted for every agent: in a thread, not on an event loop.
    """

    def __init__(self, sources: Mapping[str, str], before: Filters | None = None) -> None:
        """``before``: the filters until now; what is known of those that stay is kept."""
        self.sources = dict(sources)
        self._names = frozenset(sources)
        known: dict[str, Expression | None] = {} if before is None else before._expressions
        self._expressions: dict[str, Expression | None] = {
            name: known[name] if name in known else _stored(source) for name, source in sources.items()
        }
        self._met: dict[UUID, _Met] = {} if before is None else before._met

    def met(self, agent: Mapping[str, Any], queues: Sequence[str]) -> frozenset[str]:
        """The filters that an agent meets; ``agent`` is the row, ``queues`` the names of theirs."""
        facts, before = _known(agent, queues), self._met.get(agent["id"])
        known = before if before is not None and before.facts == facts else _Met(facts, frozenset(), frozenset())
        if known.asked != self._names:
            met = (known.met & self._names) | self._asked(self._names - known.asked, facts)
            known = self._met[agent["id"]] = _Met(facts, self._names, met)
        return known.met

    def knows(self, agent: Mapping[str, Any], queues: Sequence[str]) -> bool:
        """Whether `met` would ask nothing."""
        known = self._met.get(agent["id"])
        return known is not None and known.asked == self._names and known.facts == _known(agent, queues)

    def forget(self, agent_id: UUID) -> None:
        """Of an agent who is there no more."""
        self._met.pop(agent_id, None)

    def _asked(self, names: Collection[str], known: tuple[Any, ...]) -> frozenset[str]:
        name, title, kind, languages, skills, attributes, queues = known
        values = {
            "agent": {
                "name": name, "title": title, "kind": kind, "languages": list(languages), "skills": dict(skills),
                "attributes": dict(attributes), "queues": list(queues),
            }
        }  # fmt: skip
        facts = Facts(values=values, activation=_environment().Activation(data=fitting(values)))
        return frozenset(one for one in names if (found := self._expressions[one]) is not None and found.ask(facts).matched)


NO_FILTERS: Final = Filters({})


class _Met(NamedTuple):
    facts: tuple[Any, ...]
    asked: frozenset[str]
    met: frozenset[str]


def _stored(source: str) -> Expression | None:
    try:
        return compiled_filter(source)
    except RuntimeError:
        return None


def _known(agent: Mapping[str, Any], queues: Sequence[str]) -> tuple[Any, ...]:
    plain = tuple(sorted((name, value) for name, value in agent["attributes"].items() if not isinstance(value, dict | list)))
    return (
        agent["name"], agent["title"], agent["kind"], tuple(agent["languages"]), tuple(sorted(agent["skills"].items())), plain,
        tuple(sorted(queues)),
    )  # fmt: skip


def skills_with_filters(agent: Mapping[str, Any], queues: Sequence[str], filters: Filters) -> dict[str, int]:
    """An agent's skills as dispatch needs them: those configured, `PERSON` for whoever is no bot, and the filters that are met."""
    skills: dict[str, int] = dict(agent["skills"])
    if agent["kind"] != "bot":
        skills[PERSON] = 1
    if filters.sources:
        skills |= dict.fromkeys(sorted(filters.met(agent, queues)), 1)
    return skills
