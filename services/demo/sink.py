"""Where the demo's outgoing mail ends: a small SMTP listener that keeps the last hundred mails in a file the shop page shows.

Source: RFC 5321. Format: one JSON object a line, oldest first: ``at``, ``from``, ``to``, ``subject``, ``text``, ``message_id``,
``in_reply_to``, ``references``, and ``raw`` (the mail as it came, at most 64 kB). It takes any recipient and delivers nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any, Final

from aiosmtpd.smtp import SMTP, Envelope, Session

from shared.embedded.folder import write_private

MAILS_MAX: Final = 100
RAW_CHARS_MAX: Final = 65536
MAIL_BYTES_MAX: Final = 30 * 1024 * 1024


class Sink:
    """The mails of one file. Its listener runs on the loop that calls :meth:`listen`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: deque[str] = deque(self._kept(), maxlen=MAILS_MAX)

    def _kept(self) -> list[str]:
        try:
            return self._path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []

    async def listen(self, host: str, port: int) -> asyncio.Server:
        """Opens the listener. Raises ``OSError`` when the port is taken."""

        def protocol() -> Any:
            return SMTP(
                self, data_size_limit=MAIL_BYTES_MAX, enable_SMTPUTF8=True, hostname="sink", ident="Santral demo sink",
                loop=asyncio.get_running_loop(),
            )  # fmt: skip

        return await asyncio.get_running_loop().create_server(protocol, host, port)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """aiosmtpd's hook: keeps the mail; it is in the file when the sender hears 250."""
        content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content or "").encode()
        self._lines.append(json.dumps(summary(content, envelope.mail_from or "", list(envelope.rcpt_tos)), ensure_ascii=False))
        write_private(self._path, "\n".join(self._lines) + "\n")
        return "250 2.0.0 kept"


def summary(content: bytes, mail_from: str, recipients: list[str]) -> dict[str, Any]:
    """What the shop page shows of a mail."""
    mail = BytesParser(EmailMessage, policy=policy.default).parsebytes(content)
    body = mail.get_body(preferencelist=("plain", "html"))
    return {
        "at": datetime.now(UTC).isoformat(),
        "from": str(mail.get("From", mail_from)),
        "to": ", ".join(recipients),
        "subject": str(mail.get("Subject", "")),
        "text": body.get_content() if body is not None else "",
        "message_id": str(mail.get("Message-ID", "")),
        "in_reply_to": str(mail.get("In-Reply-To", "")),
        "references": str(mail.get("References", "")),
        "raw": content.decode("utf-8", "replace")[:RAW_CHARS_MAX],
    }
