"""What later words make of a message: edits, deletions and reactions, folded over the message they are about.

A message's row never changes; what a customer or a channel says of it later is a row of its own (an amendment) in the same conversation.
Every page shows a message as it stands now (`Amendments.standing`), so amendments are no messages of their own where their message is known.

An amendment is about a message of its own inbox that it names, by the channel's id for it or by the id our reply got. Words are changed
only by who wrote them: in the same direction, under the same handle or another of the same person. A comment whose writer the channel does
not show is removed under the comment's own name (`ingest/meta/page.py`). Order of arrival does not matter: the latest edit by its own time
counts, and a deletion counts whatever else comes.
**Identity**: an amendment is a message of kind edit, delete or reaction. **Units**: times aware UTC.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from router.signals.contents import contents_of
from shared.database import Connection
from shared.message import AMENDMENTS
from shared.text import key_text

NOT_AMENDING: Final = "m.kind not in ('edit', 'delete', 'reaction')"
"""A condition for statements that call the message ``m``: it is no amendment."""
_REMOVED: Final = ("erased", "redacted", "expired")
AMENDMENTS_MAX: Final = 100
"""So many of each writer and kind are read of a message, and so many earlier words and reactions are shown: the newest, and how many there are.

Of deletions the first, whose time it is that counts.
"""
_AMENDING: Final = """
select * from (
select e.seq, e.id, e.kind, e.direction, e.inbox_id, e.handle_id, h.profile_id, h.value as handle_value, e.text, e.body->'call' as call,
       e.body->>'in_reply_to' as names, coalesce(e.sent_at, e.accepted_at) as at,
       count(*) over alike as alike, row_number() over (alike order by
           case e.kind when 'delete' then 1 else -1 end * extract(epoch from coalesce(e.sent_at, e.accepted_at)), -e.seq) as place
from santral.message e left join santral.handle h on h.workspace_id = e.workspace_id and h.id = e.handle_id
where e.workspace_id = $1 and e.conversation_id = any($2::uuid[]) and e.kind in ('edit', 'delete', 'reaction')
window alike as (partition by e.conversation_id, e.inbox_id, e.body->>'in_reply_to', e.kind, e.direction, e.handle_id)
) x where $3::int is null or place <= $3 or seq = any($4::bigint[])
"""
# By themselves: joined under row security, the index on references would not be used.
_NAMED: Final = (
    "select ref, message_id from santral.thread_ref where workspace_id = $1 and ref = any($2::text[]) and message_id is not null"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """One edit, deletion or reaction. ``names``: the channel's id of the message it is about; ``named``: that message's id, where known.

    ``alike``: how many of its writer and kind name that message, of which the newest are read.
    """

    seq: int
    id: UUID
    kind: str
    direction: str
    inbox_id: UUID
    handle_id: UUID | None
    profile_id: UUID | None
    handle_value: str | None
    text: str
    call: Mapping[str, Any] | None
    names: str
    at: datetime
    named: UUID | None = None
    alike: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A message as it stands now.

    ``gone``: why nothing of it is shown (deleted by its writer; erased, redacted or expired here), or None. ``earlier``: its words before,
    oldest first, each with the time it was written; empty of what is gone. Of these and of ``reactions`` the newest `AMENDMENTS_MAX`;
    ``edits`` and ``reacted`` say how often it was edited and how many reacted.
    """

    text: str
    text_stripped: str | None
    kind: str
    call: Mapping[str, Any] | None
    contents: Sequence[str]
    gone: str | None = None
    edited_at: datetime | None = None
    deleted_at: datetime | None = None
    earlier: Sequence[Mapping[str, Any]] = ()
    reactions: Sequence[Mapping[str, Any]] = ()
    edits: int = 0
    reacted: int = 0


@dataclass(slots=True)
class Amendments:
    """The amendments of some conversations, by the message they are about."""

    _by_name: dict[tuple[UUID, str], list[Amendment]] = field(default_factory=lambda: defaultdict(list))
    _by_id: dict[UUID, list[Amendment]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, given: Iterable[Amendment]) -> Amendments:
        """Each under the names it has for its message."""
        found = cls()
        for one in sorted(given, key=lambda one: (one.at, one.seq)):
            found._by_name[one.inbox_id, one.names].append(one)
            if one.named is not None:
                found._by_id[one.named].append(one)
        return found

    def about(self, row: Mapping[str, Any]) -> list[Amendment]:
        """Those that may change or mark this message, the oldest first. ``row``: see `standing`."""
        if row["kind"] in AMENDMENTS or not self._by_name:
            return []
        found = (*self._by_name.get((row["inbox_id"], row["external_id"]), ()), *self._by_id.get(row["id"], ()))
        own = {one.id: one for one in found if one.inbox_id == row["inbox_id"] and (one.kind == "reaction" or is_writers(one, row))}
        return sorted(own.values(), key=lambda one: (one.at, one.seq))

    def names(self, ids: Collection[UUID]) -> tuple[list[str], list[UUID]]:
        """What these amendments call their messages: the channel's ids, and ids."""
        own = [one for found in self._by_name.values() for one in found if one.id in ids]
        return [one.names for one in own], [one.named for one in own if one.named is not None]

    def standing(self, row: Mapping[str, Any]) -> Standing:
        """The message as it stands now.

        ``row``: id, inbox_id, external_id, direction, kind, handle_id, writer_profile_id, text, at, and its body, or as much of it as is shown.
        """
        body: Mapping[str, Any] = row["body"] or {}
        about = self.about(row)
        deleted_at = next((one.at for one in about if one.kind == "delete"), None)
        gone = next((name for name in _REMOVED if name in body), None) or ("deleted" if deleted_at else None)
        if gone is not None:
            return Standing(
                text="", text_stripped=None, kind=row["kind"], call=None, contents=(), gone=gone, deleted_at=deleted_at,
            )  # fmt: skip
        edits = [one for one in about if one.kind == "edit"]
        call = next((one.call for one in reversed(edits) if one.call), body.get("call"))
        texts, reactions = _texts(row, edits), _reactions(about)
        contents = contents_of(
            kind=row["kind"], told=_told(body), parts=_files(body), has_words=bool(row["text"].strip()),
        )  # fmt: skip
        return Standing(
            text=texts[-1]["text"], text_stripped=None if len(texts) > 1 else body.get("text_stripped"),
            kind=_kind(row, call) if edits else row["kind"], call=call, contents=contents,
            edited_at=edits[-1].at if edits else None, earlier=texts[:-1][-AMENDMENTS_MAX:], reactions=reactions[-AMENDMENTS_MAX:],
            edits=_counted(edits), reacted=len(reactions),
        )  # fmt: skip


def is_writers(amendment: Amendment, row: Mapping[str, Any]) -> bool:
    """Whether the message's own writer amends it: no stranger who knows its id, and not the other side."""
    if amendment.direction != row["direction"]:
        return False
    same_person = amendment.profile_id is not None and amendment.profile_id == row["writer_profile_id"]
    return amendment.handle_id == row["handle_id"] or same_person or amendment.handle_value == f"comment:{row['external_id']}"


async def read_amendments(
    connection: Connection,
    workspace_id: UUID,
    conversation_ids: Sequence[UUID],
    *,
    with_seqs: Sequence[int] = (),
    every: bool = False,
) -> Amendments:
    """Those that stand in these conversations, the newest `AMENDMENTS_MAX` of each writer and kind about a message; with ``every`` all.

    ``with_seqs``: those with these numbers too, which are about to be shown. Two statements at most, along the messages' primary key.
    """
    bound = None if every else AMENDMENTS_MAX
    rows = await connection.fetch(_AMENDING, workspace_id, list(conversation_ids), bound, list(with_seqs))
    rows = [row for row in rows if row["names"]]
    if not rows:
        return Amendments()
    refs = [key_text(f"ext:{row['inbox_id']}:{row['names']}") for row in rows]
    named = {row["ref"]: row["message_id"] for row in await connection.fetch(_NAMED, workspace_id, list(set(refs)))}
    told = ({name: value for name, value in row.items() if name != "place"} for row in rows)
    return Amendments.of(Amendment(**one, named=named.get(ref)) for one, ref in zip(told, refs, strict=True))


def _texts(row: Mapping[str, Any], edits: Sequence[Amendment]) -> list[dict[str, Any]]:
    """The message's words from the first to those of now. An edit that brings none (a call's, of a kind not known yet) changes none."""
    found = [{"text": row["text"], "at": row["at"]}]
    for edit in edits:
        if edit.text and edit.text != found[-1]["text"]:
            found.append({"text": edit.text, "at": edit.at})
    return found


def _counted(edits: Sequence[Amendment]) -> int:
    """How many edits there are, also those that were not read."""
    alike: dict[tuple[UUID | None, str], tuple[int, int]] = {}
    for one in edits:
        read, there = alike.get((one.handle_id, one.names), (0, 0))
        alike[one.handle_id, one.names] = (read + 1, max(there, one.alike))
    return sum(max(counts) for counts in alike.values())


def _kind(row: Mapping[str, Any], call: Mapping[str, Any] | None) -> str:
    """A call's kind by its corrected record; any other message keeps its own."""
    if call is None or row["kind"] not in ("call", "missed_call"):
        return str(row["kind"])
    return "call" if call.get("answered") or row["direction"] == "out" else "missed_call"


def _told(body: Mapping[str, Any]) -> list[str]:
    """What the channel said; of a reply of ours by a template, that it was one."""
    return body.get("contents") or (["template"] if (body.get("content") or {}).get("kind") == "template" else [])


def _files(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Files of what came, and of a reply of ours."""
    return [*(body.get("parts") or ()), *((body.get("content") or {}).get("files") or ())]


def _reactions(about: Sequence[Amendment]) -> list[dict[str, Any]]:
    """The last of each who reacted; one that was taken back is none."""
    last = {(one.direction, one.handle_id): one for one in about if one.kind == "reaction"}
    newest = sorted(last.values(), key=lambda one: (one.at, one.seq))
    return [{"text": one.text, "direction": one.direction, "at": one.at} for one in newest if one.text]
