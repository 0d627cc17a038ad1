"""Logs: one human sentence a line with an ``action`` from a closed list and ids; JSON where a machine reads, colours for a person.

Never a body, a handle or a secret: only the fields listed here pass, everything else is replaced by its length. Ids say which; who
that is asks the API.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final, Literal, cast

import structlog

Action = Literal[
    "started", "stopping", "stopped", "ready", "not_ready", "restarted", "died", "configuration_stale", "configuration_read",
    "secret_unreadable", "replay_unchecked", "message_taken", "message_routed", "message_quarantined", "batch_retried", "fenced", "classifier_rests",
    "lease_taken", "lease_lost", "intake_stopped", "dependency_down", "dependency_back", "links_expired", "dispatch_reset", "item_escalated",
    "reply_tried", "receipt_unmatched", "deliveries_wait", "erasure_waits", "export_waits", "retention_waits",
    "profile_erased", "orphans_removed", "relay_waits", "chore_waits", "spooled", "spool_drained", "socket_opened",
    "socket_closed", "request_failed", "unknown_setting", "worker_failed", "mail_refused", "hint_ignored", "spool_cut",
    "not_understood", "session_failed", "session_ended",
]  # fmt: skip
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
    shown = [structlog.processors.format_exc_info, last] if form == "json" else [last]
    structlog.configure(
        processors=[*shared, *shown],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=[*_foreign(shared), *shown]))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    # aiokafka tells of every reconnect at ERROR; what it means for us is said by our own health and metrics.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    logging.getLogger("mail.log").setLevel(logging.ERROR)


def _foreign(shared: list[Any]) -> list[Any]:
    return [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *shared]


def get_log(name: str) -> structlog.stdlib.BoundLogger:
    """The module's logger."""
    return cast("structlog.stdlib.BoundLogger", structlog.get_logger(name))
