"""Rooms: nobody else in this environment has one of that name, each says what it is for, and tests stand where what they test stands."""

from __future__ import annotations

from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import ingest
import profiles
import router
import services
import shared

ROOT = Path(__file__).resolve().parents[2]
ROOMS = {"ingest": ingest, "profiles": profiles, "router": router, "services": services, "shared": shared}
FOLDERS = [
    path.parent
    for room in ROOMS
    for path in sorted((ROOT / room).rglob("__init__.py"))
    if not {"node_modules", "migrations"} & set(path.parts)
]
VAGUE = {"utils", "util", "helpers", "helper", "common", "models", "types", "base", "misc"}


@pytest.mark.parametrize("room", ROOMS)
def test_no_other_distribution_ships_a_room_of_that_name(room: str) -> None:
    assert set(packages_distributions().get(room, ())) <= {"santral"}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_the_one_of_this_repository_and_says_what_it_is_for(room: str) -> None:
    module = ROOMS[room]
    assert module.__file__ is not None
    assert Path(module.__file__).is_relative_to(ROOT)
    assert "ever" in (module.__doc__ or ""), f"{room} does not say what never lives there"


@pytest.mark.parametrize("room", ROOMS)
def test_no_module_has_a_name_that_says_nothing(room: str) -> None:
    names = {path.stem for path in (ROOT / room).rglob("*.py") if "node_modules" not in path.parts}
    assert names & VAGUE == set()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_a_room_has_a_page_that_says_what_lives_there_what_never_does_and_names_every_file(folder: Path) -> None:
    page = (folder / "README.md").read_text(encoding="utf-8")
    head = page.split("\n## ")[0]
    assert page.startswith("# ")
    assert "Never" in head or "never" in head, "it does not say what never lives there"
    assert "Tables: " in page, "it does not say which tables it declares"
    files = {path.name for path in folder.glob("*.py")} - {"__init__.py"}
    assert {name for name in files if f"`{name}`" not in page} == set()


@pytest.mark.parametrize("floor", ["unit", "integration"])
def test_tests_stand_in_the_folder_of_what_they_test(floor: str) -> None:
    folders = {path.parent.relative_to(ROOT / "tests" / floor) for path in (ROOT / "tests" / floor).rglob("test_*.py")}
    assert len(folders) > 10
    assert {str(folder) for folder in folders if not (ROOT / folder).is_dir() and folder != Path("support")} == set()
