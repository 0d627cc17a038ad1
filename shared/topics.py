"""The two topics and their settings. Partitions are never changed: a key's place is part of the order we promise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PARTITIONS: Final = 24
RETENTION_S: Final = 7 * 24 * 3600
SEGMENT_S: Final = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """Full topic names under a prefix (``santral`` unless configured)."""

    messages: str
    events: str

    @classmethod
    def under(cls, prefix: str = "santral") -> Topics:
        return cls(messages=f"{prefix}.messages.v1", events=f"{prefix}.events.v1")

    def configs(self, copies: int) -> dict[str, str]:
        """Topic settings: both keep seven days in hourly segments, so a promise about dates can be kept.

        A record counts as kept only when all ``copies`` of it but one are written: one broker may be away, none may lose it.
        """
        return {
            "retention.ms": str(RETENTION_S * 1000),
            "segment.ms": str(SEGMENT_S * 1000),
            "cleanup.policy": "delete",
            "min.insync.replicas": str(max(1, copies - 1)),
        }
