"""`santral profiles evaluate` as somebody runs it: files of every kind, wrong ones too."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from services.client.labelled_list import Question, evaluated
from services.client.table_file import table_file
from shared.errors import InputRejected
from tests.support.duplicates import Row, contacts, people, restaurants


def written(path: Path, rows: Sequence[Row], *, delimiter: str = ",", encoding: str = "utf-8") -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, names, delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.cli.main", "profiles", "evaluate", *words], capture_output=True, text=True, timeout=100
    )


def test_the_command_prints_json_with_every_measure(tmp_path: Path) -> None:
    path = written(tmp_path / "people.csv", people(150, seed=2))
    done = run("--csv", str(path), "--truth", "cluster", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["suggestions"]["f1"] > 0.97
    assert report["automatic"]["precision"] == 1.0
    assert report["blocking"]["pair_completeness"] > 0.99
    assert report["rows_per_s"] > 0
    assert [row["weight"] for row in report["thresholds"]] == sorted(row["weight"] for row in report["thresholds"])
    assert {field["column"] for field in report["fields"]} >= {"given_name", "surname", "date_of_birth"}


def test_the_command_prints_a_table_and_names_what_is_wrong(tmp_path: Path) -> None:
    path = written(tmp_path / "rehber.csv", contacts(60, seed=2), delimiter=";")
    done = run("--csv", str(path), "--map", "email=email", "--map", "family_name=surname", "--truth", "cluster")
    assert "automatic rules" in done.stdout, done.stderr
    wrong = run("--csv", str(path), "--truth", "nothing")
    assert wrong.returncode == 1
    assert "--truth" in wrong.stderr


def test_two_lists_and_a_file_of_pairs(tmp_path: Path) -> None:
    rows = restaurants(150, seed=6)
    left = written(tmp_path / "a.csv", [row for row in rows if row["guide"] == "a"])
    right = written(tmp_path / "b.csv", [row for row in rows if row["guide"] == "b"])
    ids = {row["cluster"]: row["rec_id"] for row in rows if row["guide"] == "a"}
    same = [{"left": ids[row["cluster"]], "right": row["rec_id"]} for row in rows if row["guide"] == "b"]
    report = evaluated(Question(files=[left, right], pairs=written(tmp_path / "pairs.csv", same)))
    assert report["true_pairs"] == len(same)
    assert report["suggestions"]["f1"] > 0.97
    clusters = evaluated(Question(files=[left, right], truth="cluster"))
    assert clusters["suggestions"] == report["suggestions"]


def test_record_ids_that_carry_the_cluster(tmp_path: Path) -> None:
    rows: list[Row] = []
    seen: dict[str, int] = {}
    for row in people(100, seed=7):
        seen[row["cluster"]] = seen.get(row["cluster"], -1) + 1
        kind = "org" if not seen[row["cluster"]] else f"dup-{seen[row['cluster']]}"
        rows.append({**row, "rec_id": f"rec-{row['cluster']}-{kind}"})
    report = evaluated(Question(files=[written(tmp_path / "febrl.csv", rows)], truth="rec_id"))
    assert report["true_pairs"] == evaluated(Question(files=[tmp_path / "febrl.csv"], truth="cluster"))["true_pairs"]


def refused(path: Path, **options: Any) -> str:
    with pytest.raises(InputRejected) as caught:
        evaluated(Question(files=[path], truth="cluster", **options))
    return str(caught.value)


def test_another_encoding_is_refused_with_row_and_column_and_read_when_named(tmp_path: Path) -> None:
    path = written(tmp_path / "windows.csv", contacts(80, seed=3), encoding="cp1254")
    said = refused(path)
    assert "row " in said
    assert "column " in said
    assert "--encoding cp1254" in said
    assert evaluated(Question(files=[path], truth="cluster", encoding="cp1254"))["suggestions"]["f1"] > 0.9
    assert evaluated(Question(files=[written(tmp_path / "16.csv", contacts(80, seed=3), encoding="utf-16")]))["rows"] > 80
    assert "unknown encoding" in refused(path, encoding="klingon")


def test_a_short_row_is_named(tmp_path: Path) -> None:
    path = tmp_path / "short.csv"
    path.write_text("surname,city,cluster\nKaya,Ankara,1\nKaya,1\n", encoding="utf-8")
    assert "row 2: 2 cells" in refused(path)


def test_empty_missing_and_doubled(tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text("", encoding="utf-8")
    assert "is empty" in refused(empty)
    assert "no file" in refused(tmp_path / "nowhere.csv")
    doubled = tmp_path / "doubled.csv"
    doubled.write_text("surname,surname,cluster\na,b,1\n", encoding="utf-8")
    assert "two columns" in refused(doubled)
    alone = tmp_path / "alone.csv"
    alone.write_text("surname,cluster\na,1\nb,2\n", encoding="utf-8")
    assert "no two records are the same" in refused(alone)


def test_a_thousand_columns(tmp_path: Path) -> None:
    rows = [{**row, **{f"extra_{number}": "x" for number in range(1000)}} for row in people(40, seed=2)]
    report = evaluated(Question(files=[written(tmp_path / "wide.csv", rows)], truth="cluster"))
    assert len(report["ignored_columns"]) > 1000
    assert report["suggestions"]["f1"] > 0.9


def test_json_lines_are_rows_too(tmp_path: Path) -> None:
    path = tmp_path / "people.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in people(60, seed=2)) + "not json\n", encoding="utf-8")
    table = table_file(path)
    rows = list(table.rows())
    assert rows[-1].problem is not None
    assert "not JSON" in rows[-1].problem
    assert rows[0].values["surname"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_learning_from_the_list_itself(tmp_path: Path) -> None:
    pytest.importorskip("splink", reason="the extra duplicates is not installed")
    path = written(tmp_path / "people.csv", people(300, seed=9, slips=6))
    plain, learned = (evaluated(Question(files=[path], truth="cluster", train=train)) for train in (False, True))
    assert learned["trained"]
    assert learned["suggestions"]["f1"] >= plain["suggestions"]["f1"] - 0.002
    assert learned["weights"] != plain["weights"]
