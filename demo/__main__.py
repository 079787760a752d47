"""`python -m demo` is what `make demo` runs, and `python -m demo --board` what `make board` runs."""

import sys

from demo.supervisor import main

if __name__ == "__main__":
    sys.exit(main(is_board=sys.argv[1:] == ["--board"]))
