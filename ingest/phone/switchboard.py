"""A switchboard as its inbox describes it: which devices and numbers are inside, and so which way a call went. Pure.

The channel tells, not the look of the number: a telephone of the house may show the company's number or none, and whoever calls from
outside may withhold theirs. Where nothing is said of a channel's name, the number is what is left.

| a channel | is |
|---|---|
| a device under ``agents``, or named like an extension (``PJSIP/101``) | inside |
| named under ``trunks``, called a trunk, an account that is a number, an ISDN line (``DAHDI/i1/…``) | outside |
| ``Local/…`` | the switchboard itself: inside, unless it carries a customer's number |
| any other, with an extension's number or its own name as number | inside |
| any other, with one of our own numbers, calling a number that is none of ours | inside |
| any other | outside |

Source: Asterisk, "CDR Specification" and "Channel names". **Identity**: a device is its channel's name without the part for one call.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from ingest.patterns import is_pattern, is_whole
from ingest.phone.cdr import Row, device_of
from ingest.phone.own_numbers import is_own, own_numbers
from shared.callers import is_withheld
from shared.time_zones import zone_of

Direction = Literal["in", "out", "internal"]
_EXTENSION: Final = r"[0-9*#]{1,5}"
_LINE: Final = re.compile(r"[ig][0-9]+/.*|.*trunk.*", re.IGNORECASE)
_ACCOUNT: Final = re.compile(r"\+?[0-9]{7,}")
_DIALLED: Final = re.compile(r"[-+0-9*# ()./]+")
_ORIGINATED: Final = frozenset({"appdial", "appdial2"})
_FOREIGN_DIGITS_MIN: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Switchboard:
    """``own`` are the company's numbers, comparable; ``devices`` and ``trunks`` with and without their technology."""

    zone: ZoneInfo
    columns: tuple[str, ...]
    region: str | None
    extension: str
    inbound_contexts: frozenset[str]
    devices: frozenset[str]
    trunks: frozenset[str]
    own: frozenset[str]

    def direction(self, row: Row) -> Direction:
        """Which way a path went, as a customer and we see it."""
        if row.context in self.inbound_contexts:
            return "in"
        if row.app.lower() in _ORIGINATED:
            return "internal"  # the switchboard called this channel by itself: there is no other party
        if not self._caller_inside(row):
            return "in"
        return "internal" if self._callee_inside(row) else "out"

    def is_customers(self, number: str) -> bool:
        """Whether this may be a person's number: not withheld, and none of ours."""
        return not is_withheld(number) and not self._is_own(number)

    def reached_agent(self, row: Row, *, caller: str) -> bool:
        """Whether a path rang a device of the house; ``caller`` is the channel that the call came in by."""
        device = device_of(row.dst_channel)
        if not device or device.startswith("Local/"):
            return False
        place = self._place(row.dst_channel)
        # A line that a number is dialled through leads outside: Dial(SIP/netgsm/0533…), Dial(PJSIP/0533…@netgsm).
        dialled = f"{device}/" in row.data or f"@{device.partition('/')[2]}" in row.data
        return place == "inside" or (place is None and device != device_of(caller) and not dialled)

    def reached_customer(self, row: Row) -> bool:
        """Whether a path of an outgoing call rang a line to the outside."""
        device = device_of(row.dst_channel)
        return bool(device) and not device.startswith("Local/") and self._place(row.dst_channel) != "inside"

    def placed_by(self, row: Row) -> str:
        """The device of the house that a path came from; empty for a line to the outside and for the switchboard itself."""
        device = device_of(row.channel)
        return device if not device.startswith("Local/") and self._place(row.channel) != "outside" else ""

    def _place(self, channel: str) -> Literal["inside", "outside"] | None:
        device = device_of(channel)
        name = device.partition("/")[2]
        if device in self.devices or name in self.devices:
            return "inside"
        if device in self.trunks or name in self.trunks:
            return "outside"
        if not name or device.startswith("Local/"):
            return None
        if _LINE.fullmatch(name):
            return "outside"
        if self._is_extension(name) and any(character.isdigit() for character in name):
            return "inside"
        return "outside" if _ACCOUNT.fullmatch(name) else None

    def _caller_inside(self, row: Row) -> bool:
        place = self._place(row.channel)
        if place is not None:
            return place == "inside"
        if row.channel.startswith("Local/"):
            return not self._is_foreign(row.src)
        if row.src and row.src.casefold() == device_of(row.channel).partition("/")[2].casefold():
            return True
        if is_withheld(row.src):
            return False
        return self._is_extension(row.src) or (self._is_own(row.src) and self._is_foreign(row.dst))

    def _callee_inside(self, row: Row) -> bool:
        if self._place(row.dst_channel) == "inside":
            return True
        return (
            is_withheld(row.dst)
            or _DIALLED.fullmatch(row.dst) is None  # s, voicemail, vmu101: places of the dialplan
            or self._is_extension(row.dst)
            or self._is_own(row.dst)
        )

    def _is_extension(self, number: str) -> bool:
        return is_whole(number, self.extension)

    def _is_own(self, number: str) -> bool:
        return is_own(number, self.own, region=self.region)

    def _is_foreign(self, number: str) -> bool:
        if not self.is_customers(number) or self._is_extension(number):
            return False
        return sum(character.isdigit() for character in number) >= _FOREIGN_DIGITS_MIN and _DIALLED.fullmatch(number) is not None


def switchboard_of(
    settings: Mapping[str, Any], *, region: str | None, own: frozenset[str] | None = None, number: str = ""
) -> Switchboard:
    """The switchboard of an inbox. ``own`` are the workspace's `own_numbers`; None: its own ``number`` and those of its settings.

    Raises ``ValueError`` naming the setting that is wrong.
    """
    zone = zone_of(settings.get("time_zone") or "UTC")
    if zone is None:
        # Times would be wrong for good; in quarantine the rows wait until the setting is mended.
        raise ValueError(f"the inbox's time_zone: no such zone {str(settings['time_zone'])[:60]!r}")
    given = str(settings.get("extensions") or "")
    # A release before saved patterns unchecked; one that cannot be used is none, and `santral doctor` says so.
    extension = given if given and is_pattern(given) else _EXTENSION
    agents = settings.get("agents") or {}
    if not isinstance(agents, Mapping):
        raise ValueError("the inbox's agents: not devices with the names of agents")  # noqa: TRY004
    numbers = _texts(settings, "numbers")
    return Switchboard(
        zone=zone, columns=_texts(settings, "columns"), region=region, extension=extension,
        inbound_contexts=frozenset(_texts(settings, "inbound_contexts")), devices=frozenset(map(str, agents)),
        trunks=frozenset(_texts(settings, "trunks")), own=own_numbers((number, *numbers), region=region) if own is None else own,
    )  # fmt: skip


def _texts(settings: Mapping[str, Any], name: str) -> tuple[str, ...]:
    given = settings.get(name) or ()
    if not isinstance(given, list | tuple) or not all(isinstance(one, str) for one in given):
        raise ValueError(f"the inbox's {name}: not a list of texts")
    return tuple(given)
