"""A name server on loopback, by UDP and TCP, that says what a test tells it: records, nothing, an error, or no answer at all."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from dnslib import CNAME, MX, PTR, QTYPE, RCODE, RR, SOA, TXT, A, DNSError, DNSRecord
from dnslib.server import DNSHandler, DNSLogger, DNSServer

TTL_S: Final = 300
_LOOK_S: Final = 0.02  # how often the server looks whether it is to end
_UDP_BYTES_MAX: Final = 512
_SILENT: Final = DNSLogger(log="-request,-reply,-truncated,-error")


class SilenceError(DNSError):  # type: ignore[misc]  # the library has no types
    """No answer goes out."""


class _Handler(DNSHandler):  # type: ignore[misc]  # the library has no types
    """dnslib's, but that an answer cut for UDP keeps its question, as RFC 2181 §9 has it; without it no resolver takes the answer."""

    def get_reply(self, data: bytes) -> bytes:
        request = DNSRecord.parse(data)
        reply = self.server.resolver.resolve(request, self)
        packed: bytes = reply.pack()
        if self.protocol == "udp" and len(packed) > _UDP_BYTES_MAX:
            cut = request.reply()
            cut.header.tc = 1
            return bytes(cut.pack())
        return packed


@dataclass(kw_only=True)
class PlayedNames:
    """``zone``: kind and name, as in ``TXT ornek.com``, to values. ``trouble``: names to ``servfail`` or ``silence``."""

    zone: Mapping[str, list[str]]
    trouble: Mapping[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    by_tcp: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def nameserver(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    def resolve(self, request: Any, handler: Any) -> Any:
        """dnslib's hook."""
        name = str(request.q.qname).rstrip(".").lower()
        question = f"{QTYPE[request.q.qtype]} {name}"
        (self.by_tcp if handler.protocol == "tcp" else self.asked).append(question)
        reply: DNSRecord = request.reply()
        trouble = self.trouble.get(name)
        if trouble == "silence":
            raise SilenceError(name)
        if trouble == "servfail":
            reply.header.rcode = RCODE.SERVFAIL
            return reply
        for value in self.zone.get(f"CNAME {name}", []):
            reply.add_answer(RR(name, QTYPE.CNAME, ttl=TTL_S, rdata=CNAME(value)))
            name = value
        kind = QTYPE[request.q.qtype]
        for value in self.zone.get(f"{kind} {name}", []):
            reply.add_answer(RR(name, request.q.qtype, ttl=TTL_S, rdata=_rdata(kind, value)))
        if not reply.rr and not any(one.partition(" ")[2] in (name, *_below(one, name)) for one in self.zone):
            reply.header.rcode = RCODE.NXDOMAIN
            reply.add_auth(RR(name, QTYPE.SOA, ttl=TTL_S, rdata=SOA("ns.example", "x.example", (1, 60, 60, 60, 60))))
        return reply


def _below(question: str, name: str) -> list[str]:
    owner = question.partition(" ")[2]
    return [owner] if owner.endswith(f".{name}") else []


def _rdata(kind: str, value: str) -> Any:
    if kind == "TXT":
        return TXT([value[at : at + 255].encode() for at in range(0, len(value), 255)])
    if kind == "MX":
        preference, _, exchange = value.partition(" ")
        return MX(exchange, int(preference))
    if kind == "PTR":
        return PTR(value)
    return A(value)


@contextlib.contextmanager
def played_names(zone: Mapping[str, list[str]], trouble: Mapping[str, str] | None = None) -> Iterator[PlayedNames]:
    """The server for the time of the block."""
    names = PlayedNames(zone=zone, trouble=trouble or {})
    # TCP first: its ports are the scarce ones.
    tcp = DNSServer(names, address="127.0.0.1", port=0, tcp=True, logger=_SILENT, handler=_Handler)
    names.port = tcp.server.server_address[1]
    udp = DNSServer(names, address="127.0.0.1", port=names.port, logger=_SILENT, handler=_Handler)
    threads = [threading.Thread(target=one.server.serve_forever, args=(_LOOK_S,)) for one in (udp, tcp)]
    for thread in threads:
        thread.start()
    try:
        yield names
    finally:
        for one, thread in zip((udp, tcp), threads, strict=True):
            one.stop()
            thread.join()
            one.server.server_close()
