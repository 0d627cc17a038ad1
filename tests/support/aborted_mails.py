"""A mail listener in a process of its own that is sent mails which never end; prints what memory it took after each tenth of them.

``python -m tests.support.aborted_mails COUNT BYTES``: one line of JSON, resident bytes after each tenth.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from services.frame.process import calm_collector
from tests.support.mail_door import ADDRESS, mail_door


def resident_bytes() -> int:
    """This process's resident memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def aborted(port: int, size: int) -> None:
    """One transfer that breaks off before its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reader.readline()
    for line in (b"HELO x", b"MAIL FROM:<a@ornek.net>", b"RCPT TO:<" + ADDRESS.encode() + b">", b"DATA"):
        writer.write(line + b"\r\n")
        answer = await reader.readline()
        assert answer[:1] in b"23", answer
    writer.write(b"Subject: x\r\n\r\n" + b"satir\r\n" * (size // 7))
    await writer.drain()
    writer.transport.abort()


async def main(count: int, size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with mail_door(Path(folder)) as door:
            calm_collector()
            taken = []
            for _ in range(10):
                for _ in range(count // 10):
                    await aborted(door.port, size)
                taken.append(resident_bytes())
            print(json.dumps(taken))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
