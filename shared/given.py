"""What callers give as JSON: no member that is not known, and each value of the type that JSON has for it.

Without this ``0`` is taken for false, ``true`` for 1 and ``"5"`` for 5, so a slip of the caller is stored as something they did not say.
A whole number may be written ``3.0``, as JSON Schema has it. Source: RFC 8259 §3; JSON Schema 2020-12 §6.1.1 (validation).
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_NOT_VALUES: Final = frozenset({"cls", "config", "function", "metadata", "ref", "schema_ref", "serialization", "default"})


def _exact(node: Any, *, inside: bool, chosen: bool = False) -> Any:
    """``inside`` the model's fields; ``chosen`` among several types, where the exact one is looked for anyway."""
    if isinstance(node, list):
        return [_exact(one, inside=inside, chosen=chosen) for one in node]
    if isinstance(node, tuple):
        return tuple(_exact(one, inside=inside, chosen=chosen) for one in node)
    if not isinstance(node, dict):
        return node
    kind = node.get("type")
    if kind == "model":
        if inside:
            return node
        inside = True
    elif kind == "bool" or (kind in ("int", "float") and chosen):
        return {**node, "strict": True}
    elif kind in ("int", "float"):
        return core_schema.no_info_before_validator_function(_number, node)
    chosen = chosen or kind == "union"
    return {
        name: value if name in _NOT_VALUES and kind != "model-fields" else _exact(value, inside=inside, chosen=chosen)
        for name, value in node.items()
    }


def _number(given: Any) -> Any:
    if isinstance(given, str | bytes | bool):
        raise ValueError("a number, without quotes")  # noqa: TRY004  pydantic reads this one
    return given


class Given(BaseModel):
    """The base of every body and of what stands in it."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The model's own fields made exact; a model in a field is as exact as it is itself."""
        made: CoreSchema = _exact(handler(source), inside=False)
        return made


def exactly_one(*names: str) -> dict[str, Any]:
    """For a model's ``json_schema_extra``: one of these members is given, and not null."""
    return {"oneOf": [_is_given(name) for name in names]}


def at_least_one(*names: str) -> dict[str, Any]:
    """For a model's ``json_schema_extra``: some of these members are given, and not null."""
    return {"anyOf": [_is_given(name) for name in names]}


def not_both(one: str, other: str) -> dict[str, Any]:
    """For a model's ``json_schema_extra``: of these two members at least one is left out, or null."""
    return {"not": {"allOf": [_is_given(one), _is_given(other)]}}


def _is_given(name: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}
