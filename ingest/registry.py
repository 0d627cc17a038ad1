"""Which adapter speaks for a provider. Ours are listed here; others come from the entry point group ``santral.channels``."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from ingest.adapter import Adapter
from ingest.adapters import api, asterisk, meta, smtp, webchat
from shared.errors import Unprocessable

ENTRY_POINTS = "santral.channels"
OURS: tuple[Adapter, ...] = (
    smtp.ADAPTER,
    webchat.ADAPTER,
    asterisk.ADAPTER,
    meta.CONNECTION,
    meta.WHATSAPP,
    meta.MESSENGER,
    meta.INSTAGRAM,
    api.ADAPTER,
)


@cache
def adapters() -> dict[str, Adapter]:
    """Every adapter by provider; a distribution that claims a provider of ours is refused."""
    known = {adapter.provider: adapter for adapter in OURS}
    for point in entry_points(group=ENTRY_POINTS):
        adapter: Adapter = point.load()
        if adapter.provider in known:
            raise ValueError(f"{point.value} claims the provider {adapter.provider!r}, which is taken; uninstall one of the two")
        known[adapter.provider] = adapter
    return known


def adapter_for(provider: str) -> Adapter:
    """The provider's adapter. Raises `Unprocessable` naming those that exist."""
    found = adapters().get(provider)
    if found is None:
        raise Unprocessable(
            f"no adapter for {provider!r}", field="provider", remedy=f"one of {', '.join(sorted(adapters()))}, or install one"
        )
    return found
