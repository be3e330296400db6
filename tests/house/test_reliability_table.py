#!/usr/bin/env python3
"""What docs/reliability.md says proves a promise is there: each test that ctest knows, each fault of the fault suite; and a fault that
says which promises it proves stands in their rows. The same of the tests in README.md's table."""

import ast
import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = os.path.join("docs", "reliability.md")


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def rows():
    """(line, number of the promise, tests, faults)"""
    for number, line in enumerate(read(PAGE).splitlines(), 1):
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 4 and cells[0].isdigit():
            yield number, int(cells[0]), re.findall(r"`(\w+)`", cells[2]), {int(one) for one in re.findall(r"\bF(\d+)\b", cells[3])}


def readme_tests():
    """Of the table below "What is promised"."""
    text = read("README.md")
    part = text[text.index("## What is promised") :]
    for line in part[: part.index("\n## ", 1)].splitlines():
        cells = line.split("|")
        if len(cells) == 4:
            yield from re.findall(r"`((?:test|system|projections|faults)_\w+)`", cells[2])


def ctest_names():
    """All that a tests.cmake registers, with what its loops fill in and without what PARTS adds."""
    for path in glob.glob(os.path.join(ROOT, "tests", "*", "tests.cmake")):
        text = read(path)
        yield from re.findall(r"^\s*(?:vf_test\(|add_test\(NAME )(\w+)[ \n]", text, re.M)
        for variable, values, body in re.findall(r"^\s*foreach\((\w+) ([^)]*)\)\n(.*?)^\s*endforeach", text, re.M | re.S):
            for name in re.findall(r"(?:vf_test\(|add_test\(NAME )([\w${}]+)", body):
                for value in values.split():
                    yield name.replace("${" + variable + "}", value)
                    yield name.replace("${server}", value.split("_")[0])


def faults():
    """number of the fault -> promises"""
    found = {}
    for path in glob.glob(os.path.join(ROOT, "tests", "faults", "f[0-9][0-9]_*.py")):
        for call in ast.walk(ast.parse(read(path))):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "fault":
                promises = next((word.value for word in call.keywords if word.arg == "promises"), None)
                promises = call.args[2] if promises is None else promises
                found.setdefault(ast.literal_eval(call.args[0]), set()).update(ast.literal_eval(promises))
    return found


def main():
    tests, known, wrong, named = set(ctest_names()), faults(), [], {}
    count = 0
    for line, promise, said, numbers in rows():
        count += 1
        named[promise] = numbers
        wrong += [f"{PAGE}:{line}: no tests.cmake has the test {name}" for name in said if name not in tests]
        wrong += [f"{PAGE}:{line}: tests/faults has no F{number}" for number in sorted(numbers - known.keys())]
        if not said and not numbers:
            wrong.append(f"{PAGE}:{line}: nothing proves promise {promise}")
    wrong += [f"README.md: no tests.cmake has the test {name}" for name in sorted(set(readme_tests()) - tests)]
    for number in sorted(known.keys() - {int(one) for one in re.findall(r"^\| F(\d+) \|", read(PAGE), re.M)}):
        wrong.append(f"{PAGE}: the table of faults has no F{number}")
    for number, promises in sorted(known.items()):
        for promise in sorted(promises):
            if number not in named.get(promise, ()):
                wrong.append(f"{PAGE}: F{number} proves promise {promise}, whose row does not name it")
    for line in wrong:
        print(line)
    print(f"{count} promises, {len(known)} faults, {len(wrong)} things wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
