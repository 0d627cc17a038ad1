"""The pages that draw how it works inside say what is so: what they name is there, what they say of the code is what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support import writers
from tests.support.lock_order import found, lock_orders, transactions
from tests.support.source_files import source, sources
from tests.support.statements import HOLDS, IDENTITY, SESSIONS, Touch, touches_of
from tests.support.table_writes import all_writes, declared_tables
from tests.support.tables import ROOT, all_tables

PAGES = sorted(set((ROOT / "docs/inside").glob("*.md")) - {ROOT / "docs/inside/index.md"})
WAY = (ROOT / "docs/inside/the-way-of-a-message.md").read_text("utf-8")
LOCKS = writers.PAGE.read_text("utf-8")
CODE = re.compile(r"`([^`\n]+)`")
PLACE = re.compile(r"([\w.-]+(?:/[\w.-]+)+\.[a-z]+)(?::([A-Za-z_][\w.]*))?")
LINK = re.compile(r"\]\(([^)#]+)")
ROW = re.compile(r"\| (?P<what>[^|]+) \| `(?P<code>[^`]+:[^`]+)`(?: (?P<number>\d))? \| (?P<order>[^|`]+) \|")
ROWS = {(row["code"], int(row["number"] or 1)): row for row in ROW.finditer(LOCKS)}
ORDER = re.search(r"```text\n(leases → .*)\n```", LOCKS)
FOR_SHARE = re.compile(r"\bfrom santral\..*\bfor share\b")
UNQUALIFIED = re.compile(r"\b(?:insert into|delete from) (?!santral\.|pg_temp\.)\w+|\bupdate (?!santral\.)\w+ (?:\w+ )?set\b")


def named(page: str) -> list[tuple[str, str]]:
    """The places a page names: (path, what is in it), the latter empty for a whole file."""
    matches = (PLACE.fullmatch(code) for code in CODE.findall(page))
    return [(match[1], match[2] or "") for match in matches if match is not None]


def classes(order: str) -> list[str]:
    """The classes of an order as a page writes it, brackets left out."""
    return [one.strip(" ()") for one in order.split("→")]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text("utf-8")
    places = named(text)
    assert len(places) > 40
    assert sorted({path for path, _ in places if not (ROOT / path).is_file()}) == []
    assert [link for link in LINK.findall(text) if not (page.parent / link).is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_every_function_that_a_page_names_is_there(page: Path) -> None:
    missing = []
    for path, name in named(page.read_text("utf-8")):
        try:
            _ = found(source(ROOT / path), name) if name else None
        except LookupError as error:
            missing.append(str(error))
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_lines_are_short_but_for_tables_rows(page: Path) -> None:
    assert [line for line in page.read_text("utf-8").splitlines() if len(line) > 140 and not line.startswith("|")] == []


def test_every_step_of_the_way_has_its_place_and_its_test() -> None:
    steps = re.split(r"\n(?=\*\*\d+\. )", WAY.partition("## Where it can wait")[0])[1:]
    assert [int(re.findall(r"\d+", step)[0]) for step in steps] == list(range(1, 14))
    for step in steps:
        paths = [path for path, name in named(step) if name]
        assert [path for path in paths if not path.startswith("tests/")], step
        assert [path for path in named(step.partition("- Test:")[2]) if path[0].startswith("tests/")], step


def test_contributors_are_told_of_both_pages() -> None:
    told = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    assert {link for link in LINK.findall(told) if link.startswith("docs/inside/")} == {
        f"docs/inside/{page.name}" for page in PAGES
    }


@pytest.mark.parametrize("place", ROWS, ids=lambda place: f"{place[0]}-{place[1]}")
def test_a_transaction_locks_in_the_order_that_is_drawn(place: tuple[str, int]) -> None:
    name, number = place
    assert lock_orders(name)[number - 1] == classes(ROWS[place]["order"])


def test_no_transaction_that_locks_two_classes_is_left_out() -> None:
    several = {(name, n) for name in transactions() for n, order in enumerate(lock_orders(name), 1) if len(order) > 1}
    assert len(several) > 20
    assert sorted(several - ROWS.keys()) == []


def test_what_leaves_the_order_is_marked() -> None:
    assert ORDER is not None
    rank = {one: place for place, one in enumerate(classes(ORDER[1]))}
    assert {one for row in ROWS.values() for one in classes(row["order"])} > rank.keys()
    for row in ROWS.values():
        met = [one.strip() for one in row["order"].split("→") if "(" not in one]
        # Handles are inserted before the identity is locked, as the page says of every insert.
        places = [rank[one] for one in met if one in rank and one != "identity"]
        assert (places != sorted(places)) == row["what"].endswith("†"), row[0]


@pytest.mark.parametrize("room", writers.rooms())
def test_a_room_says_what_it_writes(room: str) -> None:
    assert writers.differences(room, writers.stated(room)) == []


def test_what_a_room_leaves_out_or_makes_up_is_told_with_the_line_to_write() -> None:
    room = writers.room_of("router/moves/notes.py")
    right = writers.written(room)
    noted = next(one for one in right if one.table == "message" and one.verb == "insert" and one.file.endswith("notes"))
    (less,) = writers.differences(room, right - {noted})
    assert noted.file in less.partition(", not ")[0]
    (more,) = writers.differences(room, right | {noted._replace(table="host")})
    assert more == f"{room}/README.md: no line, not | host | {noted.file} | | | |"
    (nothing,) = writers.differences(room, None)
    assert writers.stated_in(nothing) == right
    assert writers.differences(room, right) == []


def test_a_readme_is_read_as_it_is_written() -> None:
    head = "| table | insert | update | delete | locks |\n|---|---|---|---|---|\n"
    said = writers.stated_in(f"# room\n\n## Writes\n\n{head}| `a` | one, two | | | one |\n\n## More\n\n| b | c | | | |\n")
    assert said == {("a", "insert", "one"), ("a", "insert", "two"), ("a", "lock", "one")}
    assert writers.stated_in("# room\n\nWrites: nothing.\n") == set()
    assert writers.stated_in("# room\n") is None
    with pytest.raises(ValueError, match="begins with"):
        writers.stated_in("## Writes\n\n| table | writers |\n|---|---|\n| a | one |\n")
    with pytest.raises(ValueError, match="shorter"):
        writers.stated_in(f"## Writes\n\n{head}| a | one | |\n")


def test_the_table_of_writers_is_what_the_rooms_say() -> None:
    assert writers.generated_part(LOCKS) == writers.page_table(writers.said_by_rooms())


def test_the_page_is_rewritten_between_its_marks_only(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{writers.START}\nwritten before\n{writers.END}\nafter\n")
    writers.main([], page)
    text = page.read_text()
    assert writers.generated_part(text) == writers.page_table(writers.said_by_rooms())
    assert (text.startswith("before\n"), text.endswith("\nafter\n"), "written before" in text) == (True, True, False)


def test_every_table_is_written_by_somebody_and_declared() -> None:
    tables = {table.name for table in all_tables().sorted_tables}
    assert set(declared_tables().values()) == tables
    assert tables - {write.table for write in all_writes() if write.verb == "insert"} == {"audit_anchor"}, (
        "by the owner's functions"
    )
    assert {write.table for write in all_writes()} - tables == {"revision"}, "declared by Alembic, a column of it is ours"


def test_no_statement_writes_without_naming_the_schema() -> None:
    assert [file.name for file in sources() if UNQUALIFIED.search(" ".join(file.text.lower().split()))] == []


def test_no_row_is_locked_in_a_way_that_lets_newcomers_past_a_waiting_writer() -> None:
    assert [file.name for file in sources() for one in file.statements() if FOR_SHARE.search(" ".join(one.lower().split()))] == []


@pytest.mark.parametrize(
    ("statement", "touches"),
    [
        ("select 1 from santral.a", []),
        ("select x from santral.a where id = $1 for no key update", [("a", "lock")]),
        ("select x.id from santral.a x join santral.b y on y.id = x.id order by x.id FOR UPDATE of y skip locked", [("b", "lock")]),
        ("select 1 from g cross join lateral (select f.id from santral.a f for no key update of f) l", [("a", "lock")]),
        ("select 1 from (select 1 from santral.b) x, lateral (select 1 from santral.a for no key update) y", [("a", "lock")]),
        ("select (select count(*) from santral.b) from santral.a for update", [("a", "lock")]),
        ("with m as (select 1 from santral.a for update) update santral.b set x = 1 from m", [("a", "lock"), ("b", "update")]),
        ("insert into santral.a (x) values (1)", [("a", "insert")]),
        ("insert into santral.a (x) values (1) on conflict do nothing", [("a", "insert"), ("a", "meet")]),
        (
            "with n as (insert into santral.a select 1) insert into santral.b select 1 on conflict do nothing",
            [("a", "insert"), ("b", "insert"), ("b", "meet")],
        ),
        (
            "with n as (insert into santral.a select 1 on conflict (x) do update set x = 2) delete from santral.b",
            [("a", "insert"), ("a", "meet"), ("b", "delete")],
        ),
        ('delete from santral."user" x', [("user", "delete")]),
        ("select pg_advisory_xact_lock($1)", [(IDENTITY, "lock")]),
        ("select pg_advisory_xact_lock_shared(hashtextextended('santral.holds ' || $1, 0))", [(HOLDS, "lock")]),
        ("select pg_advisory_xact_lock(hashtextextended('santral.sessions ' || $1, 0))", [(SESSIONS, "lock")]),
    ],
)
def test_a_statement_is_understood(statement: str, touches: list[Touch]) -> None:
    assert touches_of(statement) == touches
