"""PostgreSQL: one place that opens it, sets the workspace, and says what its errors mean.

Two doors to one server: :meth:`Database.transaction` for SQLAlchemy Core (the API's reads and writes, configuration) and
:meth:`Database.batch` for plain asyncpg on the hot paths, with JSON as Python values, in which ids and times may stand
as they are. Rooms never commit; the context does.

Every wait is bounded: connecting, each statement, locks, and a transaction that sits idle (the last three as
settings of every session). A black-holed server costs seconds, not for ever. One wait the server does not bound: the driver
prepares a statement without ending the exchange (Flush, not Sync), so a process frozen before it executes keeps its locks while
the server counts its session as active and waits for it. Who gives up waiting for a lock ends such sessions.
"""

from __future__ import annotations

import asyncio
import copy
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, Literal, TypeAlias, TypeVar
from uuid import UUID

import asyncpg
import msgspec
import sqlalchemy as sa
from asyncpg.pgproto import pgproto
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import PoolProxiedConnection

from shared.errors import Conflict, InputRejected, SantralError, Unavailable
from shared.json_bounds import shallow
from shared.logs import get_log

log = get_log(__name__)

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
Result = TypeVar("Result")

CONNECT_S: Final = 5.0
COMMAND_S: Final = 40.0
"""Longer than the server gives a statement, so that it is the server who ends it, and says so: then it was only too much."""
ACQUIRE_S: Final = 5.0
IDLE_S: Final = 5
_SESSION: Final = {
    "search_path": "santral",
    "jit": "off",
    "timezone": "UTC",
    "statement_timeout": "30s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": f"{IDLE_S}s",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
_STORABLE: Final = (
    "numbers within 64 bits, times within the years 1 to 9999, text without NUL and not too long for a key, names of what is there"
)
STALLED_S: Final = 3
_END_STALLED: Final = f"""
select application_name, extract(epoch from now() - state_change)::float8 as stood_s, pg_terminate_backend(pid) as ended from pg_stat_activity
where datname = current_database() and usename = current_user and state = 'active' and wait_event = 'ClientRead'
  and greatest(xact_start, state_change) < now() - interval '{STALLED_S} s' and query !~* '^\\s*copy\\M'
"""
_RETRYABLE: Final = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    # A migration beside us added a column to what a kept statement returns; the driver has forgotten it now.
    asyncpg.InvalidCachedStatementError,
)
_DRIVER: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_OF_A_VALUE: Final = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)
_TOO_LONG: Final = (asyncpg.QueryCanceledError, asyncpg.IdleInTransactionSessionTimeoutError)
_LOST: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # The driver's word for a connection that broke between two steps of one operation.
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    # No disk, no memory, no connection: what it could not take now it takes later.
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    # A server that was the first one until a moment ago.
    asyncpg.ReadOnlySQLTransactionError,
    ConnectionError,
    TimeoutError,
    OSError,
)


class Contended(Unavailable):
    """A deadlock, a serialization failure, a lock time-out, a schema that grew: the same transaction may succeed at once."""

    kind = "contended"


class Overlong(Unavailable):
    """A statement, or the thinking between two, took longer than it may: the same with less in it may be done, and others' may."""

    kind = "overlong"


def _is_ended(connection: Any) -> bool:
    """Whether it was closed under us; then the pool has taken it back and refuses the question."""
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        return True


def concerns_all(error: Exception) -> bool:
    """Whether whoever asks for something else would meet this too: something is away, and it was not only too much at once."""
    return isinstance(error, Unavailable) and not isinstance(error, Overlong)


def _driver_error(error: BaseException) -> BaseException:
    """The asyncpg exception under SQLAlchemy's wrappers."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, (*_DRIVER, ConnectionError, TimeoutError)):
            return seen
        seen = getattr(seen, "orig", None) or seen.__cause__
    return error


@contextmanager
def translated() -> Iterator[None]:
    """Turns the driver's exceptions into ours: Contended, Overlong, Unavailable, Conflict (unique), InputRejected (data)."""
    try:
        yield
    except SantralError:
        raise
    except (*_DRIVER, sa.exc.DBAPIError, OSError, TimeoutError) as error:
        cause = _driver_error(error)
        if isinstance(cause, _RETRYABLE):
            raise Contended("the database asks to try this transaction again", retry_after_s=1) from error
        if isinstance(cause, asyncpg.UniqueViolationError):
            raise Conflict("this exists already", constraint=cause.constraint_name) from error
        if isinstance(cause, asyncpg.ForeignKeyViolationError):
            raise Conflict("this is in use, or what it names is there no more", remedy="read both again") from error
        if isinstance(cause, _OF_A_VALUE):
            raise InputRejected("a value that cannot be stored", remedy=_STORABLE) from error
        if isinstance(cause, _TOO_LONG):
            raise Overlong("the database took too long for this", remedy="ask for less at once") from error
        if isinstance(cause, _LOST) or (isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated):
            raise Unavailable("the database cannot be reached", remedy="try again; see santral doctor") from error
        raise


def _to_json(value: Any) -> str:
    """JSON of plain values, ids and times; a text that is not Unicode raises, which the driver reports as a data error."""
    return msgspec.json.encode(value).decode()


def _from_json(text: str) -> Any:
    """Stored JSON as values; what nests more deeply than anything can write again is cut."""
    return msgspec.json.decode(shallow(text))


async def _returned(connection: Any) -> None:
    """What a connection needs before somebody else gets it: nothing, as settings are made for one transaction only.

    The driver's own way (close cursors, unlisten, reset every setting) costs more than most of the transactions.
    """
    if connection.is_in_transaction():  # its end was cut off
        await connection.execute("rollback")


def _begin(workspace_id: UUID | None, isolation: str, lock_ms: int | None) -> str:
    """One round trip that begins the transaction, names its workspace and says how long it waits for locks."""
    said = ["begin isolation level repeatable read" if isolation == "repeatable_read" else "begin"]
    if workspace_id is not None:
        said.append(f"set local app.workspace = '{workspace_id}'")
    if lock_ms is not None:
        said.append(f"set local lock_timeout = {lock_ms}")
    return "; ".join(said)


def _driver_of(raw: PoolProxiedConnection) -> Connection:
    """The driver's connection under SQLAlchemy's, in the transaction that a statement has begun there."""
    driver: Connection | None = raw.driver_connection
    assert driver is not None, "it was just used"
    return driver


async def _prepare(connection: Any) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(kind, encoder=_to_json, decoder=_from_json, schema="pg_catalog")


def driver_id(value: UUID) -> UUID:
    """The same id as the driver hands ids out: equal to the given one, and hashed and compared by native code.

    Worth its price where an id becomes part of many keys.
    """
    return pgproto.UUID(value.bytes)


def driver_url(url: str) -> str:
    """Any spelling of a PostgreSQL URL as asyncpg reads it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


class _Share:
    """What a workspace may hold of the connections at once: a quarter is left to the others, whatever it asks for."""

    def __init__(self, pool_size: int) -> None:
        self._each = pool_size - pool_size // 4
        self._held: dict[UUID, asyncio.Semaphore] = {}
        self._asked: Counter[UUID] = Counter()

    @asynccontextmanager
    async def of(self, workspace_id: UUID | None) -> AsyncIterator[None]:
        """Waits for the workspace's own connections to come back. Raises `Unavailable` where none did for `ACQUIRE_S`."""
        if workspace_id is None:
            yield
            return
        held = self._held.setdefault(workspace_id, asyncio.Semaphore(self._each))
        self._asked[workspace_id] += 1
        try:
            await self._place(held)
            try:
                yield
            finally:
                held.release()
        finally:
            self._asked[workspace_id] -= 1
            if not self._asked[workspace_id]:
                del self._asked[workspace_id], self._held[workspace_id]

    async def _place(self, held: asyncio.Semaphore) -> None:
        try:
            await (asyncio.wait_for(held.acquire(), ACQUIRE_S) if held.locked() else held.acquire())
        except TimeoutError as error:
            raise Unavailable(
                "the workspace asks for more at once than its share", retry_after_s=1, remedy="ask again, for less at once"
            ) from error


class Database:
    """A role's connections to one database. Open it in `main()`, close it at the end; safe to share between tasks."""

    def __init__(self, url: str, *, name: str, pool_size: int = 8, pool: asyncpg.Pool[asyncpg.Record], engine: AsyncEngine) -> None:
        self.url = url
        self.name = name
        self.pool_size = pool_size
        self._pool = pool
        self._engine = engine
        self._batches, self._transactions = _Share(pool_size), _Share(pool_size)
        self._begun: Callable[[Connection], Awaitable[None]] | None = None

    @classmethod
    async def open(cls, url: str, *, name: str, pool_size: int = 8) -> Database:
        """Connects nothing yet but the first pool connection's settings; ``name`` shows in ``pg_stat_activity``."""
        settings = {"application_name": f"santral-{name}", **_SESSION}
        pool: asyncpg.Pool[asyncpg.Record] = asyncpg.create_pool(
            driver_url(url), min_size=0, max_size=pool_size, timeout=CONNECT_S, command_timeout=COMMAND_S,
            server_settings=settings, init=_prepare, reset=_returned, max_inactive_connection_lifetime=60,
        )  # fmt: skip
        await pool
        engine = create_async_engine(
            make_url(url).set(drivername="postgresql+asyncpg"),
            json_serializer=_to_json, json_deserializer=_from_json, pool_size=pool_size, max_overflow=0, pool_timeout=ACQUIRE_S, pool_pre_ping=True,
            connect_args={"timeout": CONNECT_S, "command_timeout": COMMAND_S, "server_settings": settings},
        )  # fmt: skip
        return cls(url, name=name, pool_size=pool_size, pool=pool, engine=engine)

    async def close(self) -> None:
        """Gives every connection back; what hangs is cut after two seconds."""
        await self._engine.dispose()
        try:
            await asyncio.wait_for(self._pool.close(), 2)
        except TimeoutError:
            self._pool.terminate()

    def beginning(self, begun: Callable[[Connection], Awaitable[None]]) -> Database:
        """The same connections; ``begun`` is asked within each transaction before anything else, and may refuse it."""
        same = copy.copy(self)
        same._begun = begun
        return same

    @asynccontextmanager
    async def transaction(self, workspace_id: UUID | None = None, *, snapshot: bool = False) -> AsyncIterator[AsyncConnection]:
        """A SQLAlchemy transaction that sees ``workspace_id`` only (the API's role sees nothing without one).

        ``snapshot`` reads rows and sequences as of one moment (REPEATABLE READ). Commits on leaving, rolls back on an error.
        """
        async with self._transactions.of(workspace_id), self._unstuck(), self._engine.connect() as connection:
            if snapshot:
                await connection.execution_options(isolation_level="REPEATABLE READ")
            async with connection.begin():
                if workspace_id is not None:
                    await connection.execute(sa.text("select set_config('app.workspace', :id, true)"), {"id": str(workspace_id)})
                    if self._begun is not None:
                        await self._begun(_driver_of(await connection.get_raw_connection()))
                yield connection

    @asynccontextmanager
    async def batch(
        self,
        workspace_id: UUID | None = None,
        *,
        isolation: Literal["read_committed", "repeatable_read"] = "read_committed",
        lock_ms: int | None = None,
    ) -> AsyncIterator[Connection]:
        """An asyncpg transaction for set-based work; workers' batches span workspaces and name none.

        ``lock_ms``: how long a lock is waited for at most, where that is not the session's two seconds.
        The transaction is ours, not the driver's: a part that may fail is put between ``savepoint`` statements.
        """
        async with self._batches.of(workspace_id), self._unstuck(), self._pool.acquire(timeout=ACQUIRE_S) as connection:
            began_s = time.monotonic()
            await connection.execute(_begin(workspace_id, isolation, lock_ms))
            try:
                if self._begun is not None:
                    await self._begun(connection)
                yield connection
            except BaseException as error:
                if not _is_ended(connection):
                    await connection.execute("rollback")
                elif isinstance(error, asyncpg.InterfaceError) and time.monotonic() - began_s > IDLE_S:
                    # The server does not say so to who asks nothing: the pool has the connection back, and it is nobody's outage.
                    raise Overlong("too long was thought about between two statements", remedy="ask for less at once") from error
                raise
            if await connection.execute("commit") != "COMMIT":
                raise Unavailable("the transaction had failed and was rolled back", remedy="try again")

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Connection]:
        """A connection without a transaction: LISTEN, single statements, health."""
        async with self._unstuck(), self._pool.acquire(timeout=ACQUIRE_S) as connection:
            yield connection

    @asynccontextmanager
    async def _unstuck(self) -> AsyncIterator[None]:
        """`translated`; where a lock was waited for in vain, sessions of this role that stand still are ended first."""
        try:
            with translated():
                yield
        except Contended as error:
            if isinstance(_driver_error(error), asyncpg.LockNotAvailableError):
                await self._end_stalled()
            raise

    async def _end_stalled(self) -> None:
        with translated():
            async with self._pool.acquire(timeout=ACQUIRE_S) as connection:
                ended = await connection.fetch(_END_STALLED)
        for row in ended:
            log.warning(
                "a session that stood still with a transaction open was ended", action="session_ended", name=row["application_name"],
                took_ms=round(row["stood_s"] * 1000),
            )  # fmt: skip


async def pages(connection: Connection, statement: str, *values: Any, rows: int) -> AsyncIterator[list[dict[str, Any]]]:
    """What a statement finds, so many rows at a time, within the connection's transaction: however much it is, it is never held whole.

    Others are served between two pages; who looks long at one does it in a thread.
    """
    found = await connection.cursor(statement, *values)
    while page := await found.fetch(rows):
        yield [dict(row) for row in page]


async def retried(work: Callable[[], Awaitable[Result]], *, tries: int = 8, on_retry: Callable[[], None] | None = None) -> Result:
    """Runs a whole transaction again when the database asks for it (`Contended`), with full jitter up to 200 ms.

    ``work`` opens and commits its own transaction. The last `Contended` is raised when the tries are used up.
    """
    for attempt in range(tries):
        try:
            return await work()
        except Contended:
            if attempt == tries - 1:
                raise
            if on_retry is not None:
                on_retry()
            await asyncio.sleep(random.uniform(0, min(0.2, 0.005 * 2**attempt)))  # noqa: S311  jitter, not a secret
    raise AssertionError("unreachable: the loop returns or raises")
