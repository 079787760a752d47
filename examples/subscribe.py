"""Print the first row of a ranking whenever the ranking changes.

    python examples/subscribe.py [URL]

Needs the package websockets. docs/protocol.md describes the messages.
"""

import asyncio
import json
import random
import sys
from contextlib import suppress

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

#: Pings come every 5 s. After 15 s without a message the connection is dead, though nobody closed it.
SILENT_SECONDS = 15
URL = "ws://127.0.0.1:8000/ws/rankings/?format=json&rankings=products-by-turnover"


async def follow(socket: ClientConnection, seen: dict[str, str]) -> None:
    """Print changes until the connection is lost. `seen` holds the last etag of each ranking.

    Raises ConnectionClosed, or TimeoutError if it is dead.
    """
    while True:
        async with asyncio.timeout(SILENT_SECONDS):
            message = json.loads(await socket.recv())
        # 44xx: the next attempt would fail too.
        if message["type"] == "error" and 4400 <= message["code"] < 4500:
            sys.exit(message["reason"])
        if message["type"] not in {"snapshot", "update"} or seen.get(message["ranking"]) == message["etag"]:
            continue
        seen[message["ranking"]] = message["etag"]
        if message["rows"]:
            first = message["rows"][0]
            print(message["changed_at"], message["title"], "-", first["name"], first["display"], flush=True)


async def main(url: str) -> None:
    """Follow the rankings until the program is interrupted."""
    seen: dict[str, str] = {}
    # Connects again whenever the connection is lost, with a growing delay while it fails.
    # On a dead one, no answer to the close comes.
    async for socket in connect(url, close_timeout=1):
        with suppress(ConnectionClosed, TimeoutError):
            await follow(socket, seen)
        # Other clients lost their connections too. A random delay keeps them from reconnecting together.
        await asyncio.sleep(random.uniform(0, 2))  # noqa: S311 - no secret


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else URL))
