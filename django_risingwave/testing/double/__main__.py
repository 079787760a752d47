"""Serve the double of RisingWave until standard input ends: python -m django_risingwave.testing.double.

The argument is the URL of a stand-in on a unix socket. Prints the URL of the double.
"""

from __future__ import annotations

import sys
from contextlib import closing
from urllib.parse import parse_qs, urlsplit

from django_risingwave.testing.double import Double


def main() -> None:
    standin = urlsplit(sys.argv[1])
    (folder,) = parse_qs(standin.query)["host"]
    user, database = standin.username or "", standin.path.removeprefix("/")
    with closing(Double(folder, user, database)) as double:
        # The double speaks neither TLS nor GSSAPI.
        options = "sslmode=disable&gssencmode=disable"
        sys.stdout.write(f"postgres://{user}@127.0.0.1:{double.port}/{database}?{options}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
