"""Drafts masked where it holds up nobody: at once when they are small, else in a process that is killed at its time limit.

Masking takes up to a microsecond a character of nothing but digits, a hundredth of that for words, and two seconds for the longest message
(`looks.py`). So what is long goes to a child (`shared/worker_process.py`), in its workspace's turn, and what is very long never stands before what
is not.
Only what may be masked goes to the child and comes back (MessagePack). What could not be masked in time is put off: nothing leaves here unmasked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

import msgspec

from ingest.adapter import Draft, Inbox, MaskNumbers, Part
from ingest.masking import MASKED_VALUES, masked_draft
from shared.errors import Unavailable
from shared.worker_process import WorkerProcesses, serve

IN_LOOP_BYTES_MAX: Final = 8 * 1024
"""Eight milliseconds of digits; ordinary words take half of one."""
SHORT_BYTES_MAX: Final = 256 * 1024
SHORT_TIME_LIMIT_S: Final = 5.0
TIME_LIMIT_S: Final = 30.0
RETRY_S: Final = 60
_ANSWER_BYTES_MAX: Final = 512 * 1024 * 1024
_NOBODY: Final = Inbox(workspace_id=UUID(int=0), id=UUID(int=0), name="", channel="", provider="")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Masked:
    """What may be masked of a draft, before or after."""

    numbers: MaskNumbers
    values: Mapping[str, str]
    parts: list[Part]
    original: bytes


class Masker:
    """Masks drafts as their inboxes say. Use it as an async context, or call `close`; nothing is started before it is needed."""

    def __init__(self, *, timeout_s: float = TIME_LIMIT_S, short_timeout_s: float = SHORT_TIME_LIMIT_S) -> None:
        self._short = _processes(workers=1, timeout_s=short_timeout_s)
        self._long = _processes(workers=2, timeout_s=timeout_s)

    async def __aenter__(self) -> Masker:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the processes; what is being masked ends with `Unavailable`. Twice is allowed."""
        await self._short.close()
        await self._long.close()

    async def masked(self, draft: Draft) -> Draft:
        """The draft without the numbers that its inbox masks. Raises `Unavailable` where that took too long, or no process can be had.

        Nothing is taken in then: whoever brought it has it still, and brings it again.
        """
        if not draft.inbox.mask_numbers:
            return draft
        size = _size(draft)
        if size <= IN_LOOP_BYTES_MAX:
            return masked_draft(draft)
        processes = self._short if size <= SHORT_BYTES_MAX else self._long
        # Somebody else may have ended the process (memory, an operator): only what ends two of them is at fault itself.
        for _ in range(2):
            try:
                said = await processes.ask(_question(draft), owners=(draft.inbox.workspace_id,))
                found = msgspec.msgpack.decode(said, type=_Masked)
            except TimeoutError:
                raise Unavailable("its numbers were not masked in time", retry_after_s=RETRY_S) from None
            except (ChildProcessError, ValueError):
                continue
            return replace(draft, values={**draft.values, **found.values}, parts=found.parts, original=found.original)
        raise Unavailable("the process that masked its numbers ended", retry_after_s=RETRY_S)


def _processes(*, workers: int, timeout_s: float) -> WorkerProcesses:
    return WorkerProcesses("ingest.masking_worker", workers=workers, timeout_s=timeout_s, answer_bytes_max=_ANSWER_BYTES_MAX)


def _size(draft: Draft) -> int:
    return sum(map(len, _texts(draft).values())) + sum(len(part.content) for part in draft.parts) + len(draft.original)


def _texts(draft: Draft) -> dict[str, str]:
    return {name: value for name in MASKED_VALUES if isinstance(value := draft.values.get(name), str)}


def _question(draft: Draft) -> bytes:
    kind = {"kind": "unparsed"} if draft.values.get("kind") == "unparsed" else {}
    asked = _Masked(
        numbers=draft.inbox.mask_numbers, values={**_texts(draft), **kind}, parts=list(draft.parts), original=draft.original
    )
    return msgspec.msgpack.encode(asked)


def answer(asked: bytes) -> bytes:
    """The child's answer."""
    given = msgspec.msgpack.decode(asked, type=_Masked)
    inbox = replace(_NOBODY, mask_numbers=given.numbers)
    done = masked_draft(Draft(inbox=inbox, external_id="", values=given.values, parts=given.parts, original=given.original))
    return msgspec.msgpack.encode(replace(given, values=done.values, parts=list(done.parts), original=done.original))


if __name__ == "__main__":
    serve(answer)
