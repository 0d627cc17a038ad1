"""The forms that earlier releases gave a handle: asked of tombstones for ever, and read again from what they were made of.

A change of :func:`shared.handle.normalized` raises ``NORMALIZATION`` and says here what a handle was called before; nothing else has
to be changed: intake, tombstones and the walk over stored handles (`profiles/renewal.py`) ask these functions.

=============  =====================================================================================================
normalization  what it made
=============  =====================================================================================================
1 (0.1.0)      domains by IDNA 2003 (``faß`` is ``fass``), quotes as written; of ``<"ali veli"@x>`` it made ``aliveli"@x``
2              domains by IDNA 2008, quotes only where they are needed
3              one form for one telephone number (`shared/telephone.py`); of ``+54 9 11 …`` and ``+54 11 …`` it made two before
=============  =====================================================================================================

**Identity**: an earlier form may be another person's handle today. So it only refuses what was observed before an erasure; a stored
handle is somebody's by its raw value, never by such a form. Pure.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from stringprep import in_table_b1
from typing import Final

from shared.errors import InputRejected
from shared.handle import PHONE_KINDS, Handle, normalized
from shared.mailbox import local_content
from shared.telephone import as_given, form_before, one_form

NORMALIZATION: Final = 3
"""Which of these rules `normalized` follows."""
_ACE: Final = "xn--"
_LABEL_CHARS_MAX: Final = 63
_KEPT_MAX: Final = 4096


def earlier_forms(handle: Handle, raw: str = "") -> tuple[Handle, ...]:
    """What earlier releases may have called the handle, without what it is called now. ``raw`` as a channel gave it, where it is known."""
    if handle.kind in PHONE_KINDS:
        before = form_before(handle.value)
        return (_called(handle, before),) if before else ()
    if handle.kind != "email":
        return ()
    forms: dict[str, None] = {}
    for address in (handle.value, raw):
        local, at, domain = address.strip("<> ").rpartition("@")
        content = local_content(local) if at else None
        if content is None or (address is raw and not _is_of(handle, raw)):
            continue
        for host in dict.fromkeys((_by_idna_2003(domain), _by_idna_2003(_u_labels(domain)), handle.value.rpartition("@")[2])):
            forms |= dict.fromkeys(f"{_folded(one)}@{host}" for one in _locals(content[0])) if host else {}
    return tuple(_called(handle, one) for one in forms if one != handle.value)


def renewed(handle: Handle, raw: str) -> Handle:
    """What this release calls a handle that an earlier one stored with its raw value; itself when nothing else is proven.

    A raw value that no release made this handle of proves nothing; neither does a form of which two mailboxes may be meant. A number
    says by itself which number it is.
    """
    if handle.kind in PHONE_KINDS:
        return _called(handle, one_form(handle.value))
    if handle.kind != "email" or (raw.isascii() and not _odd(raw) and not _odd(handle.value)):
        return handle
    for address in (raw, handle.value):
        try:
            now = normalized(handle.kind, address)
        except InputRejected:
            continue
        again = _called(handle, now.value)
        if again == handle or handle in earlier_forms(again, address):
            return again
    return handle


def is_readable(handle: Handle) -> bool:
    """Whether this release takes the value for one of its kind; of others only their own rows know what they were made of."""
    try:
        normalized(handle.kind, handle.value, scope=handle.scope)
    except InputRejected:
        return False
    return True


def first_form(handle: Handle, raw: str = "") -> Handle:
    """The name under which a handle's messages travel: 0.1.0's, so that a sender keeps its partition while messages of before wait.

    Two handles may share one; they then share a partition, which does no harm. A number that 0.1.0 took for two travels as ``raw`` has it.
    """
    if handle.kind in PHONE_KINDS:
        return _called(handle, as_given(handle.value, raw))
    local, _, domain = handle.value.rpartition("@")
    if handle.kind != "email" or "xn--" not in domain:
        return handle
    host = _by_idna_2003(_u_labels(domain))
    return _called(handle, f"{local}@{host}") if host else handle


def _called(handle: Handle, value: str) -> Handle:
    return Handle(kind=handle.kind, scope=handle.scope, value=value)


def _odd(address: str) -> bool:
    return '"' in address or " " in address


def _is_of(handle: Handle, raw: str) -> bool:
    try:
        return normalized(handle.kind, raw).value == handle.value
    except InputRejected:
        return False


def _locals(content: str) -> Iterable[str]:
    """A local part as 0.1.0 may have kept it: bare, in its quotes, or without the first of them and without its blanks."""
    quoted = content.replace("\\", "\\\\").replace('"', '\\"')
    yield from (content, f'"{quoted}"', f'{content.replace(" ", "")}"')


def _folded(local: str) -> str:
    return "".join(one.lower() if one.isascii() else one for one in local)


def _u_labels(domain: str) -> str:
    """The domain with each A-label as its letters, also where IDNA 2008 would not have made it."""
    if _ACE not in domain.lower():
        return domain.lower()
    labels = []
    for label in domain.lower().split("."):
        try:
            short = label.startswith(_ACE) and len(label) <= _LABEL_CHARS_MAX
            labels.append(label[len(_ACE) :].encode("ascii").decode("punycode") if short else label)
        except UnicodeError:
            labels.append(label)
    return ".".join(labels)


@lru_cache(maxsize=_KEPT_MAX)
def _by_idna_2003(domain: str) -> str:
    """As 0.1.0 mapped domains (RFC 3490); empty where it refused them."""
    plain = domain.rstrip(".").lower()
    if plain.isascii():
        return plain
    # A letter may become eighteen, and a label's form takes time by the square of its letters: what is too long is refused before it costs.
    if any(_grown(label) > _LABEL_CHARS_MAX - len(_ACE) for label in plain.split(".") if not label.isascii()):
        return ""
    try:
        return plain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return ""


def _grown(label: str) -> int:
    """How many letters IDNA 2003 makes of a label at least; each is a letter of its form, or more."""
    return len(unicodedata.normalize("NFKC", "".join(one for one in label if not in_table_b1(one))))
