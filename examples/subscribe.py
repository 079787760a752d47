"""Print a ranking's first place whenever it changes: python examples/subscribe.py [URL]. Needs websockets."""

import json
import sys

from websockets.sync.client import connect

URL = "ws://127.0.0.1:8000/ws/rankings/?format=json&rankings=products-by-turnover"


with connect(sys.argv[1] if len(sys.argv) > 1 else URL) as socket:
    for text in socket:
        message = json.loads(text)
        if message["type"] == "error":
            sys.exit(message["reason"])
        if message["type"] in {"snapshot", "update"} and message["rows"]:
            first = message["rows"][0]
            print(message["changed_at"], message["title"], "-", first["name"], first["display"], flush=True)
