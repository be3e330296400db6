#!/usr/bin/env python3
"""Each test that docs/bad-input.md names is there: a function of that name in that file, which the file also runs."""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
AT_ONCE = ("system/test_bad_input.py", "what_is_legal_is_kept_exactly_and_what_is_not_stops_its_own_partition")


def rows():
    """(line, the row's cells) of each table that has tests."""
    head = None
    with open(os.path.join(ROOT, "docs", "bad-input.md"), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if not cells:
                head = None
            elif head is None:
                head = cells
            elif head[-1] == "test" and not set(cells[0]) <= {"-"}:
                yield number, cells


def fault(path, name):
    whole = os.path.join(ROOT, "tests", path)
    if not os.path.exists(whole):
        return "there is no such file"
    with open(whole, encoding="utf-8") as file:
        text = file.read()
    if not re.search(rf"^(?:static \w+ |def ){re.escape(name)}\(", text, re.MULTILINE):
        return "it has no such function"
    return None if len(re.findall(rf"\b{re.escape(name)}\b", text)) > 1 else "nothing runs it"


def main():
    wrong, named = [], set()
    for number, cells in rows():
        if len(cells) != 3:
            wrong.append(f"docs/bad-input.md:{number}: {len(cells)} cells, and 3 are wanted")
        found = re.findall(r"`([\w/]+\.(?:c|py))` (\w+)", cells[-1])
        if "all at once" in cells[-1]:
            found.append(AT_ONCE)
        if not found:
            wrong.append(f"docs/bad-input.md:{number}: names no test")
        named.update(found)
    for path, name in sorted(named):
        problem = fault(path, name)
        if problem:
            wrong.append(f"{path} {name}: {problem}")
    for line in wrong:
        print(line)
    print(f"{len(named)} tests, {len(wrong)} faults")
    return 1 if wrong or len(named) < 30 else 0


if __name__ == "__main__":
    sys.exit(main())
