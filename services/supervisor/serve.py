"""`santral serve`: the supervisor. It owns a data folder, starts the servers and the four processes, and looks after them.

Order of a start: folder, servers (both at once), schema and topics, processes, ready, demo, ready file. Order of a stop: processes,
Kafka, PostgreSQL. Nothing that is kept depends on a clean stop: after SIGKILL of everything the next start finds all data.

The ready file is JSON, for this account only, and replaced in one step when everything is ready; an old one is removed first. The same
lies in the data folder as ``serve.json`` for as long as it is true.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from services.demo.sink import Sink
from services.frame.mail_border import is_own_machine
from services.frame.settings import PREFIX, Settings
from services.supervisor.children import Children
from services.supervisor.demo import DemoAgent, admits, prepare, secrets_of, shop_front, sign_in, write_info
from services.supervisor.folder import PROCESSES, Ports, ServeFolder
from services.supervisor.servers import Addresses, Servers
from shared.embedded.errors import unusable
from shared.embedded.folder import Progress, write_private
from shared.errors import Conflict, InputRejected, NotFound
from shared.folders import make_private

_ADDRESS: Final = re.compile(r"\S+:\d{1,5}")
DEMO_BORDER: Final = "demo.santral"
_ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What the command line says. ``port`` None keeps the folder's, 0 takes a free one."""

    demo: bool
    folder: Path
    port: int | None = None
    ready_file: Path | None = None
    smtp_relay: str | None = None


async def serve(options: ServeOptions, settings: Settings, environment: Mapping[str, str], progress: Progress) -> None:
    """Runs until SIGINT, SIGTERM or SIGHUP; a second one hurries. Raises `EmbeddedError` or `SantralError`, all stopped then."""
    stop, hurry = asyncio.Event(), asyncio.Event()
    with _signals(stop, hurry):
        working = asyncio.create_task(_serve(options, settings, environment, progress, hurry))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            progress("Stopping. Once more stops faster.")
            working.cancel()
        stopping.cancel()
        try:
            await working
        except asyncio.CancelledError:
            progress("Stopped.")


@contextlib.contextmanager
def _signals(stop: asyncio.Event, hurry: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def heard() -> None:
        (hurry if stop.is_set() else stop).set()

    for number in numbers:
        loop.add_signal_handler(number, heard)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def _serve(
    options: ServeOptions, settings: Settings, environment: Mapping[str, str], progress: Progress, hurry: asyncio.Event
) -> None:
    if options.smtp_relay is not None and not _ADDRESS.fullmatch(options.smtp_relay):
        raise InputRejected(
            f"{options.smtp_relay!r} is not an address", field="--smtp-relay", remedy="HOST:PORT, as in mail.example:25"
        )
    settings.mail_border()  # refused here rather than in the gateway's log
    if options.ready_file is not None:
        _remove(options.ready_file)
    async with contextlib.AsyncExitStack() as stack:
        folder = ServeFolder(options.folder)
        stack.callback(folder.release)
        _remove(folder.path / "serve.json")
        progress(f"The data folder is {folder.path}.")
        ports = folder.ports(http=options.port, given=_given_ports(settings), progress=progress)
        servers = Servers(folder.path, settings, progress)
        stack.push_async_callback(servers.stop, hurry)
        addresses = await servers.start(topics_known=folder.read("topics"))
        api_key = await _admin_key(folder, addresses, demo=options.demo)
        if options.demo and options.smtp_relay is None:
            await stack.enter_async_context(_sink(folder, ports))
        where = _where(settings, ports)
        variables = child_variables(options, settings, folder, ports, addresses)
        inherited = {name: value for name, value in environment.items() if name != f"{PREFIX}DATABASE_OWNER_URL"}
        children = Children(folder.path, inherited | variables, where["health"], progress)
        stack.push_async_callback(children.stop, hurry)
        await children.start()
        folder.keep("topics", await servers.settled(addresses))
        await children.ready()
        if options.demo and not await admits(url=where["http"], api_key=api_key):
            progress("The admin key was revoked; here is a new one.")
            api_key = await _new_key(folder, addresses)
        trusting = trusts_all_mail(options, settings)
        agents = await _demo(folder, where, api_key, progress, trusting=trusting) if options.demo else []
        facts = {
            **where, "postgres": addresses.owner, "kafka": addresses.bootstrap, "api_key": api_key,
            "agents": [asdict(agent) for agent in agents], "secrets": secrets_of(folder),
        }  # fmt: skip
        folder.keep("serve.json", json.dumps(facts))
        stack.callback(_remove, folder.path / "serve.json")
        if options.ready_file is not None:
            write_private(options.ready_file, json.dumps(facts, indent=2))
        _tell(where, agents, folder, progress, demo=options.demo, trusting=trusting)
        await servers.supervise()


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
        make_private(path.parent)  # it may be the data folder, which is not made yet
    except OSError as error:
        raise unusable(path.parent, error) from error


def _given_ports(settings: Settings) -> dict[str, int]:
    names = {
        "http": "http_port",
        "webhooks": "webhook_port",
        "smtp": "smtp_port",
        **{one: f"{one}_health_port" for one in PROCESSES},
    }
    return {name: getattr(settings, variable) for name, variable in names.items() if variable in settings.model_fields_set}


async def _admin_key(folder: ServeFolder, addresses: Addresses, *, demo: bool) -> str:
    kept = folder.read("api_key")
    if kept is not None:
        return kept
    # Loaded here: only the first start makes a workspace.
    from services.api.workspaces import add_admin_key, make_workspace
    from shared.database import Database

    name = "demo" if demo else "default"
    db = await Database.open(addresses.worker, name="serve", pool_size=1)
    try:
        try:
            made = await make_workspace(db, name=name)
        except Conflict:
            # The database is older than the folder: one's own server, or the key's file was removed.
            made = await add_admin_key(db, workspace=name, key_name="key of santral serve")
    finally:
        await db.close()
    return folder.keep("api_key", made.key)


async def _new_key(folder: ServeFolder, addresses: Addresses) -> str:
    """A new admin key of the demo's workspace, in place of one that was revoked."""
    from services.api.workspaces import add_admin_key
    from shared.database import Database

    db = await Database.open(addresses.worker, name="serve", pool_size=1)
    try:
        try:
            made = await add_admin_key(db, workspace="demo", key_name="key of santral serve")
        except NotFound:
            # The folder began without the demo.
            made = await add_admin_key(db, workspace="default", key_name="key of santral serve")
    finally:
        await db.close()
    return folder.keep("api_key", made.key)


@contextlib.asynccontextmanager
async def _sink(folder: ServeFolder, ports: Ports) -> AsyncIterator[None]:
    try:
        listener = await Sink(folder.path / "demo" / "mails.jsonl").listen("127.0.0.1", ports.sink)
    except OSError as error:
        raise Conflict(f"port {ports.sink} is taken by another program", field="sink", remedy="start again") from error
    try:
        yield
    finally:
        listener.close()


def child_variables(
    options: ServeOptions, settings: Settings, folder: ServeFolder, ports: Ports, addresses: Addresses
) -> dict[str, str]:
    """The environment's part that tells the processes where everything is; what a person set stays as it is."""
    where = _where(settings, ports)
    ours = {
        "database_url": addresses.api,
        "database_worker_url": addresses.worker,
        "kafka_bootstrap_servers": addresses.bootstrap,
        "secret": settings.secret.get_secret_value() or folder.secret(),
        "host": settings.host,
        "http_port": str(ports.http),
        "webhook_port": str(ports.webhooks),
        "smtp_port": str(ports.smtp),
        **{f"{name}_health_port": str(port) for name, port in ports.health.items()},
        "public_url": where["http"],
        "webhook_url": where["webhooks"],
        "blob_dir": str(folder.path / "blobs"),
        "spool_dir": str(folder.path / "spool"),
    }
    if options.demo:
        ours |= {
            "demo_dir": str(folder.path / "demo"),
            "production": "false",
            "smtp_relay": f"127.0.0.1:{ports.sink}",
        }
    if trusts_all_mail(options, settings):
        ours["trust_all_mail_as"] = DEMO_BORDER
    if options.smtp_relay is not None:
        ours["smtp_relay"] = options.smtp_relay
    free = {"public_url", "webhook_url", "blob_dir", "spool_dir", "demo_dir"}
    if options.smtp_relay is None:
        free.add("smtp_relay")
    kept = {name: value for name, value in ours.items() if name not in free or name not in settings.model_fields_set}
    return {PREFIX + name.upper(): value for name, value in kept.items()} | {"PYTHONPATH": str(_ROOT), "PYTHONUTF8": "1"}


def trusts_all_mail(options: ServeOptions, settings: Settings) -> bool:
    """Whether the demo takes every mail's sender for proven: on one's own machine, where nobody said who judges senders."""
    return options.demo and settings.mail_border() is None and is_own_machine(settings.host)


def _where(settings: Settings, ports: Ports) -> dict[str, Any]:
    """The addresses as a program on this machine uses them."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104 - compared, not bound
    public = "public_url" in settings.model_fields_set
    http = settings.public_url if public else f"http://{host}:{ports.http}"
    webhooks = settings.webhook_url if "webhook_url" in settings.model_fields_set else f"http://{host}:{ports.webhooks}"
    health = {name: f"http://{host}:{ports.health[name]}" for name in PROCESSES}
    return {"http": http, "webhooks": webhooks, "smtp": f"{host}:{ports.smtp}", "shop": f"{http}/shop", "health": health}


async def _demo(
    folder: ServeFolder, where: Mapping[str, Any], api_key: str, progress: Progress, *, trusting: bool
) -> list[DemoAgent]:
    await prepare(folder, url=where["http"], api_key=api_key, progress=progress)
    agents = await sign_in(url=where["http"], api_key=api_key, progress=progress)
    pages = [{"name": agent.name, "page": agent.page} for agent in agents]
    info = {
        "shop": where["shop"], "smtp": where["smtp"], "api_docs": f"{where['http']}/docs", "health": f"{where['health']['api']}/healthz",
        "agents": pages, "every_mail_counts_as_proven": trusting, **await shop_front(url=where["http"], api_key=api_key),
    }  # fmt: skip
    write_info(folder, info)
    return agents


def _tell(
    where: Mapping[str, Any], agents: list[DemoAgent], folder: ServeFolder, progress: Progress, *, demo: bool, trusting: bool
) -> None:
    progress("Ready.")
    lines = [("Shop with chat", where["shop"])] if demo else []
    lines += [(f"Agent {agent.name}", agent.page) for agent in agents]
    lines += [
        ("API docs", f"{where['http']}/docs"), ("Webhooks", where["webhooks"]), ("SMTP", where["smtp"]),
        *((f"Health {name}", f"{url}/healthz") for name, url in where["health"].items()),
        ("Admin key", f"in {folder.path / 'api_key'}"), ("Logs", str(folder.path / "log")),
    ]  # fmt: skip
    if trusting:
        lines.append(("Senders of mail", "all count as proven, whoever they are (this machine only)"))
    for name, value in lines:
        progress(f"  {name:<16} {value}")
    progress("Ctrl-C stops it.")
