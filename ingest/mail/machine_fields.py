"""What the fields of a mail say of its writer: a machine, somebody to whom nothing comes back, a mail that was not sent to us. Pure.

Source: RFC 3834 §5 (Auto-Submitted), RFC 5321 §4.4 and §4.5.5 (the null path), RFC 5322 §3.6; the rest are habits of programs.
Never raises.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ingest.mail.addresses import parse_mailboxes
from ingest.mail.headers import Headers, values_of
from ingest.mail.machine_words import any_of, folded
from ingest.mail.own_mailboxes import OwnMailboxes

LOOP_HEADER = "X-Santral-Loop"
"""Stands in every mail we send by ourselves; a mail that carries it came from us or from an echo of us."""

WriterKind = Literal["daemon", "postmaster", "nobody", "somebody"]
"""Who the From says has written: a mail server, its keeper's mailbox, no address at all, anybody else."""

_VALUE_CHARS_MAX = 500
_COMMENT = re.compile(r"\([^()]*\)")
_DAEMON = re.compile(
    r"(?:mailer|mail|maill?er|post)[-_.]?da?emon\w{0,20}|mdaemon|mail[-_.]?delivery[-_.]?(?:sub)?system|mail-?deliver-?system"
    r"|microsoftexchange[0-9a-f]{0,40}"
)
_DAEMON_NAME = re.compile(
    r"(?:mail(?:er)?[ -]?daemon|(?:e-?)?mail deliver(?:y|er)? (?:sub)?system|delivery (?:sub)?system|mail delivery agent"
    rf"|{any_of(('posta teslim sistemi', 'e-posta teslim sistemi', 'система доставки почты'))})\b"
)
"""Names that no couriers' firm has."""
_POSTMASTER = re.compile(r"post[-_]?master|system administrator|mail[-_. ]?administrator|administrator")
_MEMBERS_LISTS = ("X-BeenThere", "X-Mailman-Version", "Mailing-List", "X-Mailing-List", "X-Google-Group-Id")
_QMAIL_BOUNCE = re.compile(r"\(qmail \d{1,10} invoked for bounce\)")
_REFUSALS = {"no", "false", "0", "none", "off"}
_ANSWERING = (
    "X-Autoreply", "X-Auto-Reply", "X-Autorespond", "X-Autoresponder", "X-Auto-Responder", "X-AutoReply-From", "X-Mail-Autoreply",
    "Delivered-By-The-Graces-Of",
)  # fmt: skip


def words_of(headers: Headers, name: str) -> list[str]:
    """The words of a field, in lower case, comments and all."""
    return re.findall(r"[a-z_-]+", " ".join(values_of(headers, name))[:_VALUE_CHARS_MAX].lower())


def submitted(headers: Headers) -> str:
    """The keyword of Auto-Submitted, without comments and parameters; empty where there is none."""
    value = _COMMENT.sub(" ", " ".join(values_of(headers, "Auto-Submitted")[:1])[:_VALUE_CHARS_MAX])
    return value.partition(";")[0].strip().lower()


def goes_nowhere(headers: Headers) -> bool:
    """Whether no answer is to come back: the topmost Return-Path is null, or the mail server's own.

    Alone it says nothing: forwarders and forms send people's words under it.
    """
    paths = values_of(headers, "Return-Path")[:1]
    return bool(paths) and "".join(paths[0].split()).strip("<>").partition("@")[0].lower() in ("", "mailer-daemon")


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Who seems to have written, by name or address; and whether the address itself is a mail server's or the postmaster's."""

    kind: WriterKind
    has_servers_address: bool = False
    has_keepers_address: bool = False


def writer_of(headers: Headers) -> Writer:
    """Who the From says has written."""
    value = " ".join(values_of(headers, "From")[:1])[: 4 * _VALUE_CHARS_MAX]
    boxes = parse_mailboxes(value)
    if not boxes:
        name = folded(value)
        if _DAEMON_NAME.match(name) or _DAEMON.match(name):
            return Writer(kind="daemon")
        return Writer(kind="postmaster" if _POSTMASTER.match(name) else "nobody")
    local, name = _local(boxes[0].address), folded(boxes[0].name or "")
    if _DAEMON.fullmatch(local):
        return Writer(kind="daemon", has_servers_address=True)
    is_keepers = local == "postmaster"
    if _DAEMON_NAME.match(name):
        return Writer(kind="daemon", has_keepers_address=is_keepers)
    is_keeper = _POSTMASTER.match(local) or _POSTMASTER.match(name)
    return Writer(kind="postmaster" if is_keeper else "somebody", has_keepers_address=is_keepers)


def _local(address: str) -> str:
    return (address.rpartition("@")[0] or address).strip('"').lower()


def bounce_fields(headers: Headers) -> tuple[str, ...]:
    """The fields that only a server's own bounce has, under whatever From: qmail's trace, the mark of older Exchange."""
    trace = any(_QMAIL_BOUNCE.match(value) for value in values_of(headers, "Received")[:5])
    return (("Received",) if trace else ()) + names_with_values(headers, ("X-MS-Embedded-Report",))


def is_nobodys(headers: Headers, writer: Writer) -> bool:
    """Whether nobody at all stands behind a mail: nothing comes back to it, and no field has an author's address."""
    others = (value for name in ("Reply-To", "Sender") for value in values_of(headers, name)[:1])
    return writer.kind == "nobody" and goes_nowhere(headers) and not any(parse_mailboxes(value) for value in others)


def answering_fields(headers: Headers) -> tuple[str, ...]:
    """The fields with which programs mark their answers, by name; one that says no marks nothing."""
    found = [name for name in _ANSWERING if any(_means_yes(value) for value in values_of(headers, name))]
    found += [name for name in ("Precedence", "X-Precedence") if "auto_reply" in words_of(headers, name)]
    return tuple(found)


def campaign_fields(headers: Headers) -> tuple[str, ...]:
    """The fields of a mail to many that its sender's system wrote, by name.

    None where a list sends its members' posts on (RFC 2369 §3.4, the habits of older lists): people write them, however it marks them.
    """
    if any(_means_yes(value) for value in values_of(headers, "List-Post")) or names_with_values(headers, _MEMBERS_LISTS):
        return ()
    found = ["X-Campaign-Id"] if values_of(headers, "X-Campaign-Id") else []
    found += ["Precedence"] if {"bulk", "junk"} & set(words_of(headers, "Precedence")) else []
    if values_of(headers, "Feedback-ID") and values_of(headers, "List-Unsubscribe"):
        found += ["Feedback-ID", "List-Unsubscribe"]
    return tuple(found)


def is_addressed_to(headers: Headers, own: OwnMailboxes) -> bool:
    """Whether To or Cc has one of our mailboxes, also with a plus-tag."""
    named = (box.address for name in ("To", "Cc") for value in values_of(headers, name) for box in parse_mailboxes(value))
    return any(own.is_named_by(address) for address in named)


def _means_yes(value: str) -> bool:
    return value.strip().lower() not in _REFUSALS


def names_with_values(headers: Headers, names: Sequence[str]) -> tuple[str, ...]:
    """Those of the names that the mail has."""
    return tuple(name for name in names if values_of(headers, name))
