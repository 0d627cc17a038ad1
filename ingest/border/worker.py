"""`evaluated` in processes that can be killed: no signature, record or name server holds up a mail for more than five seconds.

A mail goes to the child as it came, with its envelope (MessagePack), and the value of the field comes back. What takes too long, or ends
the child, is ``temperror``: nobody is believed for it, nobody denied, and the mail is taken. That is a mail's own doing only: an address has one
mail judged at a time, the wait for a process is no part of a mail's time, and one that no process looked at comes again.
**Units**: seconds.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from ingest.border.evaluation import Arrival, evaluated
from ingest.border.names import Names, NamesUnavailable
from shared.metrics import MAILS_JUDGED
from shared.shares import Share
from shared.worker_process import WorkerProcesses, serve

WORKERS: Final = 4
WAIT_S: Final = 60.0
"""Of the ten minutes that a sender waits after its mail's end (RFC 5321 §4.5.3.2.6)."""
UNDECIDED: Final = "dmarc=temperror"
_DMARC: Final = re.compile(r"\bdmarc=(\w+)")
_DNS_SHARE: Final = 0.8
"""Of the time for a mail: the rest is for what is made of the answers, so that those that came are told."""
_HEAD: Final = struct.Struct(">I")
_ANSWER_BYTES_MAX: Final = 100_000


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    nameserver: tuple[str, int] | None
    sealers: frozenset[str]
    dns_s: float
    mail_from: str
    helo: str
    peer: str


class EvaluatingBorder:
    """A pool of child processes that find out who wrote a mail. ``timeout_s`` is for one mail, ``wait_s`` for a free child before it.

    Use it as an async context, which starts the first child.
    """

    def __init__(
        self, authserv_id: str, *, nameserver: tuple[str, int] | None = None, sealers: frozenset[str] = frozenset(),
        workers: int = WORKERS, timeout_s: float = 5.0, wait_s: float = WAIT_S,
    ) -> None:  # fmt: skip
        self._authserv_id = authserv_id
        self._nameserver = nameserver
        self._sealers = sealers
        self._timeout_s = timeout_s
        self._processes = WorkerProcesses(
            "ingest.border.worker", workers=workers, timeout_s=timeout_s, wait_s=wait_s, answer_bytes_max=_ANSWER_BYTES_MAX
        )

    async def __aenter__(self) -> EvaluatingBorder:
        # Its imports are no part of the first mail's time. Raises `Unavailable` where no process can be started.
        await self._processes.ask()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._processes.close()

    async def results(self, content: Callable[[], bytes], *, mail_from: str, helo: str, peer: str, owners: Sequence[Share]) -> str:
        """The value of our Authentication-Results field. Raises `Unavailable` when no process looked at the mail: it has to come again."""
        asked = _Asked(
            nameserver=self._nameserver, sealers=self._sealers, dns_s=self._timeout_s * _DNS_SHARE, mail_from=_text(mail_from),
            helo=_text(helo), peer=peer,
        )  # fmt: skip
        head = msgspec.msgpack.encode(asked)
        try:
            said = (await self._processes.ask(_HEAD.pack(len(head)), head, content, owners=owners)).decode("ascii")
        except (TimeoutError, ChildProcessError, UnicodeError):
            said = UNDECIDED
        found = _DMARC.search(said)
        MAILS_JUDGED.labels(dmarc=found[1] if found else "none").inc()
        return f"{self._authserv_id}; {said}"


def _text(given: str) -> str:
    """Octets of an envelope that are no UTF-8 come as half surrogate pairs."""
    return given.encode("utf-8", "replace").decode()


@lru_cache(maxsize=1)
def _names(nameserver: tuple[str, int] | None) -> Names:
    return Names(nameserver)


def _answer(question: bytes) -> bytes:
    (size,) = _HEAD.unpack_from(question)
    asked = msgspec.msgpack.decode(question[_HEAD.size : _HEAD.size + size], type=_Asked)
    arrival = Arrival(content=question[_HEAD.size + size :], mail_from=asked.mail_from, helo=asked.helo, peer=asked.peer)
    try:
        names = _names(asked.nameserver)
    except NamesUnavailable:
        return UNDECIDED.encode()
    names.begin(asked.dns_s)
    return evaluated(arrival, names, sealers=asked.sealers).encode("ascii", "replace")


if __name__ == "__main__":
    serve(_answer)
