"""`santral simulate` and `santral staffing` as a person uses them: documents in, tables, JSON and pictures out, errors in one line."""

from __future__ import annotations

import functools
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

from router.simulator.document import document_of
from router.simulator.theory import Theory, theory_of
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


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.yaml", b"", "the document is not a mapping (start with classes: and agents:)"),
        ("list.yaml", b"- a\n", "the document is not a mapping (start with classes: and agents:)"),
        ("scalar.yaml", b"hello\n", "the document is not a mapping (start with classes: and agents:)"),
        ("list.json", b"[1]", "the document is not a mapping (start with classes: and agents:)"),
        ("other.json", b'{"rules": []}', "rules: Extra inputs are not permitted (the fields are described"),
        ("bytes.yaml", b"\xff\xfe\x00", "cannot be read: it is not UTF-8 (name a text file)"),
        ("lists.yaml", b"agents: [{name: a, queues: [[b]]}]", "agents[0].queues: ['b'] is not a queue's name; write names"),
        ("maps.yaml", b"agents: [{name: a, queues: [{b: 1}]}]", "agents[0].queues: {'b': 1} is not a queue's name; write names"),
    ],
)
def test_a_file_of_another_kind_is_named_with_the_place_and_the_remedy(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    given = tmp_path / name
    given.write_bytes(content)
    told = refused("simulate", given)
    assert str(given) in told
    assert said in told


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("classes: []", "line 1: {file}: is not JSON (write one JSON object per line)"),
        ("[1]", "line 1: {file}: Input should be"),
        ('\n{"at": [1]}', "line 2: {file}: at: Value error, not a moment"),
        (f'{{"at": 1{"0" * 400}}}', "line 1: {file}: at: Value error, a number that nobody can count with"),
        ("", "trace: {file}: the trace holds no arrival"),
    ],
)
def test_a_day_of_another_kind_is_named_with_the_line(tmp_path: Path, content: str, said: str) -> None:
    day = tmp_path / "day.jsonl"
    day.write_text(content)
    assert refused("simulate", TEAM, "--replay", day).startswith(said.format(file=day))


STAFFED = [
    # calls an hour, handling, target, patience, agents: the smallest number of which Erlang C or Erlang A keeps the target
    ("45/h", 240, "80/20", None, 5),
    ("200/h", 180, "80/20", None, 14),
    ("360/h", 240, "80/20", None, 29),
    ("2000/h", 240, "80/20", None, 142),
    ("60/h", 60, "80/20", None, 3),
    ("200/h", 180, "80/20", 60, 12),
    ("2000/h", 240, "90/10", 120, 141),
]


@pytest.mark.parametrize(("rate", "aht", "target", "patience", "agents"), STAFFED)
def test_how_many_agents_by_formula(rate: str, aht: int, target: str, patience: int | None, agents: int) -> None:
    words = ("staffing", "--rate", rate, "--aht", aht, "--target", target, *(() if patience is None else ("--patience", patience)))
    told = answer(*words)
    assert (told["agents"], told["between"], told["items"]) == (agents, [agents, agents], 0)
    assert told["method"] == ("erlang_c" if patience is None else "erlang_a")
    kept = {one["agents"]: one for one in told["tried"]}
    share = float(target.split("/")[0]) / 100
    assert kept[agents]["service_level"]["mean"] >= share > kept[agents - 1]["service_level"]["mean"]
    assert "which is exact here" in santral(*words).stdout


def test_a_simulation_goes_on_until_the_interval_leaves_the_target(line: Path) -> None:
    words = ("staffing", line, "--target", "90/20", "--runs", 2, "--simulate", "--max-items", 20_000)
    told = answer(*words)
    best = {one["agents"]: one for one in told["tried"]}
    low, high = told["between"]
    assert (best[low - 1]["keeps"], best[high]["keeps"], told["method"]) == (False, True, "simulation")
    assert all(best[count]["keeps"] is None for count in range(low, high))
    assert best[high]["service_level"]["low"] > 0.9 > best[low - 1]["service_level"]["high"]
    assert low <= 14 <= high, "Erlang A says 14"
    assert best[high]["erlang_a"]["service_level"] == pytest.approx(best[high]["service_level"]["mean"], abs=0.03)
    assert best[high]["erlang_c"]["service_level"] < best[high]["erlang_a"]["service_level"]
    assert told["items"] == sum(one["items"] for one in told["tried"])
    again = answer("staffing", line, "--target", "10/20", "--simulate", "--max-items", 1)
    assert again == answer("staffing", line, "--target", "10/20", "--simulate", "--max-items", 1), "the same seed, the same answer"


def test_what_is_not_decided_within_the_bound_is_said(tmp_path: Path) -> None:
    """At 45 calls an hour of 240 s five agents answer 80.006 % in time: no simulation of this length tells that from 80 %."""
    given, out = tmp_path / "line.json", tmp_path / "answer.json"
    given.write_text(json.dumps({**simple("45/h", 240, 6), "horizon": {"items": 2000}, "runs": 4}))
    shown = santral("staffing", given, "--simulate", "--max-items", 20_000, "--out", out).stdout
    told = json.loads(out.read_text())
    assert (told["agents"], told["between"]) == (6, [5, 6])
    assert next(one["keeps"] for one in told["tried"] if one["agents"] == 5) is None
    assert "Between 5 and 6 agents (team) answer 80 % in 20 s" in shown
    assert "customers simulated" in shown
    assert "--max-items" in shown


@pytest.mark.parametrize(
    "other",
    [
        {"offer": {"delay": {"kind": "deterministic", "value": 5}}},
        {"sticky": {"share": 0.5, "deadline": 60}},
        {"park": {"share": 0.5, "reply": exponential(60)}},
        {"wrap": exponential(10)},
        {"patience": {"kind": "deterministic", "value": 60}},
        {"service": {"kind": "deterministic", "value": 60}},
    ],
)
def test_a_formula_is_used_only_where_it_is_exact(other: dict[str, Any]) -> None:
    assert _theory(simple("60/h", 60, 3)) is not None
    assert _theory(simple("60/h", 60, 3, **other)) is None


def test_newest_first_and_a_cold_start_have_no_formula_and_slots_have_one() -> None:
    assert _theory(simple("60/h", 60, 3, order="lifo")) is None
    assert _theory({**simple("60/h", 60, 3), "warm_up": {"items": 0}}) is None
    slots = _theory(simple("200/h", 180, 7, slots=2))
    assert slots is not None
    assert slots.shown(7, 20.0)["erlang_c"]["service_level"] == pytest.approx(0.88835, abs=1e-5)


def _theory(given: dict[str, Any]) -> Theory | None:
    document = document_of(given)
    return theory_of(document, document.agents[0])


def test_how_many_agents_of_a_group_for_a_class() -> None:
    words = ("staffing", TEAM.with_name("staffed.yaml"), "--group", "team", "--class", "calls", "--target", "70/30", "--runs", 2)
    told = answer(*words)
    assert told["agents"] == 3
    assert "erlang_c" not in told["tried"][0]
    assert "answer 70 % of calls in 30 s" in santral(*words).stdout


def test_shrinkage_and_occupancy() -> None:
    words = ("staffing", "--rate", "60/h", "--aht", "1m", "--target", "80/20")
    assert answer(*words)["agents"] == 3
    told = answer(*words, "--max-occupancy", 0.24, "--shrinkage", 0.3)
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
    # Whoever runs the tests in the background may ignore the signal, and children inherit that.
    heard = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, preexec_fn=heard) as process:
        assert process.stderr is not None
        assert "runs finished" in process.stderr.readline(), "it says how far it is"
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "stopped; 0 of 2 runs were finished, nothing is written" in told
    assert not out.exists()
