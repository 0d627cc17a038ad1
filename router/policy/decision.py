"""The record of why a message went to a queue: what was asked, what matched, with which facts and versions.

A record re-evaluates to itself: the message's own fields are in its row, everything else the rules saw is in here. It holds no
text, name or handle; of the profile's attributes only those the policy names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from router.item.goals import DueKey
from router.policy.expressions import Facts
from router.policy.fields import message_facts
from router.policy.policy import Choice, Policy

_NOT_RECORDED: Final = {"label": "", "label_confidence": 0.0, "labels": [], "model": "", "do_not_answer": False, "marks": []}
"""Signals that records of earlier releases do not hold."""


def routing_record(
    *, policy: Policy, choice: Choice, queue: str, key: DueKey, facts: Facts, reopened: bool, degraded: bool, made_work_by: str = ""
) -> dict[str, Any]:
    """The JSON of a routing decision. ``queue`` is the one that was taken, where the chosen one does not exist any more.

    ``made_work_by``: who took it out of what is kept out of work, as the audit names them; empty for what came as work.
    """
    recorded = {name: values for name, values in facts.values.items() if values and name != "message"}
    recorded["message"] = {"inbox": facts.values["message"].get("inbox", "")}
    record: dict[str, Any] = {
        "summary": _summary(choice, queue, reopened, made_work_by),
        "queue": queue,
        "rule": choice.rule,
        "matched": list(choice.matched),
        "policy_version": policy.version,
        "class": key.due_class,
        "goal_s": key.goal_s,
        "boost_s": key.boost_s,
        "due_at": key.due_at,
        "facts": recorded,
    }
    if choice.queue != queue:
        record["queue_missing"] = choice.queue
    if choice.boost_s != key.boost_s:
        record["policy_boost_s"] = choice.boost_s
    if choice.tags:
        record["tags"] = list(choice.tags)
    if choice.skills:
        record["skills"] = dict(choice.skills)
    if choice.sla:
        record["sla"] = choice.sla
    if choice.plan:
        record["plan"] = choice.plan
    if choice.errors:
        record["errors"] = dict(choice.errors)
    if choice.out_of_time:
        record["out_of_time"] = True
        record["asked"] = choice.asked
    if choice.bulk:
        record["bulk"] = True
    if made_work_by:
        record["made_work_by"] = made_work_by
    if degraded:
        record["profile_degraded"] = True
    return record


def facts_again(record: Mapping[str, Any], message: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What the rules saw then: the record's facts, and ``message.*`` from the message's row.

    ``message``: the row's channel, provider, kind, visibility, subject, its words without quoted mail as ``text``, language,
    attachments (how many), contents (codes), about, authenticated, filtered (as in its body, or none); the inbox's name of today as
    ``inbox`` for a record that has none.
    """
    recorded: Mapping[str, Any] = record.get("facts") or {}
    inbox = (recorded.get("message") or {}).get("inbox", message["inbox"])
    values = {name: dict(given) for name, given in recorded.items() if name != "message"}
    values["signals"] = {**_NOT_RECORDED, **values.get("signals", {})}
    values["message"] = message_facts(
        channel=message["channel"], provider=message["provider"], inbox=inbox, kind=message["kind"],
        visibility=message["visibility"], language=message["language"], subject=message["subject"], text=message["text"],
        attachments=message["attachments"], contents=message["contents"], about=message["about"],
        authenticated=message["authenticated"], filtered=message.get("filtered"),
    )  # fmt: skip
    return values


def _summary(choice: Choice, queue: str, reopened: bool, made_work_by: str) -> str:
    """One sentence for the agent who asks why this is in front of them."""
    if choice.bulk:
        why = "bulk from somebody never in contact"
    elif choice.out_of_time and not choice.asked:
        why = "this workspace's rules have taken too long of late, so none was asked and the default queue was taken"
    elif choice.out_of_time:
        why = "the rules took too long, so the default queue was taken"
    elif choice.rule is not None:
        why = f"rule “{choice.rule}” matched"
    else:
        why = "no rule matched, so the default queue was taken"
    again = "; the customer came back to finished work" if reopened else ""
    by_hand = "; it was kept out of work, and somebody made it work" if made_work_by else ""
    return f"Queue {queue}: {why}{again}{by_hand}."


def profile_facts(snapshot: Any, policy: Policy, open_conversations: int | None) -> Mapping[str, Any]:
    """``profile.*`` as rules see it; without a snapshot only that the profile is not known."""
    if snapshot is None:
        return {"known": False, "attributes": {}, "tags": []}
    given = snapshot.attributes
    facts: dict[str, Any] = {
        "known": True,
        "version": snapshot.version,
        "tags": list(snapshot.tags or ()),
        "attributes": {name: given[name] for name in given.keys() & policy.attributes},
    }
    if open_conversations is not None:
        facts["open_conversations"] = open_conversations
    if snapshot.tier:
        facts["tier"] = snapshot.tier
    if snapshot.language:
        facts["language"] = snapshot.language
    if snapshot.last_agent_id:
        facts["last_agent"] = str(snapshot.last_agent_id)
    channel, csat = given.get("channel"), given.get("csat")
    if isinstance(channel, str) and channel:
        facts["channel"] = channel
    if isinstance(csat, int | float) and not isinstance(csat, bool):
        facts["csat"] = csat
    return facts
