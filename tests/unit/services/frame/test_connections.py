"""Who holds how many of a server's connections."""

from __future__ import annotations

from services.frame.connections import Connections
from services.frame.making_room import Place


def enter(connections: Connections, address: str) -> Place | None:
    return connections.enter(address, lambda: None)


def test_a_machine_with_a_whole_prefix_has_half_of_the_connections_at_most() -> None:
    connections = Connections(42, trusted=("2001:db8:f::/48",))
    assert connections.each == 10
    line = [enter(connections, "2001:db8::1") for _ in range(20)]
    assert len(line) - line.count(None) == 10
    machine = [f"2001:db8:0:{subnet:x}::1" for subnet in range(1, 50)]
    assert sum(enter(connections, one) is not None for one in machine) == 10
    assert enter(connections, "192.0.2.1")
    assert line[0] is not None
    line[0].leave()
    assert enter(connections, machine[-1])
    assert not enter(connections, "2001:db8::1")


def test_a_trusted_proxy_has_no_share() -> None:
    connections = Connections(40, trusted=("192.0.2.1",))
    for _ in range(38):
        assert enter(connections, "192.0.2.1")
    assert enter(connections, "198.51.100.7")
    assert not enter(connections, "198.51.100.7"), "what the server could not answer is not let in"
    assert enter(connections, "192.0.2.1"), "the proxy is answered whatever there is"
