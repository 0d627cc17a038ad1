"""``If-Match: <version>``: what is replaced or removed is what the caller has read."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import Header

from shared.errors import Conflict

IfMatch: TypeAlias = Annotated[str | None, Header()]


def require_version(if_match: str | None, version: int) -> None:
    """Raises `Conflict` where a version was named and it is at another one."""
    if if_match is not None and if_match.strip('" ') != str(version):
        raise Conflict(f"it is at version {version} now", field="If-Match", remedy="read it again")
