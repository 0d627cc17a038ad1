"""`santral simulate` and `santral staffing` as a person uses them: documents in, tables, JSON and pictures out, errors in one line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from services.cli.main import create_app, sentence
from tests.support.simulations import exponential, simple

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "simulator"
TEAM, THREE, DAY = FIXTURES / "team.yaml", FIXTURES / "team_of_three.yaml", FIXTURES / "day.jsonl"


def santral(*words: object) -> Result:
    return CliRunner().invoke(create_app(str(words[0])), [str(word) for word in words])


def answer(*words: object) -> dict[str, Any]:
    result = santral(*words, "--json")
    assert result.exception is None, result.exception
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def refused(*words: object) -> str:
    result = santral(*words)
    assert result.exception is not None
    return sentence(result.exception)


@pytest.fixture
def line(tmp_path: Path) -> Path:
    path = tmp_path / "line.json"
    path.write_text(json.dumps({**simple("200/h", 180, 14, patience=exponential(300)), "horizon": {"items": 500}, "runs": 2}))
    return path


def test_an_answer_for_people_and_for_programs(line: Path, tmp_path: Path) -> None:
    out = tmp_path / "answer.json"
    result = santral("simulate", line, "--out", out, "--processes", 1)
    assert result.exit_code == 0
    assert "calls" in result.stdout
    assert "99 % interval" in result.stdout
    told = answer("simulate", line, "--processes", 1)
    assert json.loads(out.read_text()) == told
    assert told["format"] == "santral.simulation/1"
    assert told["overall"]["p_abandon"]["low"] < told["overall"]["p_abandon"]["mean"]


def test_runs_and_seed_go_before_the_documents(line: Path) -> None:
    told = answer("simulate", line, "--runs", 3, "--seed", 9, "--processes", 1)
    assert (told["runs"], told["seed"]) == (3, 9)


def test_a_recorded_day_before_and_after(tmp_path: Path) -> None:
    told = answer("simulate", TEAM, "--replay", DAY, "--compare", THREE, "--processes", 1)
    assert told["after"]["overall"]["p_wait"]["mean"] < told["before"]["overall"]["p_wait"]["mean"]
    picture = tmp_path / "day.svg"
    result = santral("simulate", TEAM, "--replay", DAY, "--compare", THREE, "--plot", picture, "--processes", 1)
    assert "before calls" in result.stdout
    assert "<svg" in picture.read_text()


def test_pictures(line: Path, tmp_path: Path) -> None:
    picture = tmp_path / "line.png"
    assert santral("simulate", line, "--plot", picture, "--processes", 1).exit_code == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_read_or_written_is_said_at_once(line: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("classes: [")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(yaml.safe_dump({"classes": [], "agents": [{"name": "a", "cout": 2}]}))
    assert "INPUT: no document" in refused("simulate")
    assert "No such file" in refused("simulate", tmp_path / "nothing.yaml")
    assert "cannot be read" in refused("simulate", broken)
    assert "agents[0].cout" in refused("simulate", wrong)
    assert "not a picture" in refused("simulate", line, "--plot", tmp_path / "a.gif")
    assert "--out" in refused("simulate", line, "--out", tmp_path / "no" / "a.json")
    assert "--replay" in refused("simulate", line, "--replay", tmp_path / "nothing.jsonl")
    assert "--record" in refused("simulate", "--record", "yesterday")
    assert "--out" in refused("simulate", "--record", "2026-05-04T00:00Z..2026-05-05T00:00Z")


def test_how_many_agents(line: Path) -> None:
    told = answer("staffing", line, "--target", "90/20", "--runs", 2, "--max-abandonment", 0.05)
    kept = {one["agents"]: one["keeps"] for one in told["tried"]}
    assert kept[told["agents"]]
    assert not kept[told["agents"] - 1]
    best = next(one for one in told["tried"] if one["agents"] == told["agents"])
    assert best["erlang_a"]["service_level"] == pytest.approx(best["service_level"]["mean"], abs=0.06)
    assert best["erlang_c"]["service_level"] < best["erlang_a"]["service_level"]


def test_how_many_agents_of_a_group_for_a_class() -> None:
    words = ("staffing", TEAM.with_name("staffed.yaml"), "--group", "team", "--class", "calls", "--target", "70/30", "--runs", 2)
    told = answer(*words)
    assert told["agents"] == 3
    assert "erlang_c" not in told["tried"][0]
    assert "answer 70 % of calls in 30 s" in santral(*words).stdout


def test_shrinkage_and_occupancy() -> None:
    words = ("staffing", "--rate", "60/h", "--aht", "1m", "--target", "80/20", "--runs", 2)
    assert answer(*words)["agents"] == 3
    told = answer(*words, "--max-occupancy", 0.25, "--shrinkage", 0.3)
    assert (told["agents"], told["scheduled"]) == (5, 8)


def test_staffing_that_cannot_be_answered_says_why() -> None:
    assert "--rate" in refused("staffing")
    assert "--rate" in refused("staffing", TEAM, "--rate", "1/h", "--aht", 60)
    assert "not a rate" in refused("staffing", "--rate", "many", "--aht", 60)
    assert "not above 0" in refused("staffing", "--rate", "0", "--aht", 60)
    assert "not a target" in refused("staffing", "--rate", "1/h", "--aht", 60, "--target", "soon")
    staffed = TEAM.with_name("staffed.yaml")
    assert "several groups" in refused("staffing", staffed)
    assert "no class" in refused("staffing", staffed, "--group", "team", "--class", "faxes")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_says_what_it_left(tmp_path: Path) -> None:
    endless = tmp_path / "endless.json"
    endless.write_text(json.dumps({**simple(1.0, 1.0, 2), "horizon": {"items": 50_000_000}, "runs": 2}))
    out = tmp_path / "answer.json"
    command = [sys.executable, "-m", "services.cli.main", "simulate", str(endless), "--processes", "2", "--out", str(out)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}) as process:
        assert process.stderr is not None
        assert "runs finished" in process.stderr.readline(), "it says how far it is"
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "stopped; 0 of 2 runs were finished, nothing is written" in told
    assert not out.exists()
