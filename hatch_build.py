"""The build's own check: a wheel without the built front end or documentation would be a product without pages, so it is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NEEDED = ("dist/desk.html", "dist/chat.html", "dist/shop.html", "dist/santral-chat.js", "dist/assets", "guide/index.html")


class WebAssetsHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs before a wheel is put together; an editable install needs no assets yet."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Raises when the front end was not built. ``build_data`` stays as it is."""
        if version == "editable":
            return
        web = Path(self.root, "services", "web")
        missing = [name for name in NEEDED if not (web / name).exists()]
        if missing:
            raise RuntimeError(
                f"services/web lacks {', '.join(missing)}: build the front end first (make build; or python -m services.web.build, and make docs)."
            )
