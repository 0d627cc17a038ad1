"""What agents and keys write, as it is stored and sent: without card numbers where the workspace masks cards.

Answers, their subjects, notes and reasons. What is stored is what goes out: a whole card number is nothing to send to anybody in a message
(PCI DSS 4.0.1, 4.2.2). Masking twice is masking once, so a call that is tried again writes the same. It is done before the transaction that
writes, so that rows are not held meanwhile.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final, TypeVar

from fastapi import Request

from ingest.payment_cards import CARD_DIGITS, masked_cards
from ingest.payment_cards_html import masked_cards_in_html
from services.api.principal import Principal
from shared.database import Connection

Written = TypeVar("Written", str, dict[str, Any])
IN_LOOP_CHARS_MAX: Final = 8 * 1024
"""Eight milliseconds of digits. Notes and reasons are shorter."""
_MASKS: Final = "select coalesce(settings->>'mask_numbers' = 'cards', false) from santral.workspace where id = $1"
_NO_WORDS: Final = frozenset({"files"})  # keys of stored files, which digits of a digest may be in
_ENOUGH_DIGITS: Final = re.compile(rf"(?:\D*+\d){{{CARD_DIGITS.start}}}")


async def masked_words(
    request: Request, principal: Principal, written: Written, *, allowed: Callable[[Connection], Awaitable[None]] | None = None
) -> Written:
    """A text, or a value with texts in it, as the workspace keeps it. What is long is masked beside the event loop, in the caller's turn.

    ``allowed`` is asked before what is long is masked, and raises what refuses it. Call it outside of a transaction: it begins its own.
    """
    texts = list(_texts(written))
    if not any(_ENOUGH_DIGITS.match(text) for text in texts):
        return written
    state, long = request.app.state, sum(map(len, texts)) > IN_LOOP_CHARS_MAX
    async with state.db.batch(principal.workspace_id) as connection:
        if not await connection.fetchval(_MASKS, principal.workspace_id):
            return written
        if long and allowed is not None:
            await allowed(connection)
    if not long:
        return _masked(written)  # type: ignore[no-any-return]
    async with state.thought_turns.of(principal):
        return await asyncio.to_thread(_masked, written)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            if key not in _NO_WORDS:
                yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _masked(value: Any, name: str = "") -> Any:
    if isinstance(value, str):
        return masked_cards_in_html(value) if name == "html" else masked_cards(value)
    if isinstance(value, Mapping):
        return {key: one if key in _NO_WORDS else _masked(one, key) for key, one in value.items()}
    if isinstance(value, list):
        return [_masked(one, name) for one in value]
    return value
