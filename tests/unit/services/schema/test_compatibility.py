"""Which release runs on which schema: every case of the rule, as a table."""

from __future__ import annotations

import pytest

from services.schema.compatibility import SchemaState, is_newer, require_range
from shared.errors import Conflict

MIGRATE = "run: santral migrate"
NEWER = "start the release that migrated it, or a newer one"
FOREIGN = "point at Santral's database, or restore it"


@pytest.mark.parametrize(
    ("revision", "oldest_head", "head", "needs"),
    [
        ("0003", None, "0003", "0003"),  # its own
        ("0003", None, "0005", "0003"),  # started before the migration
        ("0004", "0004", "0005", "0003"),
        ("0004", "0004", "0004", "0003"),
        ("0005", "0004", "0004", "0003"),  # the next release migrated
        ("0009", "0004", "0004", "0003"),
        ("0010", "0009", "0009", "0009"),
        ("0005", "0005", "0005", "0005"),
        ("0005", "0006", "0005", "0005"),  # nobody writes that; a release always runs on its own revision
    ],
)
def test_runs(revision: str, oldest_head: str | None, head: str, needs: str) -> None:
    require_range(SchemaState(revision=revision, oldest_head=oldest_head), head=head, needs=needs)


@pytest.mark.parametrize(
    ("revision", "oldest_head", "head", "needs", "said", "remedy"),
    [
        (None, None, "0004", "0003", "the schema is at nothing, this release works on 0003 to 0004", MIGRATE),
        ("0002", None, "0004", "0003", "the schema is at 0002, this release works on 0003 to 0004", MIGRATE),
        ("0004", "0004", "0006", "0005", "the schema is at 0004, this release works on 0005 to 0006", MIGRATE),
        ("0005", "0005", "0004", "0003", "the schema is at 0005 and works with releases that know 0005, this one knows 0004", NEWER),
        ("0007", "0005", "0004", "0003", "the schema is at 0007 and works with releases that know 0005, this one knows 0004", NEWER),
        ("0010", "0010", "0009", "0003", "the schema is at 0010 and works with releases that know 0010, this one knows 0009", NEWER),
        ("0005", None, "0004", "0003", "the schema is at 0005 and works with releases that know 0005, this one knows 0004", NEWER),
        ("0005", "", "0004", "0003", "the schema is at 0005 and works with releases that know 0005, this one knows 0004", NEWER),
        ("0005", "1", "0004", "0003", "the schema is at 0005 and works with releases that know 1, this one knows 0004", NEWER),
        ("5", "0004", "0004", "0003", "the schema is at '5', and revisions of Santral are four digits, up to 0004 in this release", FOREIGN),
        ("", None, "0004", "0003", "the schema is at '', and revisions of Santral are four digits, up to 0004 in this release", FOREIGN),
        ("a1b2c3d4e5f6", None, "0004", "0003", "the schema is at 'a1b2c3d4e5f6', and revisions", FOREIGN),
        ("0004\n", "0004", "0004", "0003", "the schema is at '0004\\n', and revisions", FOREIGN),
        ("٠٠٠٤", "0004", "0004", "0003", "the schema is at '٠٠٠٤', and revisions", FOREIGN),
    ],
)  # fmt: skip
def test_is_refused_with_both_sides_and_the_remedy(
    revision: str | None, oldest_head: str | None, head: str, needs: str, said: str, remedy: str
) -> None:
    with pytest.raises(Conflict) as refused:
        require_range(SchemaState(revision=revision, oldest_head=oldest_head), head=head, needs=needs)
    assert refused.value.message.startswith(said)
    assert (refused.value.field, refused.value.remedy) == ("database", remedy)


@pytest.mark.parametrize(("revision", "newer"), [(None, False), ("0003", False), ("0004", False), ("0005", True), ("0010", True)])
def test_newer_is_what_a_later_release_migrated(revision: str | None, newer: bool) -> None:
    assert is_newer(SchemaState(revision=revision), head="0004") is newer


def test_a_foreign_revision_is_never_migrated_over() -> None:
    with pytest.raises(Conflict):
        is_newer(SchemaState(revision="head"), head="0004")
