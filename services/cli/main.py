"""`santral`: the list of verbs, and how errors look at a console.

A known error is one line on standard error and exit status 1, a wrong use is 2, Ctrl-C is 130. Tracebacks appear with ``--debug`` only.
A new verb is a module with `register(app)` and a line in `VERBS`.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from typing import Annotated, Final

import typer

from services.cli.console import plain, say
from shared.embedded.errors import EmbeddedError
from shared.errors import SantralError
from shared.hosts import release
from shared.logs import described, quiet_libraries

VERBS: Final = {
    "serve": "services.cli.serve",
    "init": "services.cli.init",
    "migrate": "services.cli.migrate",
    "topics": "services.cli.topics",
    "gateway": "services.cli.processes",
    "router": "services.cli.processes",
    "api": "services.cli.processes",
    "courier": "services.cli.processes",
    "apply": "services.cli.workspace",
    "export": "services.cli.workspace",
    "deadline": "services.cli.deadline",
    "quarantine": "services.cli.quarantine",
    "policy": "services.cli.policy",
    "decisions": "services.cli.decisions",
    "profiles": "services.cli.profiles",
    "retention": "services.cli.retention",
    "asyncapi": "services.cli.asyncapi",
    "ingest": "services.cli.ingest",
    "doctor": "services.cli.doctor",
    "traffic": "services.cli.traffic",
    "simulate": "services.cli.simulate",
    "staffing": "services.cli.staffing",
}
"""The module of each verb. Only the one that is asked for is loaded, so that no process carries what another verb needs."""


def _version(asked: bool) -> None:
    if asked:
        say(f"santral {release()}")
        raise typer.Exit


def create_app(verb: str | None = None) -> typer.Typer:
    """The whole command line, or the part of it that has ``verb``."""
    app = typer.Typer(
        name="santral",
        help="Omnichannel message routing for customer service.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def options(
        debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
        version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
    ) -> None:
        """Omnichannel message routing for customer service: every channel, one customer, the right agent, and the reason why."""

    for module in dict.fromkeys([VERBS[verb]] if verb in VERBS else VERBS.values()):
        importlib.import_module(module).register(app)
    return app


def main() -> None:
    """The entry point ``santral``."""
    debug = "--debug" in sys.argv[1:]
    quiet_libraries()
    try:
        create_app(next((word for word in sys.argv[1:] if not word.startswith("-")), None))()
    except Exception as error:  # the console's edge: a person reads this, not a debugger
        if debug:
            traceback.print_exc()
        print(plain(f"santral: {sentence(error)}"), file=sys.stderr)
        sys.exit(1)


def sentence(error: BaseException) -> str:
    """What a person reads of an error."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, SantralError | EmbeddedError):
        return str(error)
    return f"something unforeseen went wrong ({described(error)}); --debug shows where."


if __name__ == "__main__":
    main()
