"""One line of `santral doctor`: what was looked at, how it stands, what is so, and what to do about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import asyncpg
import httpx

from shared.errors import SantralError, Unavailable

State = Literal["OK", "WARN", "FAIL"]
_KNOWN: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, httpx.HTTPError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """``remedy`` is empty where nothing is to be done."""

    check: str
    state: State
    text: str
    remedy: str = ""


def ok(check: str, text: str) -> Finding:
    """All is well."""
    return Finding(check=check, state="OK", text=text)


def warn(check: str, text: str, remedy: str) -> Finding:
    """It works, and somebody should look."""
    return Finding(check=check, state="WARN", text=text, remedy=remedy)


def fail(check: str, text: str, remedy: str) -> Finding:
    """It does not work, or soon will not."""
    return Finding(check=check, state="FAIL", text=text, remedy=remedy)


def graded(check: str, text: str, remedy: str, *, value: float, warn_at: float, fail_at: float) -> Finding:
    """By how large a value is."""
    if value >= fail_at:
        return fail(check, text, remedy)
    return warn(check, text, remedy) if value >= warn_at else ok(check, text)


async def examined(check: str, look: Callable[[], Awaitable[Sequence[Finding]]], remedy: str) -> Sequence[Finding]:
    """What a look found; what kept it from looking is a finding too."""
    try:
        return await look()
    except Unavailable as error:
        return [fail(check, error.message, remedy)]
    except SantralError as error:
        field = f"{error.field}: " if error.field else ""
        return [fail(check, f"{field}{error.message}", error.remedy or remedy)]
    except _KNOWN as error:
        return [fail(check, str(error).strip() or f"no answer ({type(error).__name__})", remedy)]
