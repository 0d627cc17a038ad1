"""What our SMTP listener says of who wrote a mail: nothing, what it finds out, or on one's own machine that everybody is who they say.

Pure: built from settings. A listener without a border leaves the verdict to the mail border in front of it (the inboxes' `authserv_id`).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from shared.errors import InputRejected
from shared.mailbox import a_labels

TRUST_ALL: Final = "SANTRAL_TRUST_ALL_MAIL_AS"
EVALUATE: Final = "SANTRAL_BORDER_EVALUATE_AS"
RETIRED: Final = "SANTRAL_BORDER_ID"
_SEALERS: Final = "SANTRAL_BORDER_TRUSTED_SEALERS"
_NAMESERVER: Final = "SANTRAL_NAMESERVER"
_ID: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_DNS_PORT: Final = 53


@dataclass(frozen=True, slots=True, kw_only=True)
class MailBorder:
    """``authserv_id`` is the name that our verdict stands under. ``evaluates`` False: every mail passes, whoever sent it.

    ``sealers`` are domains (A-labels) whose ARC seals are believed; ``nameserver`` None asks the system's.
    """

    authserv_id: str
    evaluates: bool
    sealers: frozenset[str] = frozenset()
    nameserver: tuple[str, int] | None = None


def border_from(
    *, trust_all_as: str, evaluate_as: str, retired: str, sealers: str, nameserver: str, host: str, production: bool
) -> MailBorder | None:
    """The border that the settings ask for, None without one. Raises `InputRejected` naming the setting and what to do."""
    if retired:
        raise InputRejected(
            "it made every mail count as proven, whoever sent it, and has no meaning any more",
            field=RETIRED,
            remedy=f"unset it; set {EVALUATE}={retired} to have senders evaluated, or the inboxes' authserv_id where a "
            f"mail border stands in front; {TRUST_ALL}={retired} does what it did, on one's own machine only",
        )
    if trust_all_as and evaluate_as:
        raise InputRejected(f"set beside {EVALUATE}", field=TRUST_ALL, remedy="keep one of the two")
    if trust_all_as:
        _require_own_machine(host, production=production)
        return MailBorder(authserv_id=_authserv_id(trust_all_as, TRUST_ALL), evaluates=False)
    if not evaluate_as:
        return None
    return MailBorder(
        authserv_id=_authserv_id(evaluate_as, EVALUATE), evaluates=True, sealers=_domains(sealers), nameserver=_nameserver(nameserver)
    )  # fmt: skip


def is_own_machine(host: str) -> bool:
    """Whether what listens there is heard by this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _require_own_machine(host: str, *, production: bool) -> None:
    says = "makes every mail count as proven, whoever sent it"
    if production:
        raise InputRejected(
            f"{says}, and SANTRAL_PRODUCTION is set", field=TRUST_ALL, remedy=f"unset it, or set {EVALUATE} instead"
        )
    if not is_own_machine(host):
        raise InputRejected(
            f"{says}, and SANTRAL_HOST={host} lets other machines in",
            field=TRUST_ALL,
            remedy=f"listen on 127.0.0.1, or set {EVALUATE} instead",
        )


def _authserv_id(given: str, setting: str) -> str:
    if not _ID.fullmatch(given):
        raise InputRejected("not a name for a mail border", field=setting, remedy="a host name, as in mx.ornek.com")
    return given.lower()


def _domains(given: str) -> frozenset[str]:
    names = [one.strip() for one in given.split(",") if one.strip()]
    for one in names:
        if not _ID.fullmatch(a_labels(one)):
            raise InputRejected(f"{one} is no domain", field=_SEALERS, remedy="domains with commas between them, as in ornek.com")
    return frozenset(a_labels(one) for one in names)


def _nameserver(given: str) -> tuple[str, int] | None:
    if not given:
        return None
    host, sign, port = (
        given.rpartition(":") if given.count(":") == 1 or (given.startswith("[") and "]:" in given) else (given, "", "")
    )
    try:
        address = str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        address = ""
    if not address or (sign and not (port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16)):
        raise InputRejected(
            f"{given} is no address", field=_NAMESERVER, remedy="ADDRESS or ADDRESS:PORT, as in 10.0.0.2:53 or [fd00::2]:53"
        )
    return address, int(port) if sign else _DNS_PORT
