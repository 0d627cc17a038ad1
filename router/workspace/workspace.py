"""What intake knows of each workspace while it works: settings, the active policy, queues. Held in memory, replaced whole.

`router/workspace/configuration.py` watches for changes, `router/workspace/stored.py` reads; here is what it becomes.
**Units**: seconds. Identity: a workspace by its id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from router.calendars.calendar import ALWAYS, ROUND_THE_CLOCK_CALENDAR, Calendar
from router.calendars.hours import DEFAULT, calendar_of
from router.calendars.sla import Sla
from router.item.terms import terms_for
from router.policy.policy import NO_POLICY, Policy
from router.signals.signals import MarkedMail, Words, words_of
from router.waits.prediction import wait_of
from shared.database import Connection
from shared.errors import InputRejected, Unprocessable

CONTINUE_WITHIN_S: Final = 24 * 3600
REOPEN_WITHIN_S: Final = 3 * 24 * 3600
REPEAT_WITHIN_S: Final = 24 * 3600
REOPEN_BOOST_S: Final = 900

_FIGURES: Final = """
select p.workspace_id, q.name, p.waiting, p.oldest_s, p.online, p.per_s
from santral.queue_pace p join santral.queue q on q.workspace_id = p.workspace_id and q.id = p.queue_id and q.purpose <> 'bulk'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A queue as intake needs it; ``goals_s`` and ``targets_s`` by channel, ``plan`` as stored, ``calendar`` None: the default.

    ``purpose`` ``bulk``: mail to many from nobody we know; nobody waits in it.
    """

    id: UUID
    name: str
    goals_s: Mapping[str, Any] = field(default_factory=dict)
    targets_s: Mapping[str, Any] = field(default_factory=dict)
    plan: Sequence[Any] = ()
    calendar: str | None = None
    enabled: bool = True
    purpose: str = "customers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """One workspace's configuration. ``figures`` are the queues' measures, by name.

    ``marked_mail`` is ``aside`` where nothing is said, which is what a workspace without the setting has always done.
    """

    id: UUID
    settings: Mapping[str, Any]
    languages: tuple[str, ...] = ()
    words: Words = field(default_factory=words_of)
    marked_mail: MarkedMail = "aside"
    policy: Policy = NO_POLICY
    queues: Mapping[str, Queue] = field(default_factory=dict)
    inboxes: Mapping[UUID, str] = field(default_factory=dict)
    calendar: Calendar = field(default_factory=Calendar)
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    slas: Mapping[str, Sla] = field(default_factory=dict)
    plans: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    figures: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    continue_within_s: int = CONTINUE_WITHIN_S
    reopen_within_s: int = REOPEN_WITHIN_S
    repeat_within_s: int = REPEAT_WITHIN_S
    reopen_boost_s: int = REOPEN_BOOST_S

    def sticky_s(self, channel: str) -> float:
        """How long an item waits for the agent who had it."""
        return terms_for(channel, self.settings).sticky_s

    @property
    def bulk_queue(self) -> Queue | None:
        """Where mail to many from nobody we know goes: the first queue by name that is there for it; None: it is work like any other."""
        found = (self.queues[name] for name in sorted(self.queues))
        return next((queue for queue in found if queue.purpose == "bulk" and queue.enabled), None)

    def is_bulk(self, queue_id: UUID) -> bool:
        """Whether this queue is there for bulk mail."""
        return any(queue.id == queue_id and queue.purpose == "bulk" for queue in self.queues.values())

    def calendar_named(self, *names: str | None) -> Calendar:
        """The first of these calendars that exists, else the workspace's default one."""
        for name in names:
            if name == ALWAYS:
                return ROUND_THE_CLOCK_CALENDAR
            if name is not None and name in self.calendars:
                return self.calendars[name]
        return self.calendar

    def queue(self, name: str) -> Queue:
        """The queue of this name, else the policy's default, else one called "default", else the first by name.

        Raises `InputRejected` when the workspace has no queue that takes work.
        """
        for wanted in (name, self.policy.default_queue, NO_POLICY.default_queue):
            queue = self.queues.get(wanted)
            if queue is not None and queue.enabled:
                return queue
        # One for bulk mail is nobody's fallback: what comes there by accident would wait for nobody.
        for wanted in sorted(self.queues, key=lambda one: (self.queues[one].purpose == "bulk", one)):
            if self.queues[wanted].enabled:
                return self.queues[wanted]
        raise InputRejected("the workspace has no queue", field="queue", remedy="create a queue, then replay the message")


def workspace_of(
    workspace_id: UUID,
    settings: Mapping[str, Any],
    *,
    policy: Policy = NO_POLICY,
    queues: Sequence[Queue] = (),
    inboxes: Mapping[UUID, str] | None = None,
    calendars: Mapping[str, Calendar] | None = None,
    slas: Mapping[str, Sla] | None = None,
    plans: Mapping[str, Sequence[Any]] | None = None,
    figures: Mapping[str, Mapping[str, int]] | None = None,
) -> Workspace:
    """The configuration from stored settings. A setting that is not acceptable counts as not given: work goes on."""
    calendars = calendars or {}
    try:
        calendar = calendars.get(DEFAULT) or calendar_of(settings)
    except Unprocessable:
        calendar = Calendar()
    languages = tuple(dict.fromkeys(str(one)[:2].lower() for one in settings.get("languages") or ()))
    return Workspace(
        id=workspace_id, settings=settings, languages=languages, words=words_of(settings.get("keywords")),
        marked_mail="work" if settings.get("marked_mail") == "work" else "aside", policy=policy,
        queues={queue.name: queue for queue in queues}, inboxes=inboxes or {}, calendar=calendar,
        calendars=calendars, slas=slas or {}, plans=plans or {}, figures=figures or {},
        continue_within_s=_seconds(settings, "continue_within_s", CONTINUE_WITHIN_S),
        reopen_within_s=_seconds(settings, "reopen_within_s", REOPEN_WITHIN_S),
        repeat_within_s=_seconds(settings, "repeat_within_s", REPEAT_WITHIN_S),
        reopen_boost_s=_seconds(settings, "reopen_boost_s", REOPEN_BOOST_S),
    )  # fmt: skip


async def read_figures(connection: Connection) -> dict[UUID, dict[str, dict[str, int]]]:
    """``queue['name'].*`` as rules see it, as they were measured last; the expected wait is a newcomer's, where the pace is known."""
    figures: dict[UUID, dict[str, dict[str, int]]] = {}
    for row in await connection.fetch(_FIGURES):
        known = {"waiting": row["waiting"], "oldest_s": int(row["oldest_s"]), "agents_online": row["online"]}
        wait = wait_of(row["waiting"] + 1, row["per_s"])
        if wait is not None:
            known |= {"expected_wait_s": round(wait.p50_s), "expected_wait_p90_s": round(wait.p90_s)}
        figures.setdefault(row["workspace_id"], {})[row["name"]] = known
    return figures


def _seconds(settings: Mapping[str, Any], name: str, default: int) -> int:
    value = settings.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else default
