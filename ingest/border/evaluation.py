"""What our border finds out about one mail, as the value of an Authentication-Results field.

Source: RFC 8601 §2.2, DMARCbis §5.3. A domain is written only as A-labels, and nothing else that a sender wrote, so nobody writes results
of their own into it. ``dmarc=fail`` stands only where everything was asked and answered that could speak for the From domain; what could
not be, is ``temperror``. What a stranger signed or sends is looked at last and while there is time, so neither their name servers nor their
signatures keep anything open, however slow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ingest.border.dmarc import Published, is_aligned, is_within, organization, published
from ingest.border.envelope import Sent, sent_by
from ingest.border.names import Names, NamesUnavailable
from ingest.border.signed import Chain, Signature, Signatures, chain
from ingest.mail.addresses import parse_mailboxes
from ingest.mail.authentication_results import read_results
from ingest.mail.headers import header_text, split_block
from shared.mailbox import a_labels

NO_AUTHOR: Final = "dmarc=permerror"
SEVERAL_AUTHORS: Final = "dmarc=fail"
_CHAIN_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A mail as it came: the envelope's sender, what the server called itself, and its address."""

    content: bytes
    mail_from: str
    helo: str
    peer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    sent: Sequence[Sent]
    signed: Sequence[Signature]

    def told(self) -> list[str]:
        sent = [f"spf={one.result} smtp.{'helo' if one.by_name else 'mailfrom'}={one.domain}" for one in self.sent]
        return sent + [f"dkim={one.result} header.d={one.domain}" for one in self.signed]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Author:
    """The From domain, the domain that its owner registered, and what holds for it; ``known`` False: that could not be asked."""

    domain: str
    above: str
    policy: Published | None
    known: bool


def evaluated(arrival: Arrival, names: Names, *, sealers: frozenset[str]) -> str:
    """The results, without the border's own name. ``sealers``: whose word about a mail they passed on is taken. Never raises."""
    authors = author_domains(arrival.content)
    if len(authors) != 1 or not authors[0]:
        # Nothing else is said: whatever signed it, there is nobody to stand behind.
        return SEVERAL_AUTHORS if len(authors) > 1 else NO_AUTHOR
    domain = authors[0]
    author, signatures = _author(domain, names), Signatures(arrival.content)

    def found(whose: Callable[[str], bool]) -> _Found:
        signed = signatures.of(names, whose)
        return _Found(signed=signed, sent=sent_by(names, whose, peer=arrival.peer, mail_from=arrival.mail_from, helo=arrival.helo))

    own = found(lambda name: is_within(name, author.above))
    result = _judged(author, own, names, is_bounce=not arrival.mail_from)
    with names.sharing(_CHAIN_SHARE):
        passed_on = chain(arrival.content, names) if names.in_time else None
    if passed_on is not None and result in ("fail", "temperror") and author.known:
        result = _as_passed_on(passed_on, domain, sealers) or result
    strangers = found(lambda name: names.in_time and not is_within(name, author.above))
    said = [*own.told(), *strangers.told(), *([f"arc={passed_on.result}"] if passed_on is not None else [])]
    policy = f" policy.dmarc={author.policy.policy}" if author.policy is not None else ""
    return "; ".join([*said, f"dmarc={result} header.from={domain}{policy}"])


def _author(domain: str, names: Names) -> _Author:
    try:
        return _Author(domain=domain, above=organization(domain, names), policy=published(domain, names), known=True)
    except NamesUnavailable:
        return _Author(domain=domain, above=domain, policy=None, known=False)


def author_domains(content: bytes) -> list[str]:
    """The domain of each mailbox in each From as A-labels, empty where it is none; a mail has one (RFC 5322 §3.6)."""
    fields, _ = split_block(content, 0, len(content))
    authors = [one.value for one in fields if one.name.lower() == "from"]
    return [a_labels(box.address.rpartition("@")[2]) for one in authors for box in parse_mailboxes(header_text(one))]


def _judged(author: _Author, own: _Found, names: Names, *, is_bounce: bool) -> str:
    """DMARC's result by what was found of the author's own domains. A bounce has no sender, so the server's name stands for it
    (RFC 7208 §2.4).
    """
    policy, domain = author.policy, author.domain
    if policy is None:
        return "none" if author.known else "temperror"
    try:
        signed = [one for one in own.signed if is_aligned(one.domain, domain, names, strict=policy.strict_dkim)]
        sent = [
            one for one in own.sent if one.by_name is is_bounce and is_aligned(one.domain, domain, names, strict=policy.strict_spf)
        ]
    except NamesUnavailable:
        return "temperror"
    if "pass" in [one.result for one in signed] + [one.result for one in sent]:
        return "pass"
    is_open = any(one.open for one in signed) or any(one.result == "temperror" for one in sent)
    return "temperror" if is_open else "fail"


def _as_passed_on(passed_on: Chain, domain: str, sealers: frozenset[str]) -> str:
    """DMARC's result by the word of those who sealed the mail; empty where they are not all believed, or did not find it proven."""
    if not passed_on.sealers or not passed_on.sealers <= sealers:
        return ""
    if passed_on.result != "pass":
        # A key of nobody who is believed, which a set may name beside the sealer, keeps nothing open.
        return "temperror" if passed_on.result == "temperror" and passed_on.unasked <= sealers else ""
    judged = [one for one in read_results(passed_on.first_results).results if one.method == "dmarc"]
    proven = bool(judged) and all(
        one.result == "pass" and one.sound and a_labels(one.value("header.from")) == domain for one in judged
    )
    return "pass" if proven else ""
