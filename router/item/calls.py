"""Messages that are telephone calls, and the kind of work they make. Pure.

A call cannot be answered in writing: where it stands beside words, the words say who is answered and how.
"""

from __future__ import annotations

from typing import Final, Literal

CALLS: Final = ("call", "missed_call", "voicemail")
"""Kinds of messages; a voicemail's caller was not reached, whoever answered before it."""
MISSED: Final = ("missed_call", "voicemail")


def kind_of_work(message_kind: str, handle_kind: str | None) -> Literal["callback", "conversation"]:
    """What an item that a message opens is: a call-back only where there is a number, not for who called without one."""
    return "callback" if message_kind in MISSED and handle_kind not in (None, "visitor") else "conversation"
