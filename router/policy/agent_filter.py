"""Filters over agents: a CEL condition in a step of a plan, checked when it is saved, worked out for each agent beforehand.

Dispatch knows skills only, so a filter stands for a skill of level 1 that no person gives: its name is made from the condition, and
whoever meets the condition has it. A filter that errs for an agent is not met by them.

Names an expression sees: ``agent.name``, ``agent.title``, ``agent.kind``, ``agent.languages``, ``agent.skills`` (name → level),
``agent.attributes`` (as configured) and ``agent.queues`` (names).
**Identity**: two filters with the same source are the same filter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from cel_expr_python import cel

from router.policy.expression_errors import complaints
from router.policy.expressions import DEPTH_MAX, Expression, Facts
from router.policy.fitting import fitting
from router.policy.source import depth
from shared.errors import Unprocessable

SOURCE_CHARS_MAX: Final = 2_000
PERSON: Final = "~person"
"""The skill of everybody who is no bot; items that asked for a person require it."""
_REMEDY: Final = 'like agent.attributes["team"] == "vip" or "tr" in agent.languages'


def filter_skill(source: str) -> str:
    """The skill that a filter stands for; it cannot collide with a configured one."""
    return "?" + hashlib.sha256(" ".join(source.split()).encode()).hexdigest()[:16]


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
    return compiled_filter(source)


@lru_cache(maxsize=1024)
def compiled_filter(source: str) -> Expression:
    """A stored filter. Raises RuntimeError for one that was never checked."""
    return Expression(source, _environment().compile(source))


@lru_cache(maxsize=65536)
def _met(filters: tuple[tuple[str, str], ...], agent: tuple[Any, ...]) -> tuple[str, ...]:
    name, title, kind, languages, skills, attributes, queues = agent
    values = {
        "agent": {
            "name": name, "title": title, "kind": kind, "languages": list(languages), "skills": dict(skills),
            "attributes": dict(attributes), "queues": list(queues),
        }
    }  # fmt: skip
    facts = Facts(values=values, activation=_environment().Activation(data=fitting(values)))
    return tuple(skill for skill, source in filters if compiled_filter(source).ask(facts).matched)


def skills_with_filters(agent: Mapping[str, Any], queues: Sequence[str], filters: Mapping[str, str]) -> dict[str, int]:
    """An agent's skills as dispatch needs them: those configured, `PERSON` for whoever is no bot, and the filters that are met.

    ``agent`` is the row, ``filters`` the workspace's sources by their skill. Remembered, as rows come again with every item.
    """
    skills: dict[str, int] = dict(agent["skills"])
    if agent["kind"] != "bot":
        skills[PERSON] = 1
    if filters:
        plain = tuple(sorted((name, value) for name, value in agent["attributes"].items() if not isinstance(value, dict | list)))
        known = (
            agent["name"], agent["title"], agent["kind"], tuple(agent["languages"]), tuple(sorted(agent["skills"].items())), plain,
            tuple(sorted(queues)),
        )  # fmt: skip
        skills |= dict.fromkeys(_met(tuple(sorted(filters.items())), known), 1)
    return skills
