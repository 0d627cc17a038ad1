"""The package's revisions form one line, and its end is what processes ask the database for."""

from __future__ import annotations

from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

import services.schema.migrations
from services.schema.migrations import HEAD


def test_the_last_revision_is_the_one_that_processes_need() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(services.schema.migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]
