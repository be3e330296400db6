#!/usr/bin/env python3
"""The messages that docs/projections.md shows in its tables are those of the program: texts of lua/*.c, or of Lua itself."""

import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LUAS_OWN = ("'}' expected (to close '{' at line 1) near 'on'", "attempt to load a binary chunk (mode is 't')")
HEADING = "what it says"


def literals():
    """The texts of the sources, as lists of what printf leaves as it is."""
    texts = [[text] for text in LUAS_OWN]
    for path in sorted(glob.glob(os.path.join(ROOT, "lua", "*.c"))):
        with open(path, encoding="utf-8") as file:
            source = re.sub(r'"\s*\n\s*"', "", file.read())
        for text in re.findall(r'"((?:[^"\\\n]|\\.)*)"', source):
            plain = text.replace('\\"', '"').replace("%%", "\0")
            pieces = [piece.replace("\0", "%") for piece in re.split(r"%[-.*0-9]*(?:ll|z|I)?[a-zA-Z]", plain)]
            if sum(map(len, pieces)) >= 8:
                texts.append(pieces)
    return texts


def shown():
    """(line, message) of each row below the heading."""
    here = False
    with open(os.path.join(ROOT, "docs", "projections.md"), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            cells = [cell.strip() for cell in line.split("|")[1:-1]]
            here = bool(cells) and (here or cells[-1] == HEADING)
            if here and cells[-1] != HEADING and not set(cells[-1]) <= {"-"}:
                message = re.search(r"``\s?(.+?)\s?``|`([^`]+)`", cells[-1])
                yield number, (message.group(1) or message.group(2)) if message else ""


def says(pieces, message):
    """Whether a text of these pieces can be the message, or, where that ends with an ellipsis, begin like it."""
    if not message.endswith("…"):
        return re.fullmatch(".+".join(map(re.escape, pieces)), message)
    begin, at = message[:-1].strip(), 0
    for number, piece in enumerate(pieces):
        found = begin.find(piece, at)
        if found < 0 or (number == 0 and found > 0):
            return any(begin[at:].endswith(piece[:size]) for size in range(8, len(piece)))
        at = found + len(piece)
    return True


def said(message, texts):
    rest = re.sub(r"^(?:\w[\w/]*\.lua(?::\d+)?|after \w+): ", "", message)
    return any(says(pieces, rest) or (pieces[0] == "" and says(pieces, message)) for pieces in texts)


def main():
    texts, wrong, count = literals(), 0, 0
    for number, message in shown():
        count += 1
        if not message or not said(message, texts):
            wrong += 1
            print(f"docs/projections.md:{number}: the program does not say: {message}")
    print(f"{count} messages, {wrong} faults")
    return 1 if wrong or count < 20 else 0


if __name__ == "__main__":
    sys.exit(main())
