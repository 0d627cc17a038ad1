"""Who outside the deployment is sent personal data, by workspace: to what host, for what, which data, and whether that is abroad.

Read from what is configured, and from what providers say (`recipients.py`); no name is looked up and nobody is asked. The operator's own
servers (database, brokers, relay, classifier) stand with their host: where they are, the operator knows.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from urllib.parse import urlsplit

from ingest.registry import adapters
from services.doctor.database import opened
from services.doctor.recipients import AS_OF, KNOWN, is_abroad, rule_for
from services.frame.settings import Settings
from shared.database import Database

HERE: Final = "this machine"
OPERATORS: Final = "where the operator says"
_ANSWERS: Final = "answers and their files, with the customer's address there; what customers write there comes from it"
_CONFIGURED: Final = """
select w.name as workspace, w.settings->>'region' as region, i.name, i.provider, i.enabled,
       coalesce(nullif(i.settings->>'graph_url', ''), nullif(c.settings->>'graph_url', '')) as url
from santral.workspace w
left join santral.inbox i on i.workspace_id = w.workspace_id
left join santral.connection c on c.workspace_id = i.workspace_id and c.id = i.connection_id
order by w.name, i.provider, i.name
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Who is sent something. ``countries`` are two letters each, where somebody says them; ``abroad`` is None where nobody can tell."""

    recipient: str
    hosts: tuple[str, ...]
    purpose: str
    data: str
    inboxes: tuple[str, ...] = ()
    where: str = OPERATORS
    countries: tuple[str, ...] = ()
    abroad: bool | None = None
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A workspace and whom its customers' data goes to. ``rule`` is about transfers abroad, where we know its region's."""

    workspace: str
    region: str | None
    rule: str
    recipients: tuple[Recipient, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """``deployment`` holds the data of all workspaces: the operator's own servers. ``as_of``: when providers' words were last read."""

    as_of: date
    deployment: tuple[Recipient, ...]
    workspaces: tuple[Place, ...]


async def where_data_goes(settings: Settings) -> Map:
    """Everybody, as configured now. Raises what opening the database raises."""
    async with opened(settings, "worker") as db:
        return Map(
            as_of=AS_OF, deployment=tuple(_own_servers(settings)), workspaces=await _places(settings, db),
        )  # fmt: skip


async def _places(settings: Settings, db: Database) -> tuple[Place, ...]:
    async with db.session() as connection:
        rows = [dict(row) for row in await connection.fetch(_CONFIGURED)]
    found = []
    for name in dict.fromkeys(row["workspace"] for row in rows):
        own = [row for row in rows if row["workspace"] == name]
        region = own[0]["region"]
        inboxes = [row for row in own if row["provider"] is not None]
        told = tuple(_recipients(settings, region, inboxes))
        found.append(Place(workspace=name, region=region, rule=rule_for(region), recipients=told))
    return tuple(found)


def _recipients(settings: Settings, region: str | None, inboxes: Sequence[Mapping[str, Any]]) -> Iterator[Recipient]:
    groups: dict[tuple[str, str], list[str]] = {}
    for row in inboxes:
        groups.setdefault((row["provider"], row["url"] or ""), []).append(
            row["name"] if row["enabled"] else f"{row['name']} (disabled)"
        )
    for (provider, url), names in groups.items():
        if provider == "smtp" and settings.smtp_relay:
            yield _relay(settings.smtp_relay, tuple(names))
        else:
            yield from _provider(region, provider, url, tuple(names))
    if inboxes and settings.classifier_url:
        yield _at(
            "classifier", urlsplit(settings.classifier_url).hostname or "", purpose="labels, urgency and spam of messages",
            data="subject and text of customers' messages, with channel and language",
        )  # fmt: skip


def _relay(relay: str, names: tuple[str, ...]) -> Recipient:
    """The relay stands for whoever it hands mail to: a mail goes to the customer's own provider, wherever that is."""
    return _at(
        "mail relay, and the customers' mail providers behind it", relay.rpartition(":")[0].strip("[]"), purpose="answers by mail",
        data="answers and their files, with the customer's name and address", inboxes=names,
    )  # fmt: skip


def _provider(region: str | None, provider: str, url: str, names: tuple[str, ...]) -> Iterator[Recipient]:
    adapter, known = adapters().get(provider), KNOWN.get(provider)
    provider_hosts = adapter.hosts if adapter is not None else frozenset()
    host = urlsplit(url).hostname
    if host is not None and host not in provider_hosts:
        yield _at(provider, host, purpose="answers over this channel", data=_ANSWERS, inboxes=names)
    elif known is not None:
        yield Recipient(
            recipient=known.name, hosts=(host,) if host else tuple(sorted(provider_hosts)), purpose="answers over this channel",
            data=_ANSWERS, inboxes=names, countries=known.countries,
            where=", ".join(known.countries) + (", among others" if known.among_others else ""),
            abroad=is_abroad(region, known.countries, among_others=known.among_others), source=known.source,
        )  # fmt: skip
    elif provider_hosts or adapter is None:
        yield Recipient(
            recipient=provider, hosts=tuple(sorted(provider_hosts)), purpose="answers over this channel", data=_ANSWERS,
            inboxes=names, where="nobody said: ask whoever wrote this channel",
        )  # fmt: skip


def _own_servers(settings: Settings) -> Iterator[Recipient]:
    database = urlsplit(settings.database("worker")).hostname or ""
    yield _at("database", database, purpose="everything is kept there", data="messages, customers, agents, configuration")
    for broker in settings.kafka_bootstrap_servers.split(","):
        if broker.strip():
            host = broker.strip().rpartition(":")[0].strip("[]")
            yield _at(
                "Kafka", host, purpose="messages on their way, and the log", data="messages with who wrote them, for seven days"
            )


def _at(recipient: str, host: str, *, purpose: str, data: str, inboxes: tuple[str, ...] = ()) -> Recipient:
    """Somebody at a host of the operator's choice."""
    where = HERE if _is_here(host) else OPERATORS
    return Recipient(
        recipient=recipient, hosts=(host,) if host else (), purpose=purpose, data=data, inboxes=inboxes, where=where,
        abroad=False if where == HERE and recipient in ("database", "Kafka", "classifier") else None,
    )  # fmt: skip


def _is_here(host: str) -> bool:
    """Whether a host is this very machine, as it is written: a socket, loopback, or its name."""
    if not host or host.startswith("/") or host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
