"""Lists in pages: ``{"items": […], "next": cursor or null}``. A cursor is opaque and survives inserts."""

from __future__ import annotations

import base64
import json
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel

from shared.errors import Unprocessable

Item = TypeVar("Item")
Limit = Annotated[int, Query(ge=1, le=200, description="How many at most")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next` of the page before")]


class Page(BaseModel, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next: str | None = None


def cursor_of(*values: Any) -> str:
    """A cursor that carries these JSON values."""
    return base64.urlsafe_b64encode(json.dumps(values, default=str).encode()).decode().rstrip("=")


def values_of(cursor: str | None, count: int) -> list[Any] | None:
    """What a cursor carries. Raises `Unprocessable` for one that is not ours."""
    if cursor is None:
        return None
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError as error:
        raise Unprocessable("not a cursor", field="cursor", remedy="copy `next` of the page before") from error
    if not isinstance(values, list) or len(values) != count:
        raise Unprocessable("not a cursor of this list", field="cursor", remedy="copy `next` of the page before")
    return values
