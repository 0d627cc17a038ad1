"""DMARC: what a domain publishes about mail in its name, and which other domains speak for it. Pure but for the questions handed in.

Source: DMARCbis (draft-ietf-dmarc-dmarcbis, which replaces RFC 7489): the tree walk of §4.10 instead of a list of public suffixes, ``psd``
and ``np``; ``pct`` has no meaning. What is published decides of a mail only which alignment counts: whether to refuse is not ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

_RECORD: Final = re.compile(r"\s*v\s*=\s*DMARC1\s*(?:;|$)")
_LABELS_MAX: Final = 8
_POLICIES: Final = ("none", "quarantine", "reject")


class Questions(Protocol):
    """What is asked of DNS; both raise where nobody knows."""

    def texts(self, name: str) -> list[bytes]: ...

    def has(self, name: str) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What holds for one From domain. ``strict_dkim``, ``strict_spf``: the very domain has to sign, or to send."""

    policy: str
    strict_dkim: bool
    strict_spf: bool


def published(domain: str, questions: Questions) -> Published | None:
    """What the domain publishes, or the one above that answers for it; None when nobody does."""
    found = _walk(domain, questions)
    if not found:
        return None
    above = _organization(domain, found)
    suffix = next((name for name, tags in found if tags.get("psd") == "y"), None)
    at, tags = next((one for name in (domain, above, suffix) for one in found if one[0] == name), found[0])
    policy = tags["p"]
    if at != domain:
        policy = tags.get("sp", policy)
        if "np" in tags and not questions.has(domain):
            policy = tags["np"]
    return Published(policy=policy, strict_dkim=tags.get("adkim") == "s", strict_spf=tags.get("aspf") == "s")


def is_aligned(proven: str, domain: str, questions: Questions, *, strict: bool) -> bool:
    """Whether a domain that is proven speaks for the From domain. Both in A-labels. Raises what ``questions`` does.

    Asked are only names of the From domain's owner: a stranger's that do not answer cannot keep anything open.
    """
    if proven == domain:
        return True
    if strict:
        return False
    above = organization(domain, questions)
    return is_within(proven, above) and organization(proven, questions) == above


def is_within(name: str, above: str) -> bool:
    """Whether it is that domain or one below it."""
    return name == above or name.endswith(f".{above}")


def organization(domain: str, questions: Questions) -> str:
    """The domain that whoever owns this one registered, as far as the records tell; itself when none does."""
    return _organization(domain, _walk(domain, questions))


def _organization(domain: str, found: list[tuple[str, Mapping[str, str]]]) -> str:
    for name, tags in found:
        if tags.get("psd") == "n":
            return name
        if tags.get("psd") == "y" and name != domain:
            labels = domain.split(".")
            return ".".join(labels[len(labels) - name.count(".") - 2 :])
    return found[-1][0] if found else domain


def _walk(domain: str, questions: Questions) -> list[tuple[str, Mapping[str, str]]]:
    """The records at the domain and above it, from the longest name; a name of many labels is cut to seven after the first question."""
    found: list[tuple[str, Mapping[str, str]]] = []
    labels = domain.split(".")
    while labels:
        name = ".".join(labels)
        tags = _tags(questions.texts(f"_dmarc.{name}"))
        if tags is not None:
            found.append((name, tags))
            if tags.get("psd") in ("y", "n"):
                break
        labels = labels[-(_LABELS_MAX - 1) :] if len(labels) >= _LABELS_MAX else labels[1:]
    return found


def _tags(texts: list[bytes]) -> Mapping[str, str] | None:
    """The one record among the texts, None when there is none, several, or one without a policy."""
    records = [text for one in texts if _RECORD.match(text := one.decode("utf-8", "replace"))]
    if len(records) != 1:
        return None
    pairs = (part.partition("=") for part in records[0].split(";"))
    tags = {name.strip().lower(): value.strip().lower() for name, sign, value in pairs if sign}
    if tags.get("p") not in _POLICIES:
        if not tags.get("rua"):
            return None
        tags["p"] = "none"
    return {name: value for name, value in tags.items() if name not in ("sp", "np") or value in _POLICIES}
