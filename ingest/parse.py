"""A request parsed where it can do no harm: at once when it is small and simple, else in a process that is killed at its time limit.

Parsing takes time linear in the bytes, but bytes differ by a hundred times: a mail of 8 KiB of nothing but addresses, tags or letters in no
charset would hold up the event loop for a third of a second. So what is parsed there is bounded in bytes and in steps (`steps.py`); who takes more
begins anew in the process.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from ingest.adapter import Parsed, Request, Target, Unparsed
from ingest.parse_worker import answer_of, question
from ingest.registry import adapter_for
from ingest.steps import TooManySteps, at_most
from shared.worker_process import LATE_S, WorkerProcesses

PACKED: Final = (b"tnef", b"winmail")
"""What stands in a mail that Outlook packed, whose rich text grows when it is read."""
INLINE_BYTES_MAX: Final = 8 * 1024
INLINE_LINES_MAX: Final = 1_000
INLINE_STEPS_MAX: Final = 2_000
"""Some ten milliseconds. An ordinary mail of 8 KiB takes half of it."""
TIME_LIMIT_S: Final = 30.0
TIME_LEAST_S: Final = 5.0
TIME_OF_MEGABYTE_S: Final = 1.0
"""A body has the least and this for each megabyte, the limit at most: what is small is never waited for as long as what is large."""
SMALL_BYTES_MAX: Final = 256 * 1024
WORKERS: Final = 2
"""For small bodies, and as many for larger ones, so that no small mail waits behind those."""
TOO_LONG: Final = "not parsed within"
_MARKED_BYTES: Final = 16 * 1024
_ANSWER_BYTES_MAX: Final = 512 * 1024 * 1024


class Parser:
    """Parses with the target's adapter. Use it as an async context, or call `close`; nothing is started before it is needed."""

    def __init__(self, *, workers: int = WORKERS, timeout_s: float = TIME_LIMIT_S) -> None:
        self._timeout_s = timeout_s
        self._small, self._large = (
            WorkerProcesses("ingest.parse_worker", workers=workers, timeout_s=timeout_s, answer_bytes_max=_ANSWER_BYTES_MAX)
            for _ in range(2)
        )

    async def __aenter__(self) -> Parser:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the processes; what is being parsed ends with `Unavailable`. Twice is allowed."""
        await self._small.close()
        await self._large.close()

    def is_late(self, target: Target) -> bool:
        """Whether a large body for it comes behind those for others."""
        return self._large.is_late(target.id)

    def limit_s(self, size: int) -> float:
        """How long a body of so many bytes may take."""
        return min(self._timeout_s, TIME_LEAST_S + TIME_OF_MEGABYTE_S * size / 2**20)

    async def parse(self, target: Target, request: Request) -> Sequence[Parsed]:
        """Every element of the request, in order; one `Unparsed` with all its bytes (for each inbox, where it is for every one) when it took too
        long or broke the process.

        One of a workspace is parsed at a time; what is for several of its inboxes is parsed once. What took too long is not tried again at once,
        also for another inbox, and its target comes behind the others. Nobody waits for who sent it: behind a relay all mail is of one sender.

        Raises what the adapter raises for a small one, and `Unavailable` when no process can be had: nothing was stored.
        """
        if is_small(request.body):
            with contextlib.suppress(TooManySteps), at_most(INLINE_STEPS_MAX):
                return adapter_for(target.provider).parse(target, request)
        size = len(request.body)
        limit_s, processes = self.limit_s(size), self._small if size <= SMALL_BYTES_MAX else self._large
        mark = _mark(request.body)
        if processes.is_late(mark):
            return whole(
                target, request, f"{TOO_LONG} {limit_s:.0f} seconds before, and not tried again for {LATE_S / 60:.0f} minutes"
            )
        blamed = (mark, target.id)
        # Somebody else may have ended the process (memory, an operator): only what ends two of them is at fault itself.
        for _ in range(2):
            try:
                said = await processes.ask(
                    *question(target, request), owners=(target.workspace_id,), blamed=blamed, timeout_s=limit_s
                )
                found = await answer_of(said, target, request.body)
            except TimeoutError:
                return whole(target, request, f"{TOO_LONG} {limit_s:.0f} seconds")
            except (ChildProcessError, ValueError):
                continue
            return found if not isinstance(found, str) else whole(target, request, not_understood(found))
        return whole(target, request, "the process that parsed it ended")


def _mark(body: bytes) -> bytes:
    """What tells one body from others, by its size and its ends: it is made in the event loop, however large the body is."""
    ends = body[:_MARKED_BYTES], body[-_MARKED_BYTES:]
    return blake2b(b"".join(ends), person=len(body).to_bytes(8, "big"), digest_size=16).digest()


def is_small(body: bytes) -> bool:
    """Whether it may be parsed in the event loop: few bytes, few lines (a header field is at least a line), nothing that is unpacked."""
    if len(body) > INLINE_BYTES_MAX or body.count(b"\n") > INLINE_LINES_MAX:
        return False
    lowered = body.lower()
    return not any(word in lowered for word in PACKED)


def whole(target: Target, request: Request, reason: str) -> list[Unparsed]:
    """The whole request, not understood: once, or for each inbox where it is for every one."""
    known = target.every or len(target.inboxes) == 1
    return [Unparsed(inbox=inbox, original=request.body, reason=reason) for inbox in (target.inboxes if known else (None,))]


def not_understood(kind: str) -> str:
    """The reason that stands in quarantine for an error nobody foresaw: its kind, never its words, which may be the customer's."""
    return f"not understood: {kind}"
