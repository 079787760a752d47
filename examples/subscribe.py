"""Print a ranking's first place whenever it changes: python examples/subscribe.py [URL]. Needs websockets."""

import asyncio
import json
import random
import sys
from contextlib import suppress

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

URL = "ws://127.0.0.1:8000/ws/rankings/?format=json&rankings=products-by-turnover"


async def follow(socket: ClientConnection, seen: dict[str, str]) -> None:
    """Print what is new until the connection is lost; `seen` has each ranking's etag."""
    async for text in socket:
        message = json.loads(text)
        # 44xx: it will be no better next time. docs/protocol.md
        if message["type"] == "error" and 4400 <= message["code"] < 4500:
            sys.exit(message["reason"])
        if message["type"] not in {"snapshot", "update"} or seen.get(message["ranking"]) == message["etag"]:
            continue
        seen[message["ranking"]] = message["etag"]
        if message["rows"]:
            first = message["rows"][0]
            print(message["changed_at"], message["title"], "-", first["name"], first["display"], flush=True)


async def main(url: str) -> None:
    """Follow for ever."""
    seen: dict[str, str] = {}
    # Connects again and again, and waits longer and longer while it can't.
    async for socket in connect(url):
        with suppress(ConnectionClosed):
            await follow(socket, seen)
        # Many have lost their connection with this one: not all at once.
        await asyncio.sleep(random.uniform(0, 2))  # noqa: S311 - no secret


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else URL))
