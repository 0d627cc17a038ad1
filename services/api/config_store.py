"""Configuration between models and rows: SQLAlchemy Core, one small codec per kind.

A codec says which table, how a model becomes columns and how a row becomes a model. References by name are resolved here; what names
nothing is an error that names the field.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import Mapping
from typing import Any, Final, Protocol

import sqlalchemy as sa

from ingest.mailboxes import mailbox_of
from ingest.registry import adapter_for
from ingest.setting_formats import FORMATS, VOUCHES, addresses_in, wrong_in
from ingest.signatures import WHSEC
from ingest.tables import connection as connection_table
from ingest.tables import inbox as inbox_table
from router.workspace.tables import plan, queue, skill
from services.api.bounds import require_few_limited, require_light, weight_of
from services.api.config_context import Context, names_calendar, names_of_plan
from services.api.config_models import (
    ConnectionIn,
    ConnectionOut,
    InboxIn,
    InboxOut,
    QueueIn,
    QueueOut,
    SkillIn,
    SkillOut,
)  # fmt: skip
from services.api.plan_store import kept_plan, known_names, overflow_circle, require_unnamed, steps_of
from services.frame.egress import SETTING, is_providers
from shared.errors import Forbidden, Unprocessable
from shared.ids import new_id

VOUCHING_SCOPE: Final = "profiles:authenticate"


class Codec(Protocol):
    """One kind of configuration."""

    table: sa.Table
    model: type[Any]
    out: type[Any]

    async def columns(self, context: Context, given: Any, known: Mapping[str, Any] | None) -> dict[str, Any]: ...

    async def after(self, context: Context, one: Any, given: Any) -> None: ...

    async def removing(self, context: Context, known: Mapping[str, Any]) -> None: ...

    async def removed(self, context: Context, one: Any) -> None: ...

    async def unnamed(self, context: Context, name: str) -> None: ...

    async def shown(self, context: Context, row: Mapping[str, Any]) -> Any: ...


class Plain:
    """A kind whose columns are its fields. ``vouching``: by what it stands for somebody is believed, which would be free for another."""

    def __init__(self, table: sa.Table, model: type[Any], out: type[Any], *, dispatched: str = "", vouching: bool = False) -> None:
        self.table, self.model, self.out, self._dispatched, self._vouching = table, model, out, dispatched, vouching

    async def columns(self, context: Context, given: Any, known: Mapping[str, Any] | None) -> dict[str, Any]:
        values: dict[str, Any] = given.model_dump(mode="json")
        return {name: value for name, value in values.items() if name in self.table.c}

    async def after(self, context: Context, one: Any, given: Any) -> None:
        if self._dispatched:
            await context.tell_dispatch(self._dispatched, [one])

    async def removing(self, context: Context, known: Mapping[str, Any]) -> None:
        """Before it goes. Raises `Forbidden` where that is not the caller's to decide."""
        if self._vouching:
            require_voucher(context, "id")

    async def removed(self, context: Context, one: Any) -> None:
        if self._dispatched:
            await context.tell_dispatch(self._dispatched, [one])

    async def unnamed(self, context: Context, name: str) -> None:
        """When it is deleted or has another name, names are held. Raises `Conflict` where something still names it."""

    async def shown(self, context: Context, row: Mapping[str, Any]) -> Any:
        return self.out(**{name: row[name] for name in self.out.model_fields if name in row})


class Queues(Plain):
    """Queues; an overflow names another queue."""

    def __init__(self) -> None:
        super().__init__(queue, QueueIn, QueueOut, dispatched="queue")

    async def columns(self, context: Context, given: QueueIn, known: Mapping[str, Any] | None) -> dict[str, Any]:
        if given.overflow == given.name:
            raise Unprocessable("a queue cannot overflow into itself", field="overflow", remedy="name another queue")
        if given.overflow is not None:
            context.names(queue, given.overflow, "overflow")
        if given.items_max is not None and (known is None or known["items_max"] is None):
            await require_few_limited(context.connection, context.workspace_id, given.name)
        await _require_apart(context, given)
        names_calendar(context, given.calendar, "calendar")
        values = await super().columns(context, given, known) | {"overflow": given.overflow or ""}
        return values | await self._plan(context, given)

    async def _plan(self, context: Context, given: QueueIn) -> dict[str, Any]:
        """The plan as configured, and as items will carry it."""
        if given.plan is None:
            return {"routing": None, "plan": []}
        if isinstance(given.plan, str):
            steps = await steps_of(context.connection, context.workspace_id, given.plan)
            if steps is not None:
                context.names(plan, given.plan, "plan")
            else:
                context.warnings.append(f"there is no plan {given.plan} yet: until there is, only the queue's own agents are asked")
            return {"routing": given.plan, "plan": steps or []}
        checked = await kept_plan(context.connection, context.workspace_id, given.plan, path="plan.")
        names_of_plan(context, given.plan, path="plan.")
        context.warnings.extend(f"plan.{one}" for one in checked.warnings)
        return {"routing": given.plan.model_dump(mode="json"), "plan": list(checked.steps)}

    async def after(self, context: Context, one: Any, given: QueueIn) -> None:
        known = await known_names(context.connection, context.workspace_id)
        if given.enabled and not known.agents.get(given.name):
            context.warnings.append("no agent is a member: what comes here waits until one is, or overflows")
        circle = await overflow_circle(context.connection, context.workspace_id, given.name, given.overflow)
        if circle:
            context.warnings.append(f"overflow goes in a circle: {' → '.join(circle)}; an item overflows once, then it is given up")
        await super().after(context, one, given)

    async def unnamed(self, context: Context, name: str) -> None:
        await require_unnamed(context.connection, context.workspace_id, name)

    async def shown(self, context: Context, row: Mapping[str, Any]) -> QueueOut:
        return QueueOut(
            **{name: row[name] for name in QueueOut.model_fields if name in row and name not in ("overflow", "plan")},
            overflow=row["overflow"] or None, plan=row["routing"],
        )  # fmt: skip


async def _require_apart(context: Context, given: QueueIn) -> None:
    """Customers' work never overflows into bulk mail, nor bulk mail into a customers' queue, where it would be before somebody's turn."""
    if given.purpose == "bulk":
        for name in ("overflow", "plan", "targets_s"):
            if getattr(given, name):
                raise Unprocessable("a queue for bulk mail has none", field=name, remedy="leave it out")
    elif given.overflow is not None:
        named = sa.select(queue.c.purpose).where(queue.c.workspace_id == context.workspace_id, queue.c.name == given.overflow)
        if await context.connection.scalar(named) == "bulk":
            raise Unprocessable("nobody's turn comes in a queue for bulk mail", field="overflow", remedy="name another queue")


def new_secret() -> str:
    """A secret as Standard Webhooks writes them: 256 random bits."""
    return WHSEC + base64.b64encode(secrets.token_bytes(32)).decode()


def require_voucher(context: Context, field: str) -> None:
    """Raises `Forbidden` for who may not say who somebody is."""
    if not context.principal.has(VOUCHING_SCOPE):
        raise Forbidden(
            f"this decides who is believed to be whom, which needs the scope {VOUCHING_SCOPE}", field=field,
            remedy="ask an administrator",
        )  # fmt: skip


class Reached:
    """What connections and inboxes share: an adapter's settings, secrets that only go in, an unguessable address."""

    def __init__(self, table: sa.Table, part: str) -> None:
        self._table, self._part = table, part

    def check(self, context: Context, provider: str, settings: Mapping[str, Any], secrets_given: Mapping[str, str]) -> None:
        """Validates against the adapter's schema, and that credentials go to the provider. Raises `Unprocessable` naming the field."""
        schema = adapter_for(provider).settings_schema().get(self._part)
        if schema is None:
            raise Unprocessable(f"{provider} has no {self._part}", field="provider", remedy="name another provider")
        for name, value in secrets_given.items():
            if not value.strip():
                raise Unprocessable("empty", field=f"secrets.{name}", remedy="give one, or leave it out to keep what is set")
        for name, given in (("settings", settings), ("secrets", secrets_given)):
            for wrong in wrong_in(schema[name], given):
                where = f"{name}.{wrong.field}" if wrong.field else name
                if name == "secrets" and wrong.field:  # a validator's sentence about a value begins with the value
                    least = schema[name]["properties"].get(wrong.field, {}).get("minLength", 1)
                    raise Unprocessable("not acceptable", field=where, remedy=f"a text of at least {least} characters")
                raise Unprocessable(wrong.message, field=where, remedy=wrong.remedy or f"see the settings of {provider}")
        hosts = adapter_for(provider).hosts
        for name, address in addresses_in(schema["settings"], settings):
            if not is_providers(address, hosts, context.allowed):
                raise Unprocessable(
                    f"not an address of {provider}", field=f"settings.{name}",
                    remedy=f"https and one of {', '.join(sorted(hosts))}; others are the operator's to allow ({SETTING})",
                )  # fmt: skip

    def require_vouching(
        self, context: Context, provider: str, settings: Mapping[str, Any], secrets_given: Mapping[str, str],
        known: Mapping[str, Any] | None,
    ) -> None:  # fmt: skip
        """Raises `Forbidden` for who sets how senders are believed, and may not say themselves who somebody is.

        What settings leave out says so too: a mail to an inbox that names no border is taken as it comes. So nothing is made without that
        right, nor is an address, a provider or a connection taken off one and given to another.
        """
        properties = adapter_for(provider).settings_schema()[self._part]["settings"]["properties"]
        before = known["settings"] if known is not None else {}
        vouching = [f"secrets.{name}" for name in secrets_given]
        vouching += [
            f"settings.{name}" for name, one in properties.items() if one.get(VOUCHES) and settings.get(name) != before.get(name)
        ]
        vouching += ["provider"] if known is None or known["provider"] != provider else []
        if vouching:
            require_voucher(context, vouching[0])

    def sealed(self, context: Context, given: Mapping[str, str], known: Mapping[str, Any] | None) -> bytes | None:
        """Secrets given replace those of the same name; others stay."""
        before = context.sealer.open(known["secrets"]) if known is not None and known["secrets"] else {}
        return context.sealer.seal({**before, **given})

    def token(self, known: Mapping[str, Any] | None) -> str:
        """The unguessable address, kept for ever."""
        return str(known["path_token"]) if known is not None else secrets.token_urlsafe(24)

    async def require_light(self, context: Context, values: Mapping[str, Any], known: Mapping[str, Any] | None) -> None:
        """Raises `Unprocessable` where the workspace has no room for what this one has more than before."""
        field = next((f"settings.{name}" for name in ("aliases", "numbers") if values["settings"].get(name)), "address")
        await require_light(context.connection, context.workspace_id, now=weight_of(values), before=weight_of(known), field=field)

    def path(self, context: Context, row: Mapping[str, Any]) -> str | None:
        """Where its provider posts; whoever only reads the configuration is not told."""
        told = {"config:write", "messages:write", "admin"} & context.principal.scopes
        return f"/in/{row['path_token']}" if told else None

    def names(self, context: Context, row: Mapping[str, Any]) -> list[str]:
        """Which secrets are set."""
        return sorted(context.sealer.open(row["secrets"])) if row["secrets"] else []


class Connections(Plain):
    """Connections."""

    def __init__(self) -> None:
        super().__init__(connection_table, ConnectionIn, ConnectionOut, vouching=True)
        self._reached = Reached(connection_table, "connection")

    async def columns(self, context: Context, given: ConnectionIn, known: Mapping[str, Any] | None) -> dict[str, Any]:
        # Beside the loop: a thousand addresses with international domains are looked at letter by letter.
        await asyncio.to_thread(self._reached.check, context, given.provider, given.settings, given.secrets)
        self._reached.require_vouching(context, given.provider, given.settings, given.secrets, known)
        values = {
            **await super().columns(context, given, known),
            "secrets": self._reached.sealed(context, given.secrets, known),
            "path_token": self._reached.token(known),
            "updated_at": sa.func.clock_timestamp(),
        }
        await self._reached.require_light(context, values, known)
        return values

    async def shown(self, context: Context, row: Mapping[str, Any]) -> ConnectionOut:
        known = {name: row[name] for name in ConnectionOut.model_fields if name in row and name != "secrets"}
        return ConnectionOut(**known, secrets_set=self._reached.names(context, row), webhook_path=self._reached.path(context, row))


class Inboxes(Plain):
    """Inboxes."""

    def __init__(self) -> None:
        super().__init__(inbox_table, InboxIn, InboxOut, vouching=True)
        self._reached = Reached(inbox_table, "inbox")

    async def columns(self, context: Context, given: InboxIn, known: Mapping[str, Any] | None) -> dict[str, Any]:
        adapter = adapter_for(given.provider)
        # Beside the loop: a thousand addresses with international domains are looked at letter by letter.
        await asyncio.to_thread(self._reached.check, context, given.provider, given.settings, given.secrets)
        self._reached.require_vouching(context, given.provider, given.settings, given.secrets, known)
        channel = given.channel or adapter.channel
        if channel not in adapter.channels:
            raise Unprocessable(
                f"{given.provider} does not carry {channel}",
                field="channel",
                remedy=f"one of {', '.join(sorted(adapter.channels))}",
            )
        if channel == "email" and given.provider != "api":
            require_format("idn-email", given.address, "address")
        secrets_given = dict(given.secrets)
        if known is None and adapter.proof is not None and adapter.proof not in secrets_given:
            secrets_given[adapter.proof] = new_secret()
            context.made[adapter.proof] = secrets_given[adapter.proof]
        shared = None if given.connection is None else await context.id_of(connection_table, given.connection, "connection")
        # Tokens of a chat's visitors are meant for an inbox by its name.
        for name, now in (("name", given.name), ("connection_id", shared), ("address", given.address)):
            if known is not None and known[name] != now:
                require_voucher(context, name.removesuffix("_id"))
        values = {
            **await super().columns(context, given, known),
            "channel": channel,
            "connection_id": shared,
            **_mailbox(given, known),
            "secrets": self._reached.sealed(context, secrets_given, known),
            "path_token": self._reached.token(known),
            "updated_at": sa.func.clock_timestamp(),
        }
        await self._reached.require_light(context, values, known)
        return values

    async def shown(self, context: Context, row: Mapping[str, Any]) -> InboxOut:
        known = {name: row[name] for name in InboxOut.model_fields if name in row and name != "secrets"}
        return InboxOut(
            **known, connection=await context.name_of(connection_table, row["connection_id"]),
            secrets_set=self._reached.names(context, row), webhook_path=self._reached.path(context, row),
            widget_token=row["path_token"] if row["provider"] == "webchat" else None,
        )  # fmt: skip


def _mailbox(given: InboxIn, known: Mapping[str, Any] | None) -> dict[str, Any]:
    """Whose mail it gets: of an address that another inbox has, in whichever workspace, nobody gets a second (`inbox_mailbox_ix`)."""
    mailbox = mailbox_of(given.address) if given.provider == "smtp" and given.address else None
    if known is not None and known["mailbox"] == mailbox:
        return {}
    return {"mailbox": mailbox, "mailbox_at": None if mailbox is None else sa.func.clock_timestamp()}


def require_format(name: str, value: str | None, field: str) -> None:
    """Raises `Unprocessable` where a value is not of its format; one that is left out or empty is none."""
    if value and not FORMATS[name].takes(value):
        raise Unprocessable(FORMATS[name].message, field=field, remedy=FORMATS[name].remedy)


def codecs() -> dict[str, Codec]:
    """Every kind of configuration by the path it stands under."""
    return {
        "connections": Connections(),
        "inboxes": Inboxes(),
        "queues": Queues(),
        "skills": Plain(skill, SkillIn, SkillOut),
    }


def fresh_id(table: sa.Table) -> dict[str, Any]:
    """The id of a new row, where the kind has one."""
    return {"id": new_id()} if "id" in table.c else {}
