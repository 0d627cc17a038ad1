"""`santral gateway|router|api|courier`: one process, in the foreground, with settings from the environment."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from typing import Annotated, Final

import typer
import uvloop

from services.frame.settings import Settings, read_settings
from shared.logs import configure_logs

MODULES: Final = {
    "gateway": ("services.gateway.process", "Take messages in: webhooks and SMTP."),
    "router": ("services.router.process", "Decide: which conversation, which queue, which agent."),
    "api": ("services.api.process", "Serve REST, sockets, pages."),
    "courier": ("services.courier.process", "Send: replies to providers, events to the log."),
}
Strict = Annotated[bool, typer.Option("--strict", help="An unknown SANTRAL_ variable is an error.")]


def register(app: typer.Typer) -> None:
    """Adds the four commands."""
    for name, (module, summary) in MODULES.items():
        app.command(name, help=summary)(_command(name, module))


def _command(name: str, module: str) -> Callable[..., None]:
    def command(strict: Strict = False) -> None:
        settings = read_settings(strict=strict)
        configure_logs(name, form=settings.log_form, level=settings.log_level)
        # Loaded here, so that a process carries the libraries of its own work only.
        run: Callable[[Settings], Awaitable[None]] = importlib.import_module(module).run

        async def running() -> None:
            await run(settings)

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(running())

    return command
