"""`python -m tests.benchmarks NAME …`: one JSON object each. Without a name it says which there are."""

import json
import sys
from importlib import import_module

NAMES = (
    "start",
    "browsers",
    "waking",
    "memory",
    "storm",
    "delivery",
    "journal",
    "registry",
    "pairing",
    "desk",
    "day",
    "history",
    "ephemeral",
    "fanout",
    "processes",
)


def main() -> None:
    wanted = [name for name in sys.argv[1:] if not name.startswith("-")]
    if not wanted or set(wanted) - set(NAMES):
        sys.stderr.write(f"usage: python -m tests.benchmarks {'|'.join(NAMES)} …\n")
        raise SystemExit(2)
    for name in wanted:
        measured = import_module(f"tests.benchmarks.{name}").measure()
        sys.stdout.write(json.dumps({"name": name, **measured}) + "\n")


if __name__ == "__main__":
    main()
