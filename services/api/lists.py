"""Lists in pages: ``{"items": […], "next": cursor or null}``. A cursor is opaque and survives inserts."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Generic, TypeVar, cast
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel

from shared.errors import InputRejected, Unprocessable
from shared.json_bounds import Bounds, bounded_json
from shared.moments import require_moment

Item = TypeVar("Item")
Limit = Annotated[int, Query(ge=1, le=200, description="How many at most")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next` of the page before")]


class Page(BaseModel, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next: str | None = None


def _not_ours() -> Unprocessable:
    return Unprocessable("not a cursor of this list", field="cursor", remedy="copy `next` of the page before")


def cursor_of(*values: Any) -> str:
    """A cursor that carries these JSON values."""
    return base64.urlsafe_b64encode(json.dumps(values, default=str).encode()).decode().rstrip("=")


def values_of(cursor: str | None, *readers: Callable[[Any], Any]) -> tuple[Any, ...] | None:
    """What a cursor carries, each value through its reader. Raises `Unprocessable` for one that is not ours, whatever it holds instead."""
    if cursor is None:
        return None
    try:
        content = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        values = bounded_json(content, Bounds(depth=1, values=1 + len(readers)))
        if not isinstance(values, list) or len(values) != len(readers):
            raise _not_ours()
        return tuple(read(value) for read, value in zip(readers, values, strict=True))
    except (ValueError, InputRejected) as error:
        raise _not_ours() from error


def text(value: Any) -> str:
    """A reader of cursors: text."""
    if not isinstance(value, str):
        raise ValueError("not a text")  # noqa: TRY004  one error for whatever a cursor holds
    return value


def number(value: Any) -> int:
    """A reader of cursors: a whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("not a whole number")  # noqa: TRY004
    return value


def identity(value: Any) -> UUID:
    """A reader of cursors: an id."""
    return UUID(text(value))


def day(value: Any) -> date:
    """A reader of cursors: a day."""
    return date.fromisoformat(text(value))


def instant(value: Any) -> datetime:
    """A reader of cursors: a time with its zone."""
    return require_moment(datetime.fromisoformat(text(value)))


def moment_of(cursor: str | None) -> tuple[datetime, UUID] | None:
    """The time and id that a cursor of a list by time carries. Raises `Unprocessable` for one that is not ours."""
    return cast("tuple[datetime, UUID] | None", values_of(cursor, instant, identity))


def place_of(cursor: str | None) -> tuple[int, datetime, UUID] | None:
    """The class, time and id that a cursor of a list in the order of service carries. Raises `Unprocessable` for one that is not ours."""
    return cast("tuple[int, datetime, UUID] | None", values_of(cursor, number, instant, identity))


def id_of(cursor: str | None) -> UUID | None:
    """The id that a cursor of a list by id carries. Raises `Unprocessable` for one that is not ours."""
    values = values_of(cursor, identity)
    return None if values is None else values[0]


def plain_id_of(cursor: str | None) -> UUID | None:
    """The id that a cursor is, in lists whose `next` is one. Raises `Unprocessable` for anything else."""
    try:
        return None if cursor is None else UUID(cursor)
    except ValueError as error:
        raise _not_ours() from error


def seq_of(cursor: str | None) -> int | None:
    """The number that a cursor of a list in a conversation's order carries. Raises `Unprocessable` for one that is not ours."""
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
        raise _not_ours()
    return int(cursor)


def next_seq(rows: Sequence[Mapping[str, Any]], limit: int) -> str | None:
    """The next page's cursor when one row more than ``limit`` was read; the list is ordered by ``seq``, which ``after_seq`` takes too."""
    return str(rows[limit - 1]["seq"]) if len(rows) > limit else None


def next_of(rows: Sequence[Mapping[str, Any]], limit: int, by: str) -> str | None:
    """The next page's cursor when one row more than ``limit`` was read; the list is ordered by the time ``by`` and the id."""
    return cursor_of(rows[limit - 1][by].isoformat(), rows[limit - 1]["id"]) if len(rows) > limit else None
