"""Our listener as the mail border: who says of a mail's sender what stands in its topmost Authentication-Results field.

Source: RFC 8601 §2.2. What is said is believed by every inbox that names no border of its own (`process.py`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from ingest.border.worker import EvaluatingBorder
from services.frame.mail_border import MailBorder
from services.gateway.trace_fields import from_domain
from shared.shares import Share


class Border(Protocol):
    """Whoever judges a mail while its sender waits for the answer."""

    async def results(self, content: Callable[[], bytes], *, mail_from: str, helo: str, peer: str, owners: Sequence[Share]) -> str:
        """The value of our field: ``authserv-id; results``. ``content`` is the mail, read when its turn has come; ``peer`` is the sending server's
        address, ``owners`` whose that is.

        Raises `Unavailable` where nobody could look at the mail now: it was not judged, and has to come again.
        """
        ...


class TrustingBorder:
    """Passes everybody for whom they say they are: for one's own machine, where every mail is one's own (SANTRAL_TRUST_ALL_MAIL_AS)."""

    def __init__(self, authserv_id: str) -> None:
        self._authserv_id = authserv_id

    async def results(self, content: Callable[[], bytes], *, mail_from: str, helo: str, peer: str, owners: Sequence[Share]) -> str:
        return f"{self._authserv_id}; dmarc=pass header.from={from_domain(content()).decode('utf-8', 'replace')}"


@asynccontextmanager
async def border_of(asked: MailBorder) -> AsyncIterator[Border]:
    """The border that the settings ask for, ready; its processes end with the context."""
    if not asked.evaluates:
        yield TrustingBorder(asked.authserv_id)
        return
    async with EvaluatingBorder(asked.authserv_id, nameserver=asked.nameserver, sealers=asked.sealers) as border:
        yield border
