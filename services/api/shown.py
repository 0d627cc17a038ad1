"""Answers that code of this release makes whole, member by member."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


def _open_to_more(schema: dict[str, Any]) -> None:
    """Readers have to expect that a later release says more."""
    del schema["additionalProperties"]


class Shown(BaseModel):
    """The base of an answer made from a view's members: one that is not declared is a mistake of ours, and is not dropped in silence.

    What is read back from the store as JSON may be of another release and is no `Shown`.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra=_open_to_more)
