"""Seeded mutations over everything that reads files of others.

    python -m tests.fuzz --count 50000 --state fuzz.json

Goes on where it stopped. Ends with 1 where an input met an exception that is none of ours, 5
seconds of processor time or 1.5 GB; each such line names the input: `--only PARSER --number N`.
"""

import argparse
import json
import sys
from pathlib import Path

from tests.fuzz.harness import faults
from tests.fuzz.parsers import PARSERS

BLOCK = 250


def main() -> int:
    """Read the inputs that are left."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=50_000, help="inputs in all")
    parser.add_argument("--state", type=Path, default=Path("fuzz.json"))
    parser.add_argument("--only", choices=list(PARSERS))
    parser.add_argument("--number", type=int, help="one input of --only")
    asked = parser.parse_args()
    if asked.number is not None:
        for fault in faults(asked.only, range(asked.number, asked.number + 1)):
            say(str(fault))
        return 0
    state = {"done": {}, "faults": []}
    if asked.state.exists():
        state = json.loads(asked.state.read_text(encoding="utf-8"))
    weights = sum(parser.weight for parser in PARSERS.values())
    for name in [asked.only] if asked.only else PARSERS:
        share = asked.count * PARSERS[name].weight // weights
        for start in range(state["done"].get(name, 0), share, BLOCK):
            stop = min(start + BLOCK, share)
            for fault in faults(name, range(start, stop)):
                say(f"{fault.parser} {fault.number}: {fault.what}")
                state["faults"].append([fault.parser, fault.number, fault.what])
            state["done"][name] = stop
            asked.state.write_text(json.dumps(state), encoding="utf-8")
        say(f"{name}: {state['done'].get(name, 0)} inputs")
    done = sum(state["done"].values())
    say(f"{done:,} inputs, {len(state['faults'])} faults")
    return 1 if state["faults"] else 0


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
