"""A chore over many: one that fails is said and stops no other; a dependency that is away is so for all."""

from __future__ import annotations

import pytest

from services.frame.rounds import each_alone
from shared.database import Contended, Overlong
from shared.errors import Conflict, Unavailable


async def halved(number: int) -> float:
    if number == 0:
        raise Conflict("somebody's words")
    if number == -2:
        raise Overlong("too much at once")
    if number < 0:
        raise Contended("again", retry_after_s=1)
    if number == 13:
        raise Unavailable("away")
    return 2 / number if number != 7 else 1 / 0


async def test_each_is_worked_on_whatever_the_others_raise(capsys: pytest.CaptureFixture[str]) -> None:
    assert await each_alone([0, -1, -2, 7, 2], halved, action="chore_waits") == [1.0]
    said = capsys.readouterr().out
    assert "ZeroDivisionError" in said
    assert "Contended" in said
    assert "somebody's words" not in said


async def test_what_is_away_is_away_for_all() -> None:
    with pytest.raises(Unavailable):
        await each_alone([2, 13, 2], halved, action="chore_waits")
