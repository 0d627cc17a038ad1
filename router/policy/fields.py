"""What a rule can ask about: every fact by name, its type, and what a person who edits a policy should know of it.

The same list serves the translation of trees, the type check of expressions and the page that edits them.
**Units**: seconds for ``…_s``, urgency and confidences 0..1. **Identity**: a fact by its name, like ``message.channel``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from shared.message import Content

Type = Literal["text", "number", "yes_no", "texts", "any"]
TEXT_CHARS_SEEN: Final = 10_000
"""How much of a text rules see: enough for any letter, and a bound on what one rule can cost."""
MEMBERS_SEEN: Final = 1_000
"""How much of a list they see."""
TYPE_NAMES: Final[Mapping[Type, str]] = {
    "text": "a text", "number": "a number", "yes_no": "yes or no", "texts": "a list of texts", "any": "any value",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class FactField:
    """One fact. ``always`` says that it is there for every message; ``values`` are the usual ones, not all possible ones."""

    name: str
    type: Type
    help: str
    always: bool = False
    values: tuple[str, ...] = ()


def _field(name: str, kind: Type, about: str, *values: str, always: bool = True) -> FactField:
    return FactField(name=name, type=kind, help=about, always=always, values=values)


_FIELDS: Final = (
    _field("message.channel", "text", "the medium", "email", "chat", "phone", "social"),
    _field("message.provider", "text", "who carried it, like smtp, webchat or whatsapp"),
    _field("message.inbox", "text", "the name of the inbox it came to"),
    _field("message.kind", "text", "what it is", "text", "comment", "review", "missed_call", "voicemail", "edit"),
    _field("message.visibility", "text", "who can read it", "private", "public"),
    _field("message.language", "text", "two letters, empty while nobody knows", "tr", "en"),
    _field("message.subject", "text", "the subject, often empty outside mail"),
    _field("message.text", "text", f"the words without quoted mail, the first {TEXT_CHARS_SEEN} letters"),
    _field("message.attachments", "number", "how many files came with it"),
    _field("message.contents", "texts", "what came beside words, known before files are fetched", *get_args(Content)),
    _field("message.about", "text", "what the words are about: an ad's headline, a story's address; often empty"),
    _field("message.authenticated", "yes_no", "whether the channel vouches for the sender"),
    _field(
        "message.filter_verdict",
        "text",
        "what the filter at your own mail border says, empty without one",
        "clean",
        "bulk",
        "spam",
        "phishing",
    ),
    _field("message.filter_by", "text", "which filter said it, empty without one"),
    _field("message.filter_score", "number", "its score, in that filter's own units", always=False),
    _field("profile.known", "yes_no", "whether the customer could be looked up in time"),
    _field("profile.tier", "text", "the customer's tier, like gold", always=False),
    _field("profile.tags", "texts", "the customer's tags"),
    _field("profile.language", "text", "the language the customer prefers", always=False),
    _field("profile.channel", "text", "the channel the customer prefers", always=False),
    _field(
        "profile.open_conversations", "number", "how many conversations the customer had open before this message", always=False
    ),
    _field("profile.last_agent", "text", "the id of the agent who last helped", always=False),
    _field("profile.csat", "number", "the customer's last rating", always=False),
    _field("profile.version", "number", "goes up with each change of the profile", always=False),
    _field("conversation.reopened", "yes_no", "whether work on it was finished a short while ago"),
    _field("conversation.channels", "texts", "the channels it has used", "email", "chat", "phone", "social"),
    _field("conversation.messages", "number", "how much happened in it before"),
    _field("conversation.age_s", "number", "seconds since it began"),
    _field("signals.urgency", "number", "0 to 1, from words, capitals and repeated contact"),
    _field("signals.complaint", "yes_no", "whether a word of the complaint list is in it"),
    _field("signals.auto_reply", "yes_no", "whether a machine answered"),
    _field("signals.bounce", "yes_no", "whether a mail came back"),
    _field("signals.bulk", "yes_no", "whether it went to many"),
    _field("signals.spam", "yes_no", "whether it looks like spam"),
    _field("signals.do_not_answer", "yes_no", "whether something in it forbids automatic answers"),
    _field("signals.marks", "texts", "what forbids them: fields and parts of the mail, by name"),
    _field("signals.thanks", "yes_no", "whether it only thanks"),
    _field("signals.person", "yes_no", "whether it asks for a person instead of a bot"),
    _field("signals.shouting", "yes_no", "whether it is mostly capitals"),
    _field("signals.repeat_contact", "yes_no", "whether the customer writes again before an answer"),
    _field("signals.language_confidence", "number", "0 to 1"),
    _field("signals.keywords", "texts", "the words that made the signals"),
    _field("signals.label", "text", "what your own classifier is surest it is about, empty without one"),
    _field("signals.label_confidence", "number", "0 to 1, how sure the classifier is"),
    _field("signals.labels", "texts", "all that the classifier says it is about, the surest first"),
    _field("signals.model", "text", "the version of the classifier that answered, empty when none did"),
    _field("now.open", "yes_no", "whether the workspace works at this moment"),
    _field("now.weekday", "number", "1 is Monday, 7 is Sunday"),
    _field("now.hour", "number", "0 to 23 in the workspace's time zone"),
    _field("now.holiday", "yes_no", "whether today is a holiday"),
)
BY_NAME: Final[Mapping[str, FactField]] = {one.name: one for one in _FIELDS}
ROOTS: Final = ("message", "profile", "conversation", "signals", "queue", "now")
QUEUE_FIELDS: Final[Mapping[str, str]] = {
    "waiting": "how many items wait in it",
    "oldest_s": "seconds the oldest of them has waited",
    "agents_online": "how many of its agents are online",
    "expected_wait_s": "seconds a new item will wait, roughly",
}
"""Figures of a queue, all numbers: ``queue.<name>.waiting`` in a tree, ``queue["<name>"].waiting`` in an expression."""


def fields_of(root: str) -> frozenset[str]:
    """The names under a root, without it; ``profile`` has ``attributes`` besides."""
    names = {name.partition(".")[2] for name in BY_NAME if name.startswith(f"{root}.")}
    return frozenset(names | {"attributes"} if root == "profile" else names)


def nearest(name: str, known: Iterable[str]) -> str:
    """``did you mean x? `` when one of the known names is close, else nothing."""
    found = difflib.get_close_matches(name[:100], list(known), n=1, cutoff=0.6)
    return f"did you mean {found[0]}? " if found else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """What a leaf of a tree can ask. ``takes``: no value, one, or a list of them."""

    name: str
    types: tuple[Type, ...]
    takes: Literal["nothing", "one", "list"]
    help: str


_ALL: Final[tuple[Type, ...]] = ("text", "number", "yes_no", "texts", "any")
_OPERATORS: Final = (
    Operator(name="is", types=("text", "number", "yes_no", "any"), takes="one", help="equal to the value"),
    Operator(name="is_not", types=("text", "number", "yes_no", "any"), takes="one", help="there, and not the value"),
    Operator(name="in", types=("text", "number", "any"), takes="list", help="one of the values"),
    Operator(name="not_in", types=("text", "number", "any"), takes="list", help="there, and none of the values"),
    Operator(name="more", types=("number", "any"), takes="one", help="greater than the value"),
    Operator(name="at_least", types=("number", "any"), takes="one", help="the value or greater"),
    Operator(name="less", types=("number", "any"), takes="one", help="smaller than the value"),
    Operator(name="at_most", types=("number", "any"), takes="one", help="the value or smaller"),
    Operator(name="contains", types=("text", "any"), takes="one", help="has the value somewhere in it, letter by letter"),
    Operator(name="starts_with", types=("text", "any"), takes="one", help="begins with the value"),
    Operator(name="ends_with", types=("text", "any"), takes="one", help="ends with the value"),
    Operator(name="has", types=("texts", "any"), takes="one", help="the list has the value"),
    Operator(name="is_true", types=("yes_no", "any"), takes="nothing", help="yes"),
    Operator(name="is_false", types=("yes_no", "any"), takes="nothing", help="no"),
    Operator(name="known", types=_ALL, takes="nothing", help="there at all"),
)
OPERATORS: Final[Mapping[str, Operator]] = {one.name: one for one in _OPERATORS}


def operators_for(kind: Type) -> tuple[str, ...]:
    """The operators that a field of this type takes."""
    return tuple(one.name for one in _OPERATORS if kind in one.types)


def message_facts(
    *, channel: str, provider: str, inbox: str, kind: str, visibility: str, language: str, subject: str, text: str,
    attachments: int, contents: Sequence[str], about: str, authenticated: bool, filtered: Mapping[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """``message.*`` as rules see it: at intake, and again from the stored row. ``filtered``: a `shared.message.Filtered` as JSON."""
    filtered = filtered or {}
    score = {} if filtered.get("score") is None else {"filter_score": filtered["score"]}
    return {
        "channel": channel, "provider": provider, "inbox": inbox, "kind": kind, "visibility": visibility, "language": language,
        "subject": subject[:TEXT_CHARS_SEEN], "text": text[:TEXT_CHARS_SEEN], "attachments": attachments,
        "contents": list(contents), "about": about,
        "authenticated": authenticated, "filter_verdict": filtered.get("verdict", ""), "filter_by": filtered.get("by", ""), **score,
    }  # fmt: skip
