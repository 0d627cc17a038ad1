"""Lists in pages: ``{"items": […], "next": cursor or null}``. A cursor is opaque and survives inserts."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

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


def moment_of(cursor: str | None) -> tuple[datetime, UUID] | None:
    """The time and id that a cursor of a list by time carries. Raises `Unprocessable` for one that is not ours."""
    values = values_of(cursor, 2)
    if values is None:
        return None
    try:
        return datetime.fromisoformat(values[0]), UUID(values[1])
    except (ValueError, TypeError, AttributeError) as error:
        raise Unprocessable("not a cursor of this list", field="cursor", remedy="copy `next` of the page before") from error


def place_of(cursor: str | None) -> tuple[int, datetime, UUID] | None:
    """The class, time and id that a cursor of a list in the order of service carries. Raises `Unprocessable` for one that is not ours."""
    values = values_of(cursor, 3)
    if values is None:
        return None
    try:
        return int(values[0]), datetime.fromisoformat(values[1]), UUID(values[2])
    except (ValueError, TypeError, AttributeError) as error:
        raise Unprocessable("not a cursor of this list", field="cursor", remedy="copy `next` of the page before") from error


def id_of(cursor: str | None) -> UUID | None:
    """The id that a cursor of a list by id carries. Raises `Unprocessable` for one that is not ours."""
    values = values_of(cursor, 1)
    if values is None:
        return None
    try:
        return UUID(values[0])
    except (ValueError, TypeError, AttributeError) as error:
        raise Unprocessable("not a cursor of this list", field="cursor", remedy="copy `next` of the page before") from error


def plain_id_of(cursor: str | None) -> UUID | None:
    """The id that a cursor is, in lists whose `next` is one. Raises `Unprocessable` for anything else."""
    try:
        return None if cursor is None else UUID(cursor)
    except ValueError as error:
        raise Unprocessable("not a cursor", field="cursor", remedy="copy `next` of the page before") from error


def seq_of(cursor: str | None) -> int | None:
    """The number that a cursor of a list in a conversation's order carries. Raises `Unprocessable` for one that is not ours."""
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
        raise Unprocessable("not a cursor of this list", field="cursor", remedy="copy `next` of the page before")
    return int(cursor)


def next_seq(rows: Sequence[Mapping[str, Any]], limit: int) -> str | None:
    """The next page's cursor when one row more than ``limit`` was read; the list is ordered by ``seq``, which ``after_seq`` takes too."""
    return str(rows[limit - 1]["seq"]) if len(rows) > limit else None


def next_of(rows: Sequence[Mapping[str, Any]], limit: int, by: str) -> str | None:
    """The next page's cursor when one row more than ``limit`` was read; the list is ordered by the time ``by`` and the id."""
    return cursor_of(rows[limit - 1][by].isoformat(), rows[limit - 1]["id"]) if len(rows) > limit else None
