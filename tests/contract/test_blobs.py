"""What every blob store must do, over each of them."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest

from shared.blobs import Blobs
from shared.blobs_files import FileBlobs
from shared.errors import InputRejected, NotFound, Unavailable

KEY = "workspace/message/attachment-d1"


@pytest.fixture(params=["files"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    assert request.param == "files"
    return FileBlobs(tmp_path / "blobs")


async def test_what_is_put_is_got(blobs: Blobs) -> None:
    for key, content in ((KEY, b"\x00\xff" * 100_000), ("workspace/message/original-d2", b""), ("workspace/other/x", b"x")):
        await blobs.put(key, content)
        assert await blobs.get(key) == content


async def test_a_file_is_put_whole_wherever_it_was_read_to(blobs: Blobs) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"\x00\xff" * 400_000)
        await blobs.put_file(KEY, file)
    assert await blobs.get(KEY) == b"\x00\xff" * 400_000


async def test_a_piece_is_what_stands_there(blobs: Blobs) -> None:
    key = "w/m/part"
    await blobs.put(key, bytes(range(100)))
    assert await blobs.size(key) == 100
    assert await blobs.piece(key, 0, 30) + await blobs.piece(key, 30, 60) + await blobs.piece(key, 90, 60) == bytes(range(100))
    for missing in (blobs.size("w/m/other"), blobs.piece("w/m/other", 0, 1)):
        with pytest.raises(NotFound):
            await missing


async def test_a_key_is_never_overwritten(blobs: Blobs) -> None:
    await blobs.put(KEY, b"first")
    await blobs.put(KEY, b"second")
    assert await blobs.get(KEY) == b"first"


async def test_many_at_once_under_one_key_leave_one_whole(blobs: Blobs) -> None:
    contents = [bytes([number]) * 200_000 for number in range(8)]
    await asyncio.gather(*(blobs.put(KEY, content) for content in contents))
    assert await blobs.get(KEY) in contents


async def test_what_is_not_there_is_not_found(blobs: Blobs) -> None:
    with pytest.raises(NotFound):
        await blobs.get(KEY)


async def test_deleting_is_harmless_twice(blobs: Blobs) -> None:
    await blobs.put(KEY, b"x")
    await blobs.delete(KEY)
    await blobs.delete(KEY)
    with pytest.raises(NotFound):
        await blobs.get(KEY)


@pytest.mark.parametrize(
    "key",
    ["", "one", "one/two", "a/b/c/d", "../b/c", "a/../c", "a/b/..", "/b/c", "a//c", "a/b/", "a/b/.hidden", "a/b/c\\d", "a/b/c\0"],
)
async def test_a_key_cannot_leave_the_store(blobs: Blobs, key: str) -> None:
    for call in (blobs.put(key, b"x"), blobs.get(key), blobs.delete(key)):
        with pytest.raises(InputRejected):
            await call


async def test_a_folder_that_cannot_be_written_is_unavailable_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("a file where the folder should be")
    blobs = FileBlobs(tmp_path / "blobs")
    with pytest.raises(Unavailable):
        await blobs.put(KEY, b"x")


async def test_no_scratch_is_left_behind(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path)
    await blobs.put(KEY, b"x")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["attachment-d1"]


async def test_keys_are_those_of_the_folder_and_nothing_else(blobs: Blobs) -> None:
    for key in ("w1/m1/a", "w1/m1/b", "w1/m2/a", "w2/m1/a"):
        await blobs.put(key, b"x")
    assert await blobs.keys("w1/m1/") == ["w1/m1/a", "w1/m1/b"]
    assert await blobs.keys("w1/") == ["w1/m1/a", "w1/m1/b", "w1/m2/a"]
    assert await blobs.keys("w3/") == []
    for bad in ("w1", "/", "../", "w1/m1/a/"):
        with pytest.raises(InputRejected):
            await blobs.keys(bad)
