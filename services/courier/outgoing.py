"""Executing an adapter's call: HTTP through httpx, mail through the SMTP relay, nothing for a socket. One try, bounded in time.

Every result is an `Outcome`; a time-out or a refused connection is a retry, because the provider may be back in a moment.
"""

from __future__ import annotations

from typing import Final

import aiosmtplib
import httpx

from ingest.adapter import Adapter, Call, HttpCall, MailCall, Outcome
from services.courier.places import HEAVY, ROOM
from services.frame.egress import SETTING, Allowed, body_of, client, is_providers
from shared.errors import Forbidden

TIMEOUT_S: Final = 15.0
RESPONSE_BYTES_MAX: Final = 1024 * 1024


class Outgoing:
    """The courier's ways out. ``smtp_relay`` is ``host:port``; None: mail cannot be sent."""

    def __init__(self, *, smtp_relay: str | None, allowed: Allowed) -> None:
        self._smtp_relay = smtp_relay
        self._allowed = allowed
        self._http = client(allowed, timeout_s=TIMEOUT_S, connections=ROOM + HEAVY)

    async def close(self) -> None:
        """Closes the connections that are kept open."""
        await self._http.aclose()

    async def execute(self, adapter: Adapter, call: Call) -> Outcome:
        """One try of one call."""
        if isinstance(call, HttpCall):
            return await self._post(adapter, call)
        if isinstance(call, MailCall):
            return await self._mail(adapter, call)
        return Outcome(state="sent")

    async def _post(self, adapter: Adapter, call: HttpCall) -> Outcome:
        if not is_providers(call.url, adapter.hosts, self._allowed):
            return Outcome(
                state="failed", reason=f"the address is not {adapter.provider}'s own, and the operator allows no other ({SETTING})"
            )
        try:
            async with self._http.stream(call.method, call.url, headers=dict(call.headers), json=call.json) as response:
                body = await body_of(response, RESPONSE_BYTES_MAX)
        except Forbidden as error:
            return Outcome(state="failed", reason=str(error))
        except httpx.HTTPError as error:
            return Outcome(state="retry", reason=f"the provider cannot be reached: {type(error).__name__}")
        except httpx.InvalidURL as error:
            return Outcome(state="failed", reason=f"the address is not valid: {error}")
        headers = {name.lower(): value for name, value in response.headers.items()}
        return adapter.outcome(response.status_code, body, headers)

    async def _mail(self, adapter: Adapter, call: MailCall) -> Outcome:
        if self._smtp_relay is None:
            return Outcome(state="failed", reason="no mail relay is configured; set SANTRAL_SMTP_RELAY")
        host, _, port = self._smtp_relay.rpartition(":")
        try:
            errors, answer = await aiosmtplib.send(
                call.content, sender=call.envelope_from, recipients=list(call.recipients), hostname=host, port=int(port),
                timeout=TIMEOUT_S, start_tls=None, mail_options=["SMTPUTF8"] if call.needs_utf8 else None,
            )  # fmt: skip
        except aiosmtplib.SMTPRecipientsRefused as error:
            worst = max((refused.code for refused in error.recipients), default=550)
            return adapter.outcome(worst, str(error.recipients[0].message if error.recipients else error).encode(), {})
        except aiosmtplib.SMTPResponseException as error:
            return adapter.outcome(error.code, error.message.encode(), {})
        except aiosmtplib.SMTPNotSupported:
            # Only asked of a relay for such an address; waiting gives it no new ways.
            reason = "the mail relay does not offer SMTPUTF8, which an address with letters outside ASCII before its @ needs"
            return Outcome(state="failed", reason=reason)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            return Outcome(state="retry", reason=f"the mail relay cannot be reached: {type(error).__name__}")
        refused = "; ".join(f"{address} {response.code}" for address, response in errors.items())
        return Outcome(state="sent", reason=f"refused: {refused}" if refused else answer[:200])
