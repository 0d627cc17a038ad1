"""Configuration over REST: list, create, read, replace, delete; the same for every kind.

``If-Match: <version>`` guards a replacement and a removal. Every change is audited in its own transaction and effective within a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from enum import Enum
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ValidationError

from ingest.setting_formats import load_formats, wrong_in_workspace
from router.item.terms import terms_that_count
from services.api.audit import audit, changed
from services.api.bounds import BOUNDS, Weight, require_few_entries, require_few_keywords, require_light, require_room
from services.api.calendars import calendar_codecs
from services.api.caller_turns import CallerTurns
from services.api.config_context import Context
from services.api.config_models import Resource, WorkspaceIn, WorkspaceOut, WorkspaceSettings
from services.api.config_store import Codec, codecs, fresh_id, require_voucher
from services.api.document import located
from services.api.if_match import IfMatch, require_version
from services.api.lists import Cursor, Limit, Page, cursor_of, text, values_of
from services.api.people_store import people_codecs
from services.api.plan_store import tell_agents
from services.api.plans import plan_codecs
from services.api.principal import ConfigReader, ConfigWriter, Principal
from services.privacy.retention import RetentionClass
from services.schema.tables import workspace
from shared.errors import Conflict, Forbidden, NotFound, Unprocessable

_TAGS: Final[list[str | Enum]] = ["configuration"]
_MAILBOX: Final = "inbox_mailbox_ix"
_VOUCHING: Final = ("own_addresses", "profile", "region")
"""What of a workspace's settings says who somebody is: our own are nobody's, the rules of identity, the country of a number without one."""
_TRACES: Final[tuple[RetentionClass, ...]] = ("audit", "views")
TRACES_DAYS_MIN: Final = 30


def config_routes() -> APIRouter:
    """The router of all kinds and of the workspace itself."""
    router = APIRouter(prefix="/v1")
    for path, codec in {**codecs(), **people_codecs(), **calendar_codecs(), **plan_codecs()}.items():
        _add_reads(router, path, codec)
        _add_writes(router, path, codec)
        _add_removal(router, path, codec)
    _add_workspace(router)
    return router


def _match(codec: Codec, principal: Principal, key: str) -> Any:
    table = codec.table
    mine = table.c.workspace_id == principal.workspace_id
    if "id" not in table.c:
        return sa.and_(mine, table.c.name == key)
    try:
        return sa.and_(mine, table.c.id == UUID(key))
    except ValueError as error:
        raise NotFound(f"no such {table.name}", field="id", remedy="an id, as the list gives it") from error


async def _find(context: Context, codec: Codec, principal: Principal, key: str, *, lock: bool = False) -> Mapping[str, Any]:
    """The row; with ``lock`` nobody else changes it meanwhile.

    Who saves what refers to it, as agents to their queues, is not waited for: in masses they would keep everybody from changing it. Taking it
    away and naming it anew wait for them, by the statement that does so.
    """
    query = sa.select(codec.table).where(_match(codec, principal, key))
    found = (await context.connection.execute(query.with_for_update(key_share=True) if lock else query)).mappings().first()
    if found is None:
        raise NotFound(f"no such {codec.table.name}", field="id")
    return dict(found)


def _add_reads(router: APIRouter, path: str, codec: Codec) -> None:
    one, out = codec.table.name, codec.out

    async def list_all(request: Request, principal: ConfigReader, limit: Limit = 100, cursor: Cursor = None) -> Any:
        after = values_of(cursor, text)
        query = sa.select(codec.table).where(codec.table.c.workspace_id == principal.workspace_id)
        if after is not None:
            query = query.where(codec.table.c.name > after[0])
        async with _context(request, principal) as context:
            rows = (await context.connection.execute(query.order_by(codec.table.c.name).limit(limit + 1))).mappings().all()
            items = [await codec.shown(context, dict(row)) for row in rows[:limit]]
        return Page(items=items, next=cursor_of(rows[limit - 1]["name"]) if len(rows) > limit else None)

    async def read(request: Request, principal: ConfigReader, key: str) -> Any:
        async with _context(request, principal) as context:
            return await codec.shown(context, await _find(context, codec, principal, key))

    router.add_api_route(f"/{path}", list_all, methods=["GET"], response_model=Page[out], name=f"list_{path}", tags=_TAGS,  # type: ignore[valid-type]
                         summary=f"List {path}")  # fmt: skip
    router.add_api_route(f"/{path}/{{key}}", read, methods=["GET"], response_model=out, name=f"read_{one}", tags=_TAGS,
                         summary=f"Read a {one}")  # fmt: skip


def _add_writes(router: APIRouter, path: str, codec: Codec) -> None:
    one, model, out = codec.table.name, codec.model, codec.out

    async def create(request: Request, principal: ConfigWriter, body: Any, response: Response) -> Any:
        await asyncio.to_thread(load_formats)
        async with _saving(request, principal) as context:
            require_few_entries(body)
            await require_room(context.connection, principal.workspace_id, path, codec.table)
            values = fresh_id(codec.table) | await codec.columns(context, body, None)
            values["workspace_id"] = principal.workspace_id
            await _write(context, sa.insert(codec.table).values(values))
            key = values.get("id", values["name"])
            await codec.after(context, key, body)
            await context.hold_names()
            now = await codec.shown(context, await _find(context, codec, principal, str(key)))
            await audit(context.connection, principal, f"{one}.created", one, str(key), _changed(None, now, body))
            shown = _warned(context, now)
        request.app.state.hints.wake("config")
        request.app.state.hints.wake("dispatch")
        response.headers["location"] = f"/v1/{path}/{key}"
        return shown

    async def replace(request: Request, principal: ConfigWriter, key: str, body: Any, if_match: IfMatch = None) -> Any:
        await asyncio.to_thread(load_formats)
        async with _saving(request, principal) as context:
            known = await _find(context, codec, principal, key, lock=True)
            _require_version(if_match, known)
            before = await _readable(context, codec, known)
            require_few_entries(body)
            values = await codec.columns(context, body, known) | _mark_kept(body, known)
            # An agent's row has a version of its own for dispatch, which must see this change too.
            values |= {name: known[name] + 1 for name in ("version", "config_version") if name in codec.table.c}
            await _write(context, sa.update(codec.table).where(_match(codec, principal, key)).values(values))
            await codec.after(context, known.get("id", known["name"]), body)
            await context.hold_names()
            if known["name"] != body.name:
                await codec.unnamed(context, known["name"])
            found = await _find(context, codec, principal, key if "id" in codec.table.c else values["name"])
            now = await codec.shown(context, found)
            await audit(context.connection, principal, f"{one}.replaced", one, key, _changed(before, now, body))
            shown = _warned(context, now)
        request.app.state.hints.wake("config")
        request.app.state.hints.wake("dispatch")
        return shown

    create.__annotations__["body"] = model
    replace.__annotations__["body"] = model
    router.add_api_route(f"/{path}", create, methods=["POST"], response_model=out, status_code=201, name=f"create_{one}", tags=_TAGS,
                         responses=located(201), summary=f"Create a {one}",
                         description=f"A workspace has at most {BOUNDS[path]} {path}: one more is 422.")  # fmt: skip
    router.add_api_route(f"/{path}/{{key}}", replace, methods=["PUT"], response_model=out, name=f"replace_{one}", tags=_TAGS,
                         summary=f"Replace a {one}")  # fmt: skip


async def _readable(context: Context, codec: Codec, known: Mapping[str, Any]) -> BaseModel | None:
    """What stood there; None where an earlier release stored what this one cannot read, which may be replaced and deleted all the same."""
    try:
        shown: BaseModel = await codec.shown(context, known)
    except ValidationError:
        return None
    return shown


def _changed(before: BaseModel | None, after: BaseModel | None, given: Any = None) -> dict[str, Any]:
    """What the audit says of a change."""
    old, new = (None if one is None else one.model_dump(mode="json") for one in (before, after))
    return changed(old, new, secrets=list(getattr(given, "secrets", ())))


async def _write(context: Context, statement: sa.Insert | sa.Update) -> None:
    """Writes a row. Raises `Conflict` naming the field, where what is one's own only is another's: also another workspace's."""
    try:
        await context.connection.execute(statement)
    except sa.exc.IntegrityError as error:
        if _MAILBOX in str(error.orig):
            raise Conflict(
                "an inbox of this deployment has this address", field="address", remedy="give each address to one inbox"
            ) from error
        raise


def _warned(context: Context, shown: Any) -> Any:
    """What was written, with what its author should know of it, and the secrets that were made with it."""
    more = {"warnings": context.warnings, "secrets_made": context.made or None}
    return shown.model_copy(update={name: value for name, value in more.items() if name in type(shown).model_fields})


def _add_removal(router: APIRouter, path: str, codec: Codec) -> None:
    one = codec.table.name

    async def delete(request: Request, principal: ConfigWriter, key: str, if_match: IfMatch = None) -> Response:
        async with _saving(request, principal) as context:
            known = await _find(context, codec, principal, key, lock=True)
            _require_version(if_match, known)
            await codec.removing(context, known)
            before = await _readable(context, codec, known)
            try:
                async with context.connection.begin_nested():
                    await context.connection.execute(sa.delete(codec.table).where(_match(codec, principal, key)))
            except sa.exc.IntegrityError as error:
                raise Conflict(f"this {one} is in use", field="id", remedy="disable it, or remove what uses it first") from error
            await context.hold_names()
            await codec.unnamed(context, known["name"])
            await codec.removed(context, known.get("id", known["name"]))
            await audit(context.connection, principal, f"{one}.deleted", one, key, _changed(before, None))
        request.app.state.hints.wake("config")
        request.app.state.hints.wake("dispatch")
        return Response(status_code=204)

    router.add_api_route(f"/{path}/{{key}}", delete, methods=["DELETE"], status_code=204, name=f"delete_{one}", tags=_TAGS,
                         summary=f"Delete a {one}")  # fmt: skip


def _require_version(if_match: str | None, known: Mapping[str, Any]) -> None:
    require_version(if_match, known.get("config_version", known["version"]))


def _mark_kept(given: Resource, known: Mapping[str, Any]) -> dict[str, Any]:
    """Who changes by hand what a file made, and says nothing of the file's mark, leaves it there: by it the change is seen."""
    return {} if "managed_digest" in given.model_fields_set else {"managed_digest": known["managed_digest"]}


class _Opened:
    """A transaction of the caller's workspace as a codec's context."""

    def __init__(self, request: Request, principal: Principal) -> None:
        self._transaction = request.app.state.db.transaction(principal.workspace_id)
        self._principal = principal
        self._sealer = request.app.state.sealer
        self._allowed = request.app.state.allowed

    async def __aenter__(self) -> Context:
        connection = await self._transaction.__aenter__()
        return Context(connection=connection, principal=self._principal, sealer=self._sealer, allowed=self._allowed)

    async def __aexit__(self, *error: Any) -> Any:
        return await self._transaction.__aexit__(*error)


@asynccontextmanager
async def _saving(request: Request, principal: Principal) -> AsyncIterator[Context]:
    """To write in, in the caller's turn: who saves in masses waits behind themselves, with no connection, and not in the line at a row."""
    turns: CallerTurns = request.app.state.saving_turns
    async with turns.own(principal), _context(request, principal) as context:
        yield context


def _context(request: Request, principal: Principal) -> _Opened:
    return _Opened(request, principal)


def _settings(given: WorkspaceSettings, known: Mapping[str, Any]) -> dict[str, Any]:
    """The settings to store. A file written before there was a choice about marked mail, or about cards alone, does not make one."""
    values = given.model_dump(mode="json", exclude_unset=True)
    if known.get("mask_numbers") == "cards":
        values.setdefault("mask_numbers", "cards")
    if values.get("marked_mail") is None:
        values.pop("marked_mail", None)
        values |= {name: known[name] for name in ("marked_mail",) if name in known}
    return values


def _require_keeping(principal: Principal, given: WorkspaceSettings, known: Mapping[str, Any]) -> None:
    """What goes is gone for good, so an administrator says so; who did what, and who looked at whom, stays until others can have read it.

    Raises `Forbidden` where somebody without `admin` shortens how long a class is kept, `Unprocessable` for less than `TRACES_DAYS_MIN` of
    traces; what stands stays.
    """
    for name, days in given.retention.items():
        before = (known.get("retention") or {}).get(name)
        if before is not None and days >= before:
            continue
        if "admin" not in principal.scopes:
            raise Forbidden(
                f"only an administrator shortens {name}", field=f"settings.retention.{name}", remedy="ask an administrator"
            )
        if name in _TRACES and days < TRACES_DAYS_MIN:
            raise Unprocessable(
                "gone before anybody has read it", field=f"settings.retention.{name}", remedy=f"at least {TRACES_DAYS_MIN} days"
            )


def _add_workspace(router: APIRouter) -> None:
    def shown(row: Mapping[str, Any]) -> WorkspaceOut:
        return WorkspaceOut(
            id=row["id"], version=row["version"], name=row["name"], title=row["title"], managed_digest=row["managed_digest"],
            settings=WorkspaceSettings.model_validate({**row["settings"], "terms": terms_that_count(row["settings"])}),
        )  # fmt: skip

    @router.get("/workspace", tags=["configuration"])
    async def read_workspace(request: Request, principal: ConfigReader) -> WorkspaceOut:
        """The workspace's own settings."""
        async with _context(request, principal) as context:
            row = (await context.connection.execute(sa.select(workspace))).mappings().one()
        return shown(dict(row))

    @router.put("/workspace", tags=["configuration"])
    async def replace_workspace(
        request: Request, principal: ConfigWriter, body: WorkspaceIn, if_match: IfMatch = None
    ) -> WorkspaceOut:
        """Replaces the workspace's settings."""
        require_few_entries(body.settings, where="settings.")
        # Beside the loop: a thousand addresses with international domains are looked at letter by letter.
        for wrong in await asyncio.to_thread(lambda: list(wrong_in_workspace(body.settings.model_dump()))):
            raise Unprocessable(wrong.message, field=f"settings.{wrong.field}", remedy=wrong.remedy)
        await asyncio.to_thread(load_formats)
        async with _saving(request, principal) as context:
            known = (await context.connection.execute(sa.select(workspace).with_for_update(key_share=True))).mappings().one()
            _require_version(if_match, dict(known))
            before = shown(dict(known))
            _require_keeping(principal, body.settings, known["settings"])
            for name in _VOUCHING:
                if getattr(body.settings, name) != getattr(before.settings, name):
                    require_voucher(context, f"settings.{name}")
            require_few_keywords(body.settings.keywords, known["settings"].get("keywords"))
            listed, own = body.settings.own_addresses, known["settings"].get("own_addresses")
            await require_light(
                context.connection, context.workspace_id, now=Weight(own=len(listed)),
                before=Weight(own=len(own) if isinstance(own, list) else 0), field="settings.own_addresses",
            )  # fmt: skip
            values = {
                "title": body.title,
                "settings": _settings(body.settings, known["settings"]),
                "managed_digest": body.managed_digest,
                "version": known["version"] + 1,
            } | _mark_kept(body, dict(known))
            await context.connection.execute(sa.update(workspace).values(values))
            # What is usual for a channel, and the ramp, are read with every agent.
            await tell_agents(context.connection, context.workspace_id)
            now = shown(dict((await context.connection.execute(sa.select(workspace))).mappings().one()))
            details = _changed(before, now)
            await audit(context.connection, principal, "workspace.replaced", "workspace", str(principal.workspace_id), details)
        request.app.state.hints.wake("config")
        return now
