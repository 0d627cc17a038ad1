"""The data folder of `santral serve`: one owner at a time, its secret, its admin key, its ports, and where everything else lies.

Identity: the folder is the deployment; whoever has the folder has all of it. Files with secrets are for this account only (0600).

    lock  ports.json  secret  api_key  topics  serve.json     blobs/  spool/  demo/  log/  processes/     postgres/  kafka/
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.embedded.errors import unusable
from shared.embedded.folder import Claim, Progress, kept_ports, port_is_free, write_private
from shared.errors import Conflict

PROCESSES: Final = ("gateway", "router", "api", "courier")
_PREFERRED: Final = {"http": 8080, "webhooks": 8081, "smtp": 2525}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where things listen on this machine. ``health`` by process; ``sink`` takes the demo's outgoing mail."""

    http: int
    webhooks: int
    smtp: int
    sink: int
    health: Mapping[str, int]


def default_folder(environment: Mapping[str, str]) -> Path:
    """Where this account keeps data, by its system's convention, Santral's part of it."""
    chosen = environment.get("XDG_DATA_HOME", "")
    if chosen and Path(chosen).is_absolute():
        return Path(chosen) / "santral"
    return Path.home() / ("Library/Application Support" if sys.platform == "darwin" else ".local/share") / "santral"


class ServeFolder:
    """A data folder that this process owns from the constructor to :meth:`release`."""

    def __init__(self, path: Path) -> None:
        """Makes and locks it. Raises `FolderUnusable`, or `FolderInUse` naming the owner."""
        self.path = path
        self._claim = Claim(path)
        try:
            for name in ("blobs", "spool", "demo", "log", "processes"):
                (path / name).mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise unusable(path, error) from error

    def release(self) -> None:
        """Lets the next one in; call it once."""
        self._claim.release()

    def secret(self) -> str:
        """The deployment's secret, made at the first call and the same ever after. Raises `FolderUnusable`."""
        return self.read("secret") or self.keep("secret", secrets.token_hex(32))

    def read(self, name: str) -> str | None:
        """A small file's text, stripped; None when there is none."""
        try:
            return (self.path / name).read_text(encoding="utf-8").strip() or None
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unusable(self.path, error) from error

    def keep(self, name: str, text: str) -> str:
        """Writes a small file for this account only, and returns the text."""
        write_private(self.path / name, text)
        return text

    def ports(self, *, http: int | None, given: Mapping[str, int], progress: Progress) -> Ports:
        """The folder's ports, chosen at the first start and kept.

        ``http`` is what the command line asks for (0 and None: keep, or choose); ``given`` are ports that settings name. Asked for
        and taken is a `Conflict`; chosen by us and taken meanwhile, another is chosen.
        """
        fixed = {name: port for name, port in given.items() if port}
        if http:
            fixed["http"] = http
            if not port_is_free(http):
                raise Conflict(
                    f"port {http} is taken by another program", field="--port", remedy="stop it, name another, or 0 for a free one"
                )
        preferred = {} if http == 0 else _PREFERRED
        names = ["http", "webhooks", "smtp", "sink", *PROCESSES]
        chosen = kept_ports(self.path, [name for name in names if name not in fixed], progress, preferred=preferred) | fixed
        return Ports(
            http=chosen["http"], webhooks=chosen["webhooks"], smtp=chosen["smtp"], sink=chosen["sink"],
            health={name: chosen[name] for name in PROCESSES},
        )  # fmt: skip
