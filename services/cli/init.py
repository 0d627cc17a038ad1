"""`santral init`: a workspace with default roles and its first admin key, printed once. It writes with the worker role's address."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

import typer

from services.api.workspaces import AdminKey, add_admin_key, make_workspace
from services.cli.console import say
from services.frame.process import require_revision
from services.frame.settings import read_settings
from shared.database import Database


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("init", help="Make a workspace with default roles and its first admin key (SANTRAL_DATABASE_WORKER_URL).")
    def command(
        name: Annotated[str, typer.Option(help="The workspace's name.")] = "default",
        title: Annotated[str, typer.Option(help="How people read it.")] = "",
        new_key: Annotated[bool, typer.Option("--new-key", help="The workspace exists: make another admin key for it.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        made = asyncio.run(_make(read_settings().database("worker"), name, title, new_key=new_key))
        if as_json:
            say(json.dumps({"workspace": made.workspace, "workspace_id": str(made.workspace_id), "api_key": made.key}))
            return
        say(f"Workspace {made.workspace} ({made.workspace_id})\nAdmin key, shown only now: {made.key}")


async def _make(url: str, name: str, title: str, *, new_key: bool) -> AdminKey:
    db = await Database.open(url, name="init", pool_size=1)
    try:
        await require_revision(db)
        return await (add_admin_key(db, workspace=name) if new_key else make_workspace(db, name=name, title=title))
    finally:
        await db.close()
