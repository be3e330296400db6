#!/usr/bin/env python3
"""Does what docs/tutorial.md says, word for word, in a fresh home, and compares what it shows.

In the page, a fenced block below a line `**NAME**` is a file of that name; one of `sh` is typed into one and the same shell;
one of `text` is all that the block above it prints. There `…` stands for anything within a line, and a line that is only
`…` for any lines. A block of `sh` with nothing shown below it may print anything, and has to end with 0.

    test_tutorial.py [PAGE]      wants servers and the program: eval "$(tests/servers/servers.sh env)"
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

try:
    import pymongo
    import redis
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient
except ImportError as error:
    sys.exit(f'{error}: this Python has not the test\'s clients. ./dev test has one; by hand, "$VIEWFOLD_PYTHON" is one, after '
             './dev up and eval "$(tests/servers/servers.sh env)"')

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = os.path.join(ROOT, "docs", "tutorial.md")
TOPIC, PREFIX, VIEW = "acme.parcels", "acme:", "parcels_by_customer"
LANGUAGES = {"sh", "text", "json", "python", "yaml", "lua"}


def fail(line, message):
    print(f"docs/tutorial.md:{line}: {message}", flush=True)
    sys.exit(1)


def blocks(text):
    """Each fenced block: its line, its language, the file it is (or None), its text."""
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        opening = re.fullmatch(r"```(\w*)", lines[number])
        number += 1
        if not opening:
            continue
        first = number
        while lines[number] != "```":
            number += 1
        above = re.fullmatch(r"\*\*([\w.-]+)\*\*", lines[first - 2])
        if opening.group(1) not in LANGUAGES:
            fail(first, f"a block of {opening.group(1) or 'nothing'}: say one of {', '.join(sorted(LANGUAGES))}")
        if (opening.group(1) in ("sh", "text")) == bool(above):
            fail(first, "a file has its name in the line above it, like **produce.py**; commands and output have not")
        yield first, opening.group(1), above and above.group(1), "\n".join(lines[first:number]) + "\n"
        number += 1


def pattern(shown):
    parts = []
    for line in shown.splitlines():
        parts.append(r"(?:.*\n)*?" if line.strip() == "…" else ".*".join(map(re.escape, line.split("…"))) + "\n")
    return "".join(parts)


class Shell:
    """One bash for the whole page."""

    END = "\0"

    def __init__(self, environment):
        self.process = subprocess.Popen(
            ["bash"], cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True,
        )

    def run(self, commands, file):
        """What the commands print, and how the last one ended."""
        with open(file, "w", encoding="utf-8") as script:
            script.write(commands)
        # Sourced, so that folders, variables and jobs stay; not from standard input, which is ours.
        self.process.stdin.write(f"source {file} </dev/null\nprintf '\\0%d\\0' $?\n")
        self.process.stdin.flush()
        printed = self._until_end()
        return printed, int(self._until_end())

    def _until_end(self):
        text = ""
        while not text.endswith(self.END):
            more = self.process.stdout.read(1)
            if not more:
                raise SystemExit(f"the shell has ended: {text}")
            text += more
        return text[:-1]

    def close(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def forget():
    """What an earlier run on the same servers has left."""
    admin = AdminClient({"bootstrap.servers": os.environ["VIEWFOLD_KAFKA"], "log_level": 2})
    try:
        admin.delete_topics([TOPIC])[TOPIC].result()
    except KafkaException:
        pass
    groups = [group.group_id for group in admin.list_consumer_groups().result().valid if group.group_id.startswith("acme.")]
    for deleted in (admin.delete_consumer_groups(groups) if groups else {}).values():
        deleted.exception()  # gone with its topic: fine
    cache = redis.Redis.from_url(os.environ["VIEWFOLD_REDIS"])
    for key in cache.scan_iter(match=PREFIX + "*"):
        cache.delete(key)
    database = pymongo.MongoClient(os.environ["VIEWFOLD_MONGODB_URL"]).get_default_database()
    for name in database.list_collection_names():
        if name == VIEW or name.startswith(VIEW + ".g"):
            database.drop_collection(name)
    for name in ("viewfold.generations", "viewfold.progress"):
        database[name].delete_many({"_id": {"$regex": f"^{VIEW}[.]g"}})


def main():
    os.environ.setdefault("VIEWFOLD_PROGRAM", os.path.join(ROOT, "build", "viewfold"))
    for name in ("VIEWFOLD_KAFKA", "VIEWFOLD_REDIS", "VIEWFOLD_MONGODB_URL"):
        if not os.environ.get(name):
            sys.exit(f'{name} is not set: ./dev test sets it; by hand: ./dev up and eval "$(tests/servers/servers.sh env)"')
    with open(sys.argv[1] if len(sys.argv) > 1 else PAGE, encoding="utf-8") as file:
        steps = list(blocks(file.read()))
    forget()
    home = tempfile.mkdtemp(prefix="viewfold-tutorial.")
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.environ["HOME"], ".cache")  # the downloads' place
    shell = Shell(dict(os.environ, HOME=home, XDG_CACHE_HOME=cache))
    program = os.path.dirname(os.environ["VIEWFOLD_PROGRAM"])
    folder, compared = ROOT, 0
    try:
        for number, (line, language, name, text) in enumerate(steps):
            if name:
                if folder == ROOT:
                    fail(line, f"{name}: a file in the checkout")
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.write(text)
            elif language == "sh":
                print(f"--- {line}\n{text}", end="", flush=True)
                printed, status = shell.run(text, os.path.join(home, ".commands"))
                print(printed, end="", flush=True)
                # The build that is being tested, whichever that is; and where we are now.
                folder = shell.run(f"PATH={program}:$PATH\npwd\n", os.path.join(home, ".commands"))[0].strip()
                following = steps[number + 1] if number + 1 < len(steps) else None
                if following and following[1] == "text":
                    compared += 1
                    if not re.fullmatch(pattern(following[3]), printed):
                        fail(following[0], f"the page shows\n{following[3]}and what came was\n{printed}")
                elif status != 0:
                    fail(line, f"ended with {status}")
        print(f"{len(steps)} blocks, {compared} of them output, compared")
        if compared < 8:
            fail(1, "few outputs were compared: is the page read rightly?")
    finally:
        shell.close()
        shutil.rmtree(home, ignore_errors=True)


main()
