"""`santral doctor`: what is configured, reachable, lagging, and what to do about it. It changes nothing.

It looks with the settings of the environment, or at a running `santral serve` through its data folder (`settings_of_folder`).
"""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import httpx
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from services.audit_chain.verification import Witness
from services.doctor.audit_chain import look_at_audit_chain
from services.doctor.bounds import look_at_bounds
from services.doctor.card_numbers import look_at_card_numbers
from services.doctor.customer_ids import look_at_customer_ids
from services.doctor.database import (
    look_at_deliveries,
    look_at_handles,
    look_at_outbox,
    look_at_quarantine,
    look_at_role,
    opened,
)
from services.doctor.finding import Finding, examined, fail, graded, ok, warn
from services.doctor.kafka import look_at_cluster, look_at_lag, look_at_topics
from services.doctor.marked_mail import look_at_marked_mail
from services.doctor.open_inboxes import look_at_open_inboxes
from services.doctor.saved_settings import look_at_saved_settings
from services.frame.settings import Settings
from services.supervisor.folder import PROCESSES
from shared.database import Database
from shared.errors import InputRejected, NotFound
from shared.hosts import release
from shared.sealing import Sealer

SEEN_S: Final = 30.0
_REACH_S: Final = 3.0
_FREE_BYTES: Final = (2 * 1024**3, 256 * 1024**2)
_HOSTS: Final = """
select process, machine, pid, version, health_url, extract(epoch from now() - seen_at)::float8 as seen_s from santral.host
where seen_at > now() - interval '1 minute' order by process, machine, pid
"""


def settings_of_folder(folder: Path, settings: Settings) -> Settings:
    """What a `santral serve` that ran in this folder works with, where ``settings`` do not say otherwise.

    Raises `NotFound` when nothing is ready there, `InputRejected` when its files cannot be read.
    """
    try:
        facts = json.loads((folder / "serve.json").read_text(encoding="utf-8"))
        values: dict[str, Any] = {
            "kafka_bootstrap_servers": facts["kafka"],
            "secret": SecretStr(_text(folder / "secret")),
            "blob_dir": folder / "blobs",
            "spool_dir": folder / "spool",
            "public_url": facts["http"],
            "api_health_port": urlsplit(facts["health"]["api"]).port,
        }
        if facts["postgres"] and (folder / "postgres" / "passwords.json").exists():
            passwords = json.loads((folder / "postgres" / "passwords.json").read_text(encoding="utf-8"))
            server = facts["postgres"].rpartition("@")[2]
            for name, role in (("database_owner_url", "owner"), ("database_worker_url", "worker"), ("database_url", "api")):
                values[name] = SecretStr(f"postgresql://santral_{role}:{passwords[f'santral_{role}']}@{server}")
    except FileNotFoundError as error:
        raise NotFound(
            f"no santral serve is ready in {folder}",
            field="--data",
            remedy="start it, name its folder, or set SANTRAL_DATABASE_URL",
        ) from error
    except (OSError, ValueError, KeyError) as error:
        raise InputRejected(
            f"{folder} cannot be read: {error}", field="--data", remedy="run as the account of santral serve"
        ) from error
    return settings.model_copy(update={name: value for name, value in values.items() if name not in settings.model_fields_set})


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""


async def examine(
    settings: Settings, *, folder: Path | None = None, witnesses: Mapping[str, Witness] | None = None
) -> list[Finding]:
    """Every look at once, in the order a reader wants; ``witnesses``: heads of audit chains by workspace. Never raises for what it finds."""
    worker: Database | None = None
    roles: list[Awaitable[Sequence[Finding]]] = [_role(settings, "api"), _role(settings, "worker")]
    if settings.database_owner_url.get_secret_value():
        roles.append(_role(settings, "owner"))
    found = [finding for one in await asyncio.gather(*roles) for finding in one]
    found = [*_secret(settings), *found]
    reaches = any(finding.check == "database (worker)" and finding.state == "OK" for finding in found)
    if reaches:
        async with opened(settings, "worker") as worker:
            found += await _with_database(settings, worker, witnesses)
    else:
        found += await examined("kafka", lambda: look_at_cluster(settings, None), _KAFKA)
        found.append(fail("processes", "cannot be asked without the database", "repair the database first"))
    return found + look_at_disks(settings, folder)


_KAFKA: Final = "start the brokers, or correct SANTRAL_KAFKA_BOOTSTRAP_SERVERS"
_DATABASE: Final = "start PostgreSQL, or correct the address, the account and the password"


async def _role(settings: Settings, role: Any) -> Sequence[Finding]:
    return await examined(f"database ({role})", lambda: look_at_role(settings, role), _DATABASE)


async def _with_database(settings: Settings, db: Database, witnesses: Mapping[str, Witness] | None) -> list[Finding]:
    cluster = await examined("kafka", lambda: look_at_cluster(settings, db), _KAFKA)
    looks: list[tuple[str, Callable[[], Awaitable[Sequence[Finding]]], str]] = []
    if all(finding.state == "OK" for finding in cluster):
        looks = [
            ("topics", lambda: look_at_topics(settings), "run: santral topics plan"),
            ("intake", lambda: look_at_lag(settings, db), _KAFKA),
        ]
    looks += [
        ("processes", lambda: look_at_processes(db), _DATABASE),
        ("api", lambda: look_at_api(settings), "start one: santral api"),
        ("outbox", lambda: look_at_outbox(db), _DATABASE),
        ("quarantine", lambda: look_at_quarantine(db), _DATABASE),
        ("replies", lambda: look_at_deliveries(db), _DATABASE),
        ("marked mail", lambda: look_at_marked_mail(db), _DATABASE),
        ("card numbers", lambda: look_at_card_numbers(db), _DATABASE),
        ("handles", lambda: look_at_handles(db), _DATABASE),
        (
            "open inboxes",
            lambda: look_at_open_inboxes(db, Sealer(settings.deployment_secret()), settings.grace_until()),
            "set SANTRAL_SECRET",
        ),
        ("customer ids", lambda: look_at_customer_ids(db, Sealer(settings.deployment_secret())), "set SANTRAL_SECRET"),
        ("audit chain", lambda: look_at_audit_chain(db, witnesses), _DATABASE),
        ("bounds", lambda: look_at_bounds(db), _DATABASE),
        ("settings", lambda: look_at_saved_settings(db, settings.egress()), _DATABASE),
    ]
    found = list(cluster)
    for check, look, remedy in looks:
        found += await examined(check, look, remedy)
    return found


def _secret(settings: Settings) -> list[Finding]:
    try:
        settings.deployment_secret()
    except InputRejected as error:
        return [fail("secret", f"SANTRAL_SECRET is {error.message}", error.remedy or "")]
    return [ok("secret", "is set")]


async def look_at_processes(db: Database) -> list[Finding]:
    """Every process that showed itself within a minute, and what its /healthz says; the gateways' spools."""
    async with db.session() as connection:
        rows = [dict(row) for row in await connection.fetch(_HOSTS)]
    async with httpx.AsyncClient(timeout=_REACH_S, trust_env=False) as http:
        found = [finding for one in await asyncio.gather(*(_process(http, row) for row in rows)) for finding in one]
    here = {row["process"] for row in rows}
    found += [
        fail(name, "none has been seen for a minute", f"start one: santral {name}, or santral serve")
        for name in PROCESSES
        if name not in here and name != "api"
    ]  # fmt: skip
    return found


async def look_at_api(settings: Settings) -> list[Finding]:
    """The API, which may not write its row: its health port on this machine, or else whether it answers where the world finds it."""
    here = _reachable(f"http://{settings.host}:{settings.api_health_port}", socket.gethostname())
    async with httpx.AsyncClient(timeout=_REACH_S, trust_env=False) as http:
        try:
            checks = (await http.get(f"{here}/healthz")).json()["checks"]
        except (httpx.HTTPError, ValueError, KeyError):
            try:
                answer = await http.get(f"{settings.public_url.rstrip('/')}/v1/workspace")
            except httpx.HTTPError as error:
                text = f"neither {here} nor {settings.public_url} answers ({type(error).__name__})"
                return [fail("api", text, "start one: santral api, or correct SANTRAL_PUBLIC_URL")]
            if answer.status_code == 401:
                return [ok("api", f"answers at {settings.public_url}")]
            text = f"{settings.public_url} answered {answer.status_code} where 401 was expected"
            return [fail("api", text, "is another program there? correct SANTRAL_PUBLIC_URL")]
    return [_checked("api", here, checks)]


def _checked(check: str, who: str, checks: Mapping[str, Any]) -> Finding:
    bad = [f"{name}: {one[0]['output']}" for name, one in checks.items() if one[0]["status"] != "pass"]
    if bad:
        return fail(check, f"{who}: {'; '.join(bad)}", "mend what it names; see its log")
    return ok(check, f"{who}: " + ", ".join(f"{name} {one[0]['output']}" for name, one in checks.items()))


async def _process(http: httpx.AsyncClient, row: Mapping[str, Any]) -> list[Finding]:
    check, who = str(row["process"]), f"pid {row['pid']} on {row['machine']}, {row['version']}"
    url = _reachable(str(row["health_url"] or ""), str(row["machine"]))
    if row["seen_s"] > SEEN_S:
        return [warn(check, f"{who}: not seen for {row['seen_s']:.0f} s", "it ended, or cannot reach the database: see its log")]
    if not url:
        return [ok(check, who)]
    try:
        answer = await http.get(f"{url}/healthz")
        checks = answer.json()["checks"]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        text = f"{who}: {url}/healthz does not answer ({type(error).__name__})"
        if row["machine"] == socket.gethostname():
            return [fail(check, text, "it hangs: see its log, then restart it")]
        return [warn(check, text, "is its port open from here? see its log")]
    found = [_checked(check, who, checks)]
    if row["version"] != release():
        found.append(warn(check, f"{who} is not this release ({release()})", "restart it after an upgrade"))
    if check == "gateway":
        found += await _spool(http, url)
    return found


async def _spool(http: httpx.AsyncClient, url: str) -> list[Finding]:
    try:
        text = (await http.get(f"{url}/metrics")).text
    except httpx.HTTPError:
        return []
    for family in text_string_to_metric_families(text):
        if family.name == "santral_spool_records":
            records = int(sum(sample.value for sample in family.samples))
            if records:
                return [
                    warn("spool", f"{records} records wait in a gateway's spool", "Kafka is away, or was until now: see its line")
                ]
            return [ok("spool", "empty")]
    return []


def _reachable(url: str, machine: str) -> str:
    """A health address as it can be asked from here: one that listens everywhere is asked by name."""
    parts = urlsplit(url)
    if parts.hostname not in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return url
    name = "127.0.0.1" if machine == socket.gethostname() else machine
    return urlunsplit(parts._replace(netloc=f"{name}:{parts.port}"))


def look_at_disks(settings: Settings, folder: Path | None) -> list[Finding]:
    """Free space where this machine keeps something of ours; folders on other machines are theirs to look at."""
    places = {path.resolve() for path in (folder, settings.blob_dir, settings.spool_dir) if path is not None and path.is_dir()}
    disks: dict[int, Path] = {}
    for path in sorted(places):
        disks.setdefault(path.stat().st_dev, path)
    found = []
    for path in disks.values():
        usage = shutil.disk_usage(path)
        text = f"{usage.free / 1024**3:.1f} GiB free of {usage.total / 1024**3:.1f} at {path}"
        found.append(
            graded(
                "disk", text, "free space, or move the folder", value=-usage.free, warn_at=-_FREE_BYTES[0], fail_at=-_FREE_BYTES[1]
            )
        )
    return found
