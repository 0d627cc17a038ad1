"""Folders are their account's alone, at every level that is made."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.supervisor.serve import _remove
from shared.blobs_files import FileBlobs
from shared.embedded.folder import Claim
from shared.folders import make_private
from shared.spool import Spool


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """As on most machines."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(above: Path) -> set[int]:
    return {stat.S_IMODE(one.stat().st_mode) for one in above.rglob("*") if one.is_dir()}


async def test_blobs_spool_and_data_lie_in_folders_of_one_account(tmp_path: Path) -> None:
    await FileBlobs(tmp_path / "var" / "blobs").put("workspace/message/part", b"x")
    Spool(tmp_path / "run" / "spool").close()
    Claim(tmp_path / "share" / "santral").release()
    _remove(tmp_path / "data" / "ready.json")
    assert len(list(tmp_path.rglob("*/"))) > 8
    assert modes(tmp_path) == {0o700}


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    make_private(tmp_path / "open" / "new")
    make_private(tmp_path / "open")
    assert {one.name: stat.S_IMODE(one.stat().st_mode) for one in tmp_path.rglob("*")} == {"open": 0o755, "new": 0o700}
