"""One router's keeper of service level clocks on a test's database."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

from router.clocks.sla import SlaClocks
from router.workspace.configuration import RouterConfiguration
from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from shared.hints import Hints
from shared.leases import Leases


@dataclass(slots=True)
class Keeper:
    """One router's clocks."""

    db: Database
    leases: Leases
    configuration: RouterConfiguration
    clocks: SlaClocks

    async def look(self) -> None:
        """Reads the configuration and looks until nothing is left to do."""
        await self.configuration.refresh()
        while await self.clocks.round():
            pass


async def keeper_of(db: Database, urls: PostgresUrls, *, batch: int = 500) -> Keeper:
    """A keeper that holds the lease and looks ``batch`` rows at a time."""
    leases = Leases(db, kind="sla", slots=1, owner=uuid4())
    await leases.round()
    configuration = RouterConfiguration(db)
    hints = Hints(urls.worker, listening=False)
    clocks = SlaClocks(db=db, leases=leases, hints=hints, workspaces=configuration, batch=batch)
    return Keeper(db, leases, configuration, clocks)
