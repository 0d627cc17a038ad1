"""Who a mail is from, and where they want to be answered: the person behind a form, a list or a borrowed From. Pure; never raises.

Source: RFC 5322 §3.6.2 (From, Reply-To), RFC 2369 (List-Post), RFC 7960 §3.2 (lists that write their own address into From); what Google
Groups, Mailman and web forms are known to write.
Meaning: a person who is named in Reply-To or by a list is asserted, never vouched for: whoever writes a mail writes these fields. Our own
mailbox is nobody's: mail from it without such a person is from nobody we know, and no answer goes there.
Identity: two mailboxes are one when their handles are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ingest.mail.addresses import Mailbox
from ingest.mail.headers import values_of
from ingest.mail.mime import Mail
from ingest.mail.own_mailboxes import OwnMailboxes, handle_value
from shared.text import fold_turkish

_LIST_FIELDS: Final = ("List-Id", "List-Post", "Mailing-list", "X-Google-Group-Id", "X-BeenThere")
_ADDRESS: Final = re.compile(r"[^\s<>:;,\"()]{1,200}@[^\s<>:;,\"()]{1,200}")
_VIA: Final = re.compile(r"\s+(?:via|üzerinden|über)\s+\S.*\Z", re.IGNORECASE)
_SEPARATORS: Final = re.compile(r"[._-]+")
_PROGRAMS: Final = frozenset(
    {
        "apache", "bot", "cevapverme", "contactform", "daemon", "httpd", "iletisimformu", "nginx", "nobody", "robot", "sistem", "system", "web",
        "website", "websitesi", "www", "wwwdata", "yanitlama", "yanitlamayin",
    }
)  # fmt: skip
"""Local parts of programs, without signs between their words."""
_PROGRAM_WORDS: Final = frozenset(
    {
        "bildirim", "bildirimler", "form", "formlar", "forms", "formu", "mailer", "notification", "notifications", "notify", "webform",
        "webformu", "wordpress",
    }
)  # fmt: skip
"""Words that name a program wherever they stand in a local part."""
_UNREAD: Final = ("donotreply", "noreply")
_FORM_PROGRAM: Final = re.compile(r"phpmailer|wordpress|wpforms|wpmailsmtp|drupal|joomla|typo3|contact form", re.IGNORECASE)
_WEBMAIL_SCRIPT: Final = re.compile(r"rcube|roundcube|webmail|squirrel|horde|rainloop|sogo", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Correspondent:
    """``box``: who wrote, None for nobody we know. ``reply_to``: where they ask to be answered, empty at their own address.
    ``written_from``: the form's or list's address that the mail came from in their stead, empty when From is their own."""

    box: Mailbox | None
    reply_to: str = ""
    written_from: str = ""


def correspondent(mail: Mail, own: OwnMailboxes) -> Correspondent:
    """The person of a mail. See the module; the same mail gives the same answer."""
    author = mail.sender
    if author is None:
        return Correspondent(box=None)
    asked = _asked(mail, author, own)
    if not own.has(author.address) and not _is_munged(mail, author, asked):
        if any(_is_one(box, author) for box in mail.reply_to):
            asked = None  # the author is answered there too, so nobody else has to be
        if asked is not None and _is_form(mail, author, asked, own):
            return Correspondent(box=asked, written_from=author.address)
        return Correspondent(box=author, reply_to="" if asked is None else asked.address)
    named = (mail.original_from, asked, mail.original_sender)
    person = next((one for one in named if one is not None and handle_value(one.address) and not own.has(one.address)), None)
    if person is None:
        return Correspondent(box=None if own.has(author.address) else author)
    elsewhere = asked is not None and not _is_one(asked, person)
    return Correspondent(
        box=Mailbox(name=person.name or _name_before_via(author), address=person.address),
        reply_to=asked.address if asked is not None and elsewhere else "",
        written_from=author.address,
    )


def _asked(mail: Mail, author: Mailbox, own: OwnMailboxes) -> Mailbox | None:
    """The first address of Reply-To that is another person's: not the author's, a list's or ours."""
    lists = _list_addresses(mail)
    given = (box for box in mail.reply_to if (value := handle_value(box.address)) and value not in lists)
    return next((box for box in given if not _is_one(box, author) and not own.has(box.address)), None)


def _is_one(one: Mailbox, other: Mailbox) -> bool:
    return handle_value(one.address) == handle_value(other.address)


def _list_addresses(mail: Mail) -> frozenset[str]:
    fields = " ".join(
        value[:2_000] for name in ("List-Post", "Mailing-list", "X-BeenThere") for value in values_of(mail.headers, name)[:5]
    )
    return frozenset(handle_value(found) for found in _ADDRESS.findall(fields))


def _is_munged(mail: Mail, author: Mailbox, asked: Mailbox | None) -> bool:
    """Whether a list wrote its own address into From, so that the author's domain does not have to vouch for what the list sends."""
    via = bool(_VIA.search(author.name or ""))
    is_list = any(values_of(mail.headers, name) for name in _LIST_FIELDS)
    if mail.original_from is not None and (via or is_list):
        return True
    return via and (mail.original_sender is not None or (asked is not None and is_list))


def _is_form(mail: Mail, author: Mailbox, asked: Mailbox, own: OwnMailboxes) -> bool:
    """Whether a program wrote the mail for the person in Reply-To: by its name, by what it says of itself, or from our own domain."""
    if _is_program(author):
        return True
    if own.is_domain(author.address) and not own.is_domain(asked.address):
        return True
    generated = any(value.strip().lower().startswith("auto-generated") for value in values_of(mail.headers, "Auto-Submitted"))
    programs = [value for name in ("X-Mailer", "User-Agent") for value in values_of(mail.headers, name)]
    scripts = [value for name in ("X-PHP-Originating-Script", "X-PHP-Script") for value in values_of(mail.headers, name)]
    return (
        generated
        or any(_FORM_PROGRAM.search(value[:200]) for value in programs)
        or any(not _WEBMAIL_SCRIPT.search(value[:500]) for value in scripts)
    )


def _is_program(author: Mailbox) -> bool:
    local = fold_turkish(handle_value(author.address).rpartition("@")[0].partition("+")[0])
    words = _SEPARATORS.split(local)
    joined = "".join(words)
    return joined in _PROGRAMS or joined.startswith(_UNREAD) or not _PROGRAM_WORDS.isdisjoint(words)


def _name_before_via(author: Mailbox) -> str | None:
    """``'Ali Veli' via Destek``: the name that the list put before its own."""
    name = (author.name or "").strip()
    if not _VIA.search(name):
        return None
    return _VIA.sub("", name).strip().strip("'\"").strip() or None
