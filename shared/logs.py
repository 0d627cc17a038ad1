"""Logs: one human sentence a line with an ``action`` from a closed list and ids; JSON where a machine reads, colours for a person.

Never a body, a handle or a secret: only the fields listed here pass, everything else is replaced by its length. Ids say which; who
that is asks the API. A traceback shows where and of which kind, with our own errors' words only: a driver's or a parser's quote the row
or the input at fault. What libraries log comes as they wrote the sentence, without what they put into it.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator, MutableMapping
from typing import Any, Final, Literal, cast

import structlog

from shared.errors import SantralError

Action = Literal[
    "started", "stopping", "stopped", "ready", "not_ready", "throttled", "restarted", "died", "configuration_stale", "configuration_read",
    "secret_unreadable", "replay_unchecked", "message_taken", "message_routed", "message_quarantined", "batch_retried", "fenced", "classifier_rests",
    "lease_taken", "lease_lost", "intake_stopped", "limit_forgiven", "witness_refused",
    "dependency_down", "dependency_back", "links_expired", "dispatch_reset", "dispatch_aside",
    "item_escalated",
    "reply_tried", "receipt_unmatched", "deliveries_wait", "erasure_waits", "export_waits", "retention_waits",
    "profile_erased", "orphans_removed", "relay_waits", "chore_waits", "spooled", "spool_drained", "socket_opened",
    "socket_closed", "request_failed", "unknown_setting", "worker_failed", "mail_refused", "visitor_apart", "hint_ignored", "spool_cut",
    "not_understood", "session_failed", "session_ended", "few_descriptors",
]  # fmt: skip
_CHAIN_MAX: Final = 10
_FIELDS: Final = frozenset(
    [
        "event",
        "level",
        "timestamp",
        "logger",
        "process",
        "action",
        "error",
        "exception",
        "exc_info",
        "id",
        "workspace",
        "conversation",
        "message",
        "item",
        "agent",
        "inbox",
        "channel",
        "target",
        "delivery",
        "offer",
        "queue",
        "partition",
        "topic",
        "offset",
        "epoch",
        "slot",
        "count",
        "attempts",
        "state",
        "reason",
        "status",
        "method",
        "path",
        "took_ms",
        "request_id",
        "pid",
        "port",
        "url",
        "name",
        "setting",
        "nearest",
        "kind",
        "host",
        "code",
        "slots",
        "events",
        "records",
        "retry_after_s",
        "revision",
        "signal",
        "provider",
    ]
)


def _only_known(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name in list(fields):
        if name not in _FIELDS:
            fields[name] = f"<{len(str(fields[name]))} characters>"
    return fields


def described(error: BaseException) -> str:
    """An error's kind, and its words where they are ours or the operating system's; else how long they are."""
    kind, words = type(error).__qualname__, str(error)
    if isinstance(error, SantralError):
        return f"{kind}: {words}"
    if isinstance(error, OSError) and error.strerror:
        return f"{kind}: {error.strerror}"
    state = getattr(error, "sqlstate", None)
    return f"{kind}{f' {state}' if state else ''}: <{len(words)} characters>" if words else kind


def _traceback(exc_info: Any) -> str:
    return "".join(_told(exc_info[1], _CHAIN_MAX)).rstrip()


def _told(error: BaseException, left: int) -> Iterator[str]:
    """From the first cause to what was raised last; at most ``left`` errors deep."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and left:
        yield from _told(before, left - 1)
        yield "\nand then\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{described(error)}\n"
    if isinstance(error, BaseExceptionGroup) and left:
        for one in error.exceptions:
            yield from _told(one, left - 1)


def _first_line(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Of what libraries say: behind its first line asyncio quotes the error."""
    fields["event"] = str(fields["event"]).partition("\n")[0]
    return fields


def configure_logs(process: str, *, form: Literal["json", "console"] = "json", level: str = "info") -> None:
    """Sets logging up once, in `main()`; libraries' own records come out in the same form."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _only_known,
    ]
    last: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
    )
    shown = [structlog.processors.ExceptionRenderer(_traceback), last]
    structlog.configure(
        processors=[*shared, *shown],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=[*_foreign(shared), *shown], use_get_message=False))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    quiet_libraries()


def quiet_libraries() -> None:
    """Keeps to themselves what libraries say of what our own errors, health and metrics say; for commands, too, which set no logging up."""
    # aiokafka tells at ERROR of every reconnect, and of a topic that was made a moment ago and is looked for until it is there.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    logging.getLogger("mail.log").setLevel(logging.ERROR)


def _foreign(shared: list[Any]) -> list[Any]:
    return [structlog.stdlib.ProcessorFormatter.remove_processors_meta, _first_line, *shared]


def get_log(name: str) -> structlog.stdlib.BoundLogger:
    """The module's logger."""
    return cast("structlog.stdlib.BoundLogger", structlog.get_logger(name))
