"""Files with customers in them: this account's whatever the umask and whatever stood there, and whole or not there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.client.private_file import private_opener, private_text, require_folder, write_private_bytes
from shared.errors import InputRejected


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("stood", [None, 0o644, 0o400])
def test_what_is_written_is_this_accounts(tmp_path: Path, stood: int | None) -> None:
    tmp_path.chmod(0o700)
    for name in ("people.csv", "person.zip", "errors.csv"):
        path = tmp_path / name
        if stood is not None and name != "errors.csv":
            path.write_text("before", encoding="utf-8")
            path.chmod(stood)
    with private_text(tmp_path / "people.csv") as file:
        file.write("ayşe\r\n")
    write_private_bytes(tmp_path / "person.zip", b"zip")
    with open(tmp_path / "errors.csv", "w", encoding="utf-8", opener=private_opener) as file:
        file.write("row\n")
        assert mode(tmp_path / "errors.csv") == 0o600, "from its first line on"
    assert (tmp_path / "people.csv").read_bytes() == "ayşe\r\n".encode()
    assert (tmp_path / "person.zip").read_bytes() == b"zip"
    assert {path.name: mode(path) for path in tmp_path.iterdir()} == dict.fromkeys(
        ("people.csv", "person.zip", "errors.csv"), 0o600
    )


def test_a_file_that_was_open_to_others_and_is_added_to_is_this_accounts(tmp_path: Path) -> None:
    path = tmp_path / "errors.csv"
    path.write_text("row\n", encoding="utf-8")
    path.chmod(0o644)
    with open(path, "a", encoding="utf-8", opener=private_opener) as file:
        file.write("1\n")
    assert (path.read_text(encoding="utf-8"), mode(path)) == ("row\n1\n", 0o600)


def test_what_is_not_written_to_its_end_leaves_what_stood_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("before", encoding="utf-8")
    with pytest.raises(RuntimeError, match="gone"), private_text(path) as file:  # noqa: PT012
        file.write("half")
        file.flush()
        assert [one.name for one in tmp_path.iterdir() if one.is_file()] == ["people.csv"]
        raise RuntimeError("gone")
    assert [one.name for one in tmp_path.iterdir()] == ["people.csv"]
    assert path.read_text(encoding="utf-8") == "before"


def test_a_link_stays_a_link_and_a_device_a_device(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "people.csv")
    write_private_bytes(tmp_path / "link", b"x")
    assert (tmp_path / "link").is_symlink()
    assert mode(tmp_path / "there" / "people.csv") == 0o600
    write_private_bytes(Path("/dev/null"), b"x")
    assert not Path("/dev/null").is_file()


def test_where_no_file_can_be_is_said_before_any_work(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no" / "person.zip"):
        with pytest.raises(InputRejected, match="cannot be written"):
            require_folder(path, field="--out")
