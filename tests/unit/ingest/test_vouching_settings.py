"""Of every setting of every channel somebody decided whether it says who somebody is: a new one is marked, or named here with the reason."""

from __future__ import annotations

from typing import Final

from ingest.registry import OURS
from ingest.setting_formats import VOUCHES

HARMLESS: Final = {
    ("smtp", "from_name"): "shown on our answers",
    ("smtp", "border_filter"): "what is bulk, not whose it is",
    ("asterisk", "time_zone"): "when a call was",
    ("webchat", "title"): "shown in the chat",
    ("webchat", "locale"): "shown in the chat",
    ("webchat", "origins"): "where the chat opens; who a visitor is, the site's key signs",
    ("meta", "app_id"): "which of our own answers come back to us",
    ("meta", "graph_url"): "where answers go",
}


def test_every_setting_is_marked_or_harmless_for_a_reason() -> None:
    found = {
        (family, name): bool(rule.get(VOUCHES))
        for adapter in OURS
        for family in ("meta" if adapter.provider in ("meta", "whatsapp", "messenger", "instagram") else adapter.provider,)
        for part in adapter.settings_schema().values()
        for name, rule in part["settings"]["properties"].items()
    }
    assert {one for one, marked in found.items() if not marked} == set(HARMLESS)


def test_nothing_stands_beside_the_settings_that_have_a_name() -> None:
    """A setting that no schema names could not be marked."""
    for adapter in OURS:
        for part in adapter.settings_schema().values():
            assert part["settings"]["additionalProperties"] is False, adapter.provider
