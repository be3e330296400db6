#!/usr/bin/env python3
"""The house's rules that a compiler does not see: which room may include what, and how long a file may be. The build itself
stops wrong arrows between rooms (CMakeLists.txt); here: ways around it, and libraries that only one room may know."""

import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LINES_MAX = 800  # a file is a sitting

# Library header -> the folders that may include it.
OWNERS = {
    r"librdkafka/|rdkafka": ["connectors/kafka/", "bench/", "tests/"],
    r"hiredis": ["connectors/redis/", "bench/", "tests/"],
    r"mongoc": ["connectors/mongodb/", "bench/", "tests/"],
    r"lua\.h|lauxlib\.h|lualib\.h": ["lua/", "tests/"],
    r"simdjson": ["engine/core/json.cc"],
    r"^yaml\.h": ["engine/cli/"],
    r"openssl/": ["engine/run/"],
    r"pthread\.h": ["engine/run/", "engine/cli/", "connectors/", "tests/", "bench/"],
    r"sys/socket\.h|netinet/|netdb\.h|unistd\.h": ["engine/run/", "engine/cli/", "connectors/", "tests/", "bench/"],
}


def files():
    if os.path.exists(os.path.join(ROOT, ".git")) and shutil.which("git"):
        out = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
        return [path for path in out.split("\0") if path and os.path.exists(os.path.join(ROOT, path))]
    rooms = ("engine", "lua", "connectors", "projections", "bench", "tests")  # sources without their history
    return [
        os.path.relpath(os.path.join(folder, name), ROOT)
        for room in rooms
        for folder, _, names in os.walk(os.path.join(ROOT, room))
        for name in names
    ]


def includes(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            found = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
            if found:
                yield number, found.group(1)


def main():
    wrong = []
    paths = files()
    code = [path for path in paths if path.endswith((".c", ".h", ".cc"))]
    for path in code:
        for number, header in includes(path):
            where = f"{path}:{number}: {header}"
            if ".." in header.split("/"):
                wrong.append(f"{where}: includes go through the rooms, never by ..")
            if path.startswith("engine/core/") and header.startswith(("run/", "cli/", "store.h", "source.h", "projector.h")):
                wrong.append(f"{where}: core includes nothing of the seams, run or cli")
            if path.startswith("engine/") and header.startswith(("connectors/", "lua/")):
                if path != "engine/cli/main.c":
                    wrong.append(f"{where}: only main.c knows connectors and the projector")
            for pattern, owners in OWNERS.items():
                if re.search(pattern, header) and not path.startswith(tuple(owners)):
                    if not header.startswith(("connectors/", "lua/")):
                        wrong.append(f"{where}: only {', '.join(owners)} may know this library")
    for path in paths:
        if path.endswith((".c", ".h", ".cc", ".py", ".lua", ".sh")):
            with open(os.path.join(ROOT, path), encoding="utf-8") as file:
                lines = sum(1 for _ in file)
            if lines > LINES_MAX:
                wrong.append(f"{path}: {lines} lines; a file is a sitting ({LINES_MAX})")
    for line in wrong:
        print(line)
    print(f"{len(code)} sources, {len(wrong)} broken rules")
    return 1 if wrong or len(code) < 30 else 0


if __name__ == "__main__":
    sys.exit(main())
