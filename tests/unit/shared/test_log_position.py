"""Which log is the one that was read: by what it holds at the position, and by nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from shared.kafka import Fetched
from shared.log_position import Mark, Position, State, compared, look, mark_of, said

READ = Fetched(partition=3, offset=9, key=b"k", value=b"v", headers=(), timestamp_ms=1_790_000_000_123)
MARK = mark_of(READ)


@pytest.mark.parametrize(
    ("next_offset", "mark", "bounds", "found", "state", "records"),
    [
        (10, MARK, (0, 10), READ, "same", 0),
        (10, MARK, (9, 400), READ, "same", 0),
        (10, MARK, (0, 400), replace(READ, value=b"w"), "another", 0),  # made anew, with more records than were read
        (10, MARK, (0, 400), replace(READ, timestamp_ms=READ.timestamp_ms + 1), "another", 0),
        (10, MARK, (0, 400), replace(READ, offset=10), "another", 0),  # an offset that is no record in this log
        (10, MARK, (0, 400), None, "another", 0),
        (10, MARK, (0, 4), None, "another", 6),  # made anew, with fewer
        (10, MARK, (0, 0), None, "another", 10),  # made anew, empty
        (10, MARK, (10, 10), None, "unknown", 0),  # everything has run out, and nothing came
        (10, MARK, (10, 30), None, "unknown", 0),  # what was read has run out, what follows has not
        (10, MARK, (12, 30), None, "ran out", 2),
        (10, None, (0, 400), None, "unknown", 0),  # 0.1.0 kept no mark
        (12, MARK, (0, 400), None, "unknown", 0),  # 0.1.0 moved the position on and left the mark behind
        (0, None, (0, 0), None, "unknown", 0),
        (0, None, (0, 400), None, "unknown", 0),
        (0, None, (5, 400), None, "ran out", 5),
    ],
)
def test_what_is_said_of_a_position(
    next_offset: int, mark: Mark | None, bounds: tuple[int, int], found: Fetched | None, state: State, records: int
) -> None:
    position = Position(partition=3, next_offset=next_offset, mark=mark)
    comparison = compared(position, bounds, found)
    assert (comparison.state, comparison.records, comparison.start) == (state, records, bounds[0])
    assert (said([comparison]) == "") == (state in {"same", "unknown"})


@dataclass
class Running:
    """A log whose oldest records run out between two questions."""

    starts: list[int]
    asked: list[int] = field(default_factory=list)

    async def bounds(self, partitions: Sequence[int]) -> dict[int, tuple[int, int]]:
        return {one: (self.starts.pop(0), 400) for one in partitions}

    async def firsts(self, places: Mapping[int, int]) -> dict[int, Fetched]:
        self.asked += places.values()
        return {partition: replace(READ, offset=self.starts[0]) for partition in places}


async def test_a_record_that_runs_out_while_one_looks_is_no_other_log() -> None:
    position = Position(partition=3, next_offset=10, mark=MARK)
    log = Running([0, 10])
    assert [one.state for one in await look(log, [position])] == ["unknown"]
    assert log.asked == [9]
    assert [one.state for one in await look(Running([0, 14]), [position])] == ["ran out"]
    assert await look(Running([]), []) == []


def test_many_partitions_are_told_in_few_words() -> None:
    wrong = [compared(Position(partition=one, next_offset=10, mark=MARK), (0, 4), None) for one in range(24)]
    assert said(wrong).startswith("partition 0: the log ends 6 records before what was taken already; partition 1: ")
    assert said(wrong).endswith("; and 21 partitions more")
