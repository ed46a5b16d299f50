"""`python -m tests.history`: more seeds than CI runs, or one again. Prints what was run and what went wrong.

--seeds N    so many seeds (default 1000), from --first on
--seed N     one seed again, with its story
--beyond     policies come to one client later than the protocol allows for
"""

from __future__ import annotations

import argparse
import sys

from tests.history.many import Sum, again, many
from tests.history.run import run


def say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def main() -> int:
    """Returns 1 when anything is wrong."""
    options = argparse.ArgumentParser(description="Seeded runs of the replicator's code under faults")
    options.add_argument("--seeds", type=int, default=1000)
    options.add_argument("--first", type=int, default=0)
    options.add_argument("--seed", type=int)
    options.add_argument("--beyond", action="store_true")
    given = options.parse_args()
    if given.seed is not None:
        found = run(given.seed, beyond=given.beyond)
        say(*found.story, *(found.wrong or ["all is well"]))
        return bool(found.wrong)
    total = Sum()
    for result in many(range(given.first, given.first + given.seeds), beyond=given.beyond):
        total.add(result)
        if result.wrong:
            say(f"seed {result.seed}: {'; '.join(result.wrong)}", f"    {again(result.seed, beyond=given.beyond)}")
    say(str(total))
    return bool(total.wrong)


if __name__ == "__main__":
    sys.exit(main())
