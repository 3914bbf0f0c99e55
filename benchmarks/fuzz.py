"""What the API answers to whatever its document allows and forbids: many cases of every call, all counted.

python benchmarks/fuzz.py --cases 10000        # about an hour
python benchmarks/fuzz.py --cases 300 --database postgresql

Runs `tests/serve/test_document.py`, which fails where an answer is a server's error, or one that the document
does not describe. Prints how often each call gave each status.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from record import record

ROOT = Path(__file__).parents[1]
COUNTED = re.compile(r"^([A-Z]+ \S+): (\d+) x (\d+)$")
FAULT = re.compile(r"^(E  |FAILED|ERROR|worker .* crashed|\s*[|+] )")  # also of groups of exceptions


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--cases", type=int, default=10_000, help="of each call")
    options.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    given = options.parse_args()
    together = "auto" if given.database == "sqlite" else "0"
    command = [sys.executable, "-m", "pytest", "-q", "-rPfE", "--timeout", "0", "--numprocesses", together]
    with record("fuzz") as say:
        done = subprocess.run(
            [*command, "tests/serve/test_document.py"], cwd=ROOT, text=True, stdout=subprocess.PIPE,
            env={**os.environ, "FUZZ_EXAMPLES": str(given.cases), "FUZZ_DATABASE": given.database},
            check=False,
        )  # fmt: skip
        answers: dict[str, dict[str, int]] = defaultdict(dict)
        for line in done.stdout.splitlines():
            if found := COUNTED.match(line):
                answers[found[1]][found[3]] = int(found[2])
        for call, counts in sorted(answers.items()):
            say(call, ", ".join(f"{count} x {status}" for status, count in sorted(counts.items())))
        total = sum(sum(counts.values()) for counts in answers.values())
        wrong = sum(
            n
            for counts in answers.values()
            for status, n in counts.items()
            if status >= "500" and status != "501"
        )
        say("calls", f"{len(answers)}, answers {total}, errors of the server {wrong}")
        failed = "\n".join(line for line in done.stdout.splitlines() if FAULT.match(line))
        say("as the document says", "yes" if done.returncode == 0 else f"no: {failed[-8000:]}")
    raise SystemExit(done.returncode)


if __name__ == "__main__":
    main()
