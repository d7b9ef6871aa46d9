"""`python -m tests.benchmarks start|browsers|memory|journal|registry|pairing|history`: one JSON object each."""

import json
import sys

from tests.benchmarks import browsers, history, journal, memory, pairing, registry, start

NAMES = {
    "start": start.measure,
    "browsers": browsers.measure,
    "memory": memory.measure,
    "journal": journal.measure,
    "registry": registry.measure,
    "pairing": pairing.measure,
    "history": history.measure,
}


def main() -> None:
    wanted = [name for name in sys.argv[1:] if not name.startswith("-")]
    if not wanted or set(wanted) - set(NAMES):
        sys.stderr.write(f"usage: python -m tests.benchmarks {'|'.join(NAMES)} …\n")
        raise SystemExit(2)
    for name in wanted:
        sys.stdout.write(json.dumps({"name": name, **NAMES[name]()}) + "\n")


if __name__ == "__main__":
    main()
