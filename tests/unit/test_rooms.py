"""Our rooms have plain names; nobody else in this environment may have the same."""

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
