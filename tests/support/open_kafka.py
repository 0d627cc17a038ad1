"""A broker that makes topics whenever a client names one, as every broker with default settings does."""

from __future__ import annotations

from shared.embedded.folder import Progress
from shared.embedded.kafka import EmbeddedKafka


class OpenKafka(EmbeddedKafka):
    """The embedded broker, with topics made on request."""

    def _write_settings(self, progress: Progress) -> None:
        super()._write_settings(progress)
        with open(self.folder / "server.properties", "a", encoding="utf-8") as file:
            file.write("auto.create.topics.enable=true\n")
