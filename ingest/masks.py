"""What the workspace setting ``mask_numbers`` says of its inboxes. Pure. A value that is none of its own masks nothing."""

from __future__ import annotations

from typing import Any

from ingest.adapter import MaskNumbers


class Masks:
    """Made once for all inboxes of a workspace."""

    def __init__(self, setting: Any) -> None:
        self._all: MaskNumbers = setting if setting is True or setting == "cards" else False
        self._names = frozenset(one for one in setting if isinstance(one, str)) if isinstance(setting, list) else frozenset()

    def of(self, name: str) -> MaskNumbers:
        """What the inbox of this name masks, as `Inbox.mask_numbers` has it."""
        return self._all or name in self._names
