"""The data folder of `santral serve`: one owner, kept secrets and ports, clear errors; what the processes are told."""

from __future__ import annotations

import json
import socket
import stat
from pathlib import Path

import pytest

from services.frame.settings import read_settings
from services.supervisor.folder import Ports, ServeFolder, default_folder
from services.supervisor.serve import ServeOptions, child_variables
from services.supervisor.servers import Addresses
from shared.embedded.errors import FolderInUse, FolderUnusable
from shared.embedded.folder import silent
from shared.errors import Conflict

ADDRESSES = Addresses(owner="postgresql://o", api="postgresql://a", worker="postgresql://w", bootstrap="127.0.0.1:9092")


def ports_of(folder: ServeFolder, http: int | None = 0, **given: int) -> Ports:
    return folder.ports(http=http, given=given, progress=silent)


def test_the_second_owner_is_refused_with_the_first_ones_number(tmp_path: Path) -> None:
    first = ServeFolder(tmp_path)
    with pytest.raises(FolderInUse, match="in use by another Santral"):
        ServeFolder(tmp_path)
    first.release()
    ServeFolder(tmp_path).release()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderUnusable, match="a file stands where a folder is needed: choose another folder"):
        ServeFolder(tmp_path / "file" / "data")


def test_the_secret_is_kept_and_private(tmp_path: Path) -> None:
    folder = ServeFolder(tmp_path)
    secret = folder.secret()
    assert len(secret) == 64
    assert folder.secret() == secret
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    folder.release()


def test_ports_are_chosen_once(tmp_path: Path) -> None:
    folder = ServeFolder(tmp_path)
    first = ports_of(folder)
    assert ports_of(folder) == first
    assert ports_of(folder, None) == first
    numbers = [first.http, first.webhooks, first.smtp, first.sink, *first.health.values()]
    assert len(set(numbers)) == 8
    folder.release()


def test_a_kept_port_that_a_stranger_took_is_chosen_anew(tmp_path: Path) -> None:
    folder = ServeFolder(tmp_path)
    first = ports_of(folder)
    with socket.create_server(("127.0.0.1", first.http)):
        second = ports_of(folder)
    assert second.http != first.http
    assert second.webhooks == first.webhooks
    folder.release()


def test_an_asked_port_is_taken_as_it_is_and_leaves_the_kept_one(tmp_path: Path) -> None:
    folder = ServeFolder(tmp_path)
    kept = ports_of(folder).http
    with socket.create_server(("127.0.0.1", 0)) as free:
        asked = free.getsockname()[1]
    assert ports_of(folder, asked).http == asked
    assert json.loads((tmp_path / "ports.json").read_text())["http"] == kept
    folder.release()


def test_an_asked_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    folder = ServeFolder(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(Conflict, match=r"--port: port \d+ is taken"):
        ports_of(folder, taken.getsockname()[1])
    folder.release()


def test_the_default_folder_follows_the_system(tmp_path: Path) -> None:
    assert default_folder({"XDG_DATA_HOME": str(tmp_path)}) == tmp_path / "santral"
    assert default_folder({"XDG_DATA_HOME": "relative"}).name == "santral"


def test_the_processes_are_told_where_everything_is_and_never_the_owners_address(tmp_path: Path) -> None:
    folder = ServeFolder(tmp_path)
    ports = ports_of(folder)
    settings = read_settings({})
    told = child_variables(ServeOptions(demo=True, folder=tmp_path), settings, folder, ports, ADDRESSES)
    heard = read_settings(told, strict=True)
    assert heard.database("worker") == "postgresql://w"
    assert heard.deployment_secret().decode() == folder.secret()
    assert (heard.http_port, heard.public_url) == (ports.http, f"http://127.0.0.1:{ports.http}")
    assert heard.smtp_relay == f"127.0.0.1:{ports.sink}"
    border = heard.mail_border()
    assert border is not None
    assert not border.evaluates
    assert "SANTRAL_DATABASE_OWNER_URL" not in told
    folder.release()


def test_without_the_demo_no_mail_is_stamped_or_sunk(tmp_path: Path) -> None:
    folder = ServeFolder(tmp_path)
    told = child_variables(ServeOptions(demo=False, folder=tmp_path), read_settings({}), folder, ports_of(folder), ADDRESSES)
    assert told.keys().isdisjoint({"SANTRAL_TRUST_ALL_MAIL_AS", "SANTRAL_SMTP_RELAY", "SANTRAL_DEMO_DIR"})
    folder.release()


@pytest.mark.parametrize(
    "environment",
    [{"SANTRAL_HOST": "0.0.0.0"}, {"SANTRAL_BORDER_EVALUATE_AS": "mx.ornek.com"}],
    ids=["others-may-send", "senders-are-evaluated"],
)
def test_the_demo_believes_senders_on_ones_own_machine_only(tmp_path: Path, environment: dict[str, str]) -> None:
    folder = ServeFolder(tmp_path)
    told = child_variables(
        ServeOptions(demo=True, folder=tmp_path), read_settings(environment), folder, ports_of(folder), ADDRESSES
    )
    assert "SANTRAL_TRUST_ALL_MAIL_AS" not in told
    folder.release()


def test_what_a_person_set_stays(tmp_path: Path) -> None:
    folder = ServeFolder(tmp_path)
    settings = read_settings({"SANTRAL_PUBLIC_URL": "https://chat.example", "SANTRAL_SMTP_RELAY": "mail.example:25"})
    told = child_variables(ServeOptions(demo=True, folder=tmp_path), settings, folder, ports_of(folder), ADDRESSES)
    assert told.keys().isdisjoint({"SANTRAL_PUBLIC_URL", "SANTRAL_SMTP_RELAY"})
    options = ServeOptions(demo=True, folder=tmp_path, smtp_relay="127.0.0.1:2500")
    assert child_variables(options, settings, folder, ports_of(folder), ADDRESSES)["SANTRAL_SMTP_RELAY"] == "127.0.0.1:2500"
    folder.release()
