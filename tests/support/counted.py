"""A database that counts what is read of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from shared.database import Connection, Database


class Counted:
    """Sessions of a database; ``rows`` are those that came back, ``asked`` the workspaces that statements named, each time they did.

    ``transactions`` are those that were begun.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self.rows = self.transactions = 0
        self.asked: list[Any] = []

    def database(self) -> Database:
        """As what reads takes it."""
        return cast("Database", self)

    def clear(self) -> None:
        """Counts from here on."""
        self.rows, self.asked = 0, []

    @asynccontextmanager
    async def batch(self) -> AsyncIterator[Connection]:
        self.transactions += 1
        async with self._db.batch() as connection:
            yield connection

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Connection]:
        async with self._db.session() as connection:
            yield cast("Connection", _Session(connection, self))


class _Session:
    def __init__(self, connection: Connection, counted: Counted) -> None:
        self._connection, self._counted = connection, counted

    async def fetchval(self, statement: str, *values: Any) -> Any:
        return await self._connection.fetchval(statement, *values)

    async def fetch(self, statement: str, *values: Any) -> Any:
        found = await self._connection.fetch(statement, *values)
        self._counted.rows += len(found)
        self._counted.asked += [one for given in values for one in given]
        return found
