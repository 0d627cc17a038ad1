"""Who holds how many of a server's connections."""

from __future__ import annotations

from services.frame.connections import Connections


def test_a_machine_with_a_whole_prefix_has_half_of_the_connections_at_most() -> None:
    connections = Connections(40, trusted=("2001:db8:f::/48",))
    assert connections.each == 10
    assert sum(connections.enter("2001:db8::1") for _ in range(20)) == 10
    machine = [f"2001:db8:0:{subnet:x}::1" for subnet in range(1, 50)]
    assert sum(map(connections.enter, machine)) == 10
    assert connections.enter("192.0.2.1")
    connections.leave("2001:db8::1")
    assert connections.enter(machine[-1])
    assert not connections.enter("2001:db8::1")


def test_what_a_trusted_proxy_holds_is_not_counted() -> None:
    connections = Connections(4, trusted=("192.0.2.1",))
    for _ in range(10):
        assert connections.enter("192.0.2.1")
    connections.leave("192.0.2.1")
    assert connections.enter("198.51.100.7")
