#!/usr/bin/env bash
# cloudevents 2.2.0 (Python, the project's own library), its Kafka binding, binary content mode.
#
# One would guess:
#   * a record's key is free: the Kafka protocol binding (1.0.2, section 3.1) leaves it to the producer, and Kafka says that keys are bytes;
#     a hash or a UUID in its 16 bytes is a usual key. The envelope stands in headers, so such a record is an event like any other;
#   * an event that is read says what its record says, and written again it is the same record.
#
# Seen:
#   * a key that is no UTF-8 makes the whole record unreadable: UnicodeDecodeError, although no attribute is in the key;
#   * a key that is UTF-8 becomes an attribute "partitionkey" that the producer never gave the event, and is sent on as one;
#   * an event without a time (it is optional) gets one: the moment of reading, which is then sent on as when it happened.
#
# So keys of events on Kafka have to be text to be read by it, whatever the specification leaves open.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip --quiet --disable-pip-version-check install "cloudevents==2.2.0"

"$work/venv/bin/python" - >"$work/seen" <<'PYTHON'
import uuid

from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event, to_binary_event

HEADERS = {
    "ce_specversion": b"1.0", "ce_id": b"1", "ce_source": b"/shop", "ce_type": b"example.order", "content-type": b"application/json",
}
KEY = uuid.UUID("c9b1f0a2-8d5e-4f43-9a77-10f0e2d3c4b5")
for name, key in (
    ("no key", None), ("a UUID as 32 digits", KEY.hex.encode()), ("a UUID in its 16 bytes", KEY.bytes),
):
    try:
        event = from_binary_event(KafkaMessage(headers=dict(HEADERS), key=key, value=b"{}"))
        again = to_binary_event(event)
        more = sorted(again.headers.keys() - HEADERS.keys())
        print(f"{name}: read; written again with {', '.join(more) or 'nothing'} more")
    except UnicodeDecodeError:
        print(f"{name}: UnicodeDecodeError")
PYTHON

cat >"$work/expected" <<'TEXT'
no key: read; written again with ce_time more
a UUID as 32 digits: read; written again with ce_partitionkey, ce_time more
a UUID in its 16 bytes: UnicodeDecodeError
TEXT

cat "$work/seen"
diff "$work/expected" "$work/seen" && echo "as described"
