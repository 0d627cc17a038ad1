"""The partition of a key is the one Java clients compute, so that any producer and any tool agree about a key's place."""

from __future__ import annotations

import pytest
from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st

from shared.kafka import partition_of
from shared.topics import PARTITIONS

# Apache Kafka, clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java, testMurmur2
JAVA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "java"), JAVA.items())
def test_the_hash_is_the_java_clients(key: bytes, java: int) -> None:
    assert murmur2(key) & 0xFFFFFFFF == java & 0xFFFFFFFF
    assert partition_of(key) == (java & 0x7FFFFFFF) % 24


@given(key=st.binary(max_size=64), partitions=st.integers(1, 200))
def test_every_key_has_one_partition_in_range(key: bytes, partitions: int) -> None:
    assert 0 <= partition_of(key, partitions) < partitions
    assert partition_of(key, partitions) == partition_of(key, partitions)


def test_keyed_hashes_spread_over_all_partitions() -> None:
    counts = [0] * PARTITIONS
    for number in range(24_000):
        counts[partition_of(number.to_bytes(16))] += 1
    assert min(counts) > 800
    assert max(counts) < 1200
