"""What is digested: said byte by byte, the same for ever, and never the same for two rows."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.audit_chain.digest import COLUMNS, first_digest, link_digest, row_digest

WORKSPACE = UUID("01890000-0000-7000-8000-000000000001")
ROW = {
    "id": "01890000-0000-7000-8000-000000000002", "at": "2026-11-29T09:14:02.118204Z", "actor": "agent:1", "action": "item.cancel",
    "target_kind": "item", "target_id": None, "details": '{"ad": "Çağrı \\"1\\"\\n"}', "address": "192.0.2.7", "software": "curl/8",
    "request_id": None,
}  # fmt: skip
WRITTEN = (
    r'["santral audit 1","01890000-0000-7000-8000-000000000001","01890000-0000-7000-8000-000000000002","2026-11-29T09:14:02.118204Z",'
    r'"agent:1","item.cancel","item",null,"{\"ad\": \"Çağrı \\\"1\\\"\\n\"}","192.0.2.7","curl/8",null]'
)
VALUES = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=6)
ROWS = st.fixed_dictionaries(dict.fromkeys(COLUMNS, VALUES))


def test_a_row_is_digested_as_the_page_says() -> None:
    """A chain that was written once must be verified by every later release: what this test says may never change."""
    assert row_digest(WORKSPACE, ROW) == hashlib.sha256(WRITTEN.encode()).digest()
    assert row_digest(WORKSPACE, ROW).hex() == "5552968cb4f8a9cc485c705ee2654e173dc15322fcd53f3673ca238466df477e"


def test_a_link_is_digested_as_the_page_says() -> None:
    before, row = first_digest(WORKSPACE), row_digest(WORKSPACE, ROW)
    assert before == hashlib.sha256(b"santral audit 1" + WORKSPACE.bytes).digest()
    number = b"\x00\x00\x00\x00\x00\x00\x01\x00"
    expected = hashlib.sha256(before + number + UUID(ROW["id"]).bytes + b"2026-11-29T09:14:02.118204Z" + row).digest()
    assert link_digest(before, 256, UUID(ROW["id"]), str(ROW["at"]), row) == expected


@given(ROWS, ROWS)
def test_two_rows_have_one_digest_only_when_they_are_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert (row_digest(WORKSPACE, one) == row_digest(WORKSPACE, other)) == (one == other)


@given(ROWS, st.integers(0, len(COLUMNS) - 1), st.integers(0, len(COLUMNS) - 1))
def test_a_value_counts_where_it_stands(row: dict[str, Any], one: int, other: int) -> None:
    swapped = row | {COLUMNS[one]: row[COLUMNS[other]], COLUMNS[other]: row[COLUMNS[one]]}
    assert (row_digest(WORKSPACE, row) == row_digest(WORKSPACE, swapped)) == (row == swapped)


@given(ROWS)
def test_a_row_of_another_workspace_is_another_row(row: dict[str, Any]) -> None:
    assert row_digest(WORKSPACE, row) != row_digest(UUID(int=WORKSPACE.int + 1), row)
