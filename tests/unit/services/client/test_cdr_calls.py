"""Which rows make a call, when it settles, what a rotation and an interruption leave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.client.cdr_calls import PENDING_MAX, SETTLED_KEPT, Calls, CdrRecord, RecordSplitter, unfinished
from services.client.cdr_file import FollowedFile, elder_of
from shared.errors import InputRejected


def row(call: str, number: int, *, name: str = "Ayşe") -> bytes:
    cells = [
        "", "05321112233", "5000", "from-trunk", f'""{name}"" <05321112233>', "PJSIP/trunk-00000001", "PJSIP/101-00000002",
        "Queue", "", "2026-03-04 13:11:18", "", "2026-03-04 13:11:48", "30", "0", "NO ANSWER", "DOCUMENTATION", call, "", "", call,
        str(number),
    ]  # fmt: skip
    return ",".join(f'"{cell}"' for cell in cells).encode()


@pytest.fixture
def opened() -> Iterator[Callable[[Path], FollowedFile]]:
    """Opens files, and closes them after the test."""
    files: list[FollowedFile] = []

    def opening(path: Path) -> FollowedFile:
        files.append(FollowedFile(path))
        return files[-1]

    yield opening
    for file in files:
        file.close()


def record(call: str, begin: int, end: int) -> CdrRecord:
    return CdrRecord(call_id=call, line=f"{call}:{begin}".encode(), begin=begin, end=end)


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_records_do_not_depend_on_how_the_bytes_come(size: int) -> None:
    lines = [row("a", 1), b"", row("b", 2, name="two\nlines"), b"short,row", row("c", 3).replace("ş".encode(), b"\xff")]
    content = b"\r\n".join(lines) + b"\n" + row("d", 4)[:40]
    splitter = RecordSplitter(0)
    found = [one for first in range(0, len(content), size) for one in splitter.feed(content[first : first + size])]
    assert [one.call_id for one in found[:2]] == ["a", "b"]
    assert found[2].call_id.startswith("unreadable-")
    assert [one.call_id for one in found[3:]] == ["c"]
    assert [content[one.begin : one.end].strip() for one in found] == [one.line for one in found]
    assert splitter.position == len(content) - 40
    assert splitter.rest() == []


def test_an_unclosed_quote_costs_its_own_line_only() -> None:
    splitter = RecordSplitter(0)
    broken = row("a", 1)[:-1]
    found = splitter.feed(broken + b"\n" + row("b", 2) + b"\n")
    assert [one.line for one in found] == [broken, row("b", 2)]
    calls = Calls()
    for one in found:
        calls.add(one, at_s=0)
    assert [call.alone for call in calls.due(at_s=0, caught_up=True, at_end=True)] == [True, False]


def test_a_last_line_without_its_end_is_taken_only_when_it_is_whole() -> None:
    splitter = RecordSplitter(0)
    assert splitter.feed(row("a", 1)) == []
    assert [one.call_id for one in splitter.rest()] == ["a"]
    assert splitter.position == len(row("a", 1))


def test_a_call_settles_five_seconds_after_its_last_row() -> None:
    calls = Calls()
    calls.add(record("a", 0, 10), at_s=0)
    calls.add(record("b", 10, 20), at_s=1)
    calls.add(record("a", 20, 30), at_s=4)
    assert calls.due(at_s=5.9, caught_up=True) == []
    (first,) = calls.due(at_s=6, caught_up=True)
    assert (first.call_id, first.through, first.amends, calls.oldest) == ("b", 20, False, 0)
    calls.settle([first])
    (second,) = calls.due(at_s=9, caught_up=True)
    assert (second.call_id, second.lines, second.through) == ("a", (b"a:0", b"a:20"), 30)
    calls.settle([second])
    assert calls.oldest is None


def test_later_rows_amend_and_read_again_nothing_is_posted_again() -> None:
    calls = Calls({"a": 10})
    calls.add(record("a", 0, 10), at_s=0)
    assert calls.waiting == 0
    calls.add(record("a", 10, 20), at_s=0)
    (call,) = calls.due(at_s=0, caught_up=False, at_end=True)
    assert (call.amends, call.lines) == (True, (b"a:10",))
    calls.settle([call])
    assert calls.settled == {"a": 20}
    calls.begin_file()
    calls.add(record("a", 0, 10), at_s=0)
    assert calls.waiting == 1


def test_rows_without_an_id_are_their_content() -> None:
    calls = Calls({"row-1": 10})
    calls.add(record("row-1", 50, 60), at_s=0)
    assert calls.waiting == 0


def test_a_backlog_settles_the_oldest_and_memory_stays_bounded() -> None:
    calls = Calls()
    for number in range(PENDING_MAX + 3):
        calls.add(record(f"c{number}", number * 10, number * 10 + 10), at_s=0)
    due = calls.due(at_s=1000, caught_up=False)
    assert [call.call_id for call in due] == ["c0", "c1", "c2"]
    calls.settle(due)
    assert calls.oldest == 30
    for number in range(SETTLED_KEPT + 5):
        calls.add(record(f"d{number}", 0, 1), at_s=0)
    calls.settle(calls.due(at_s=0, caught_up=True, at_end=True))
    assert len(calls.settled) == SETTLED_KEPT


def test_what_an_interruption_left_is_posted_with_the_same_rows() -> None:
    rows = [record("a", 0, 10), record("b", 10, 20), record("a", 20, 30), record("c", 30, 40), record("a", 40, 50)]
    again = unfinished(rows, {"a": 30, "c": 40}, {"c": 5})
    assert [(call.call_id, len(call.lines), call.amends) for call in again] == [("a", 2, False), ("c", 1, True)]


def test_a_rotated_file_is_found_again(tmp_path: Path, opened: Callable[[Path], FollowedFile]) -> None:
    path, rotated = tmp_path / "Master.csv", tmp_path / "Master.csv.1"
    path.write_bytes(row("a", 1) + b"\n")
    file = opened(path)
    known, size = file.fingerprint, file.size
    path.rename(rotated)
    half_done = file.renamed
    path.write_bytes(row("b", 2) + b"\n")
    assert (half_done, file.renamed) == (False, True)
    rotated.write_bytes(rotated.read_bytes() + row("a", 3) + b"\n")
    (tmp_path / "Master.csv.2").write_bytes(row("z", 9) * 5)
    elder = elder_of(path, known, size)
    assert elder is not None
    elder.close()
    assert elder.path == rotated
    assert not opened(path).holds(known, 10)
    assert elder_of(path, known, rotated.stat().st_size) is None


def test_a_truncated_file_is_another_file(tmp_path: Path, opened: Callable[[Path], FollowedFile]) -> None:
    path = tmp_path / "Master.csv"
    path.write_bytes(row("a", 1) + b"\n" + row("b", 2) + b"\n")
    file = opened(path)
    known, size = file.fingerprint, file.size
    assert file.holds(known, size)
    path.write_bytes(b"")
    assert not file.holds(known, size)
    path.write_bytes(row("c", 3) * 9)
    assert not file.holds(known, size)


def test_a_file_that_grows_is_the_same_file(tmp_path: Path, opened: Callable[[Path], FollowedFile]) -> None:
    path = tmp_path / "Master.csv"
    path.write_bytes(b"")
    file = opened(path)
    empty = file.fingerprint
    path.write_bytes(row("a", 1) + b"\n")
    assert file.holds(empty, 0)
    assert file.read(0, 10) == row("a", 1)[:10]
    assert (empty.head_bytes, file.fingerprint.head_bytes) == (0, len(row("a", 1)) + 1)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputRejected, match=r"No such file"):
        FollowedFile(tmp_path / "no.csv")
    with pytest.raises(InputRejected):
        FollowedFile(tmp_path)
