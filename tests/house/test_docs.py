#!/usr/bin/env python3
"""What a reader of the pages would trip over: links that lead nowhere, pages that nothing leads to, broken pictures, pages that
code names and nobody has, modules that the map of the house leaves out, excerpts of a sample that has changed."""

import fnmatch
import os
import re
import sys
import xml.etree.ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SVG = "{http://www.w3.org/2000/svg}"
ROOMS = ("engine/core", "engine/run", "engine/cli", "lua", "connectors", "tests", "tests/sim")


def found(ending):
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not name.startswith((".", "build", "__"))]
        for name in names:
            if name.endswith(ending):
                yield os.path.relpath(os.path.join(folder, name), ROOT)


def prose(text):
    """The page without what is shown as it is: fenced blocks and code in a line."""
    lines, fence = [], None
    for line in text.split("\n"):
        mark = re.match(r"\s*(```+|~~~+)", line)
        if mark and fence is None:
            fence = mark.group(1)
        elif mark and line.strip() == fence:
            fence = None
            continue
        lines.append("" if fence else line)
    return "\n".join(lines)


def anchors(text):
    """The names that headings get, as on the pages of GitHub and GitLab."""
    names = set()
    for heading in re.findall(r"^#{1,6}\s+(.*?)\s*#*$", prose(text), re.M):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        number = 0
        while name + (f"-{number}" if number else "") in names:
            number += 1
        names.add(name + (f"-{number}" if number else ""))
    return names


def links(text):
    text = re.sub(r"`[^`\n]*`", lambda code: "x" * len(code.group()), prose(text))
    for link in re.finditer(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)", text):
        yield text.count("\n", 0, link.start()) + 1, link.group(1)


def check_links(texts):
    linked = set()
    for page, text in texts.items():
        for line, link in links(text):
            if re.match(r"[a-z][a-z0-9+.-]*:", link):
                continue
            path, _, anchor = link.partition("#")
            target = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
            linked.add(target)
            if not os.path.exists(os.path.join(ROOT, target)):
                yield f"{page}:{line}: {link}: there is no {target}"
            elif anchor and target in texts and anchor not in anchors(texts[target]):
                yield f"{page}:{line}: {link}: {target} has no heading of that name"
    for page in texts:
        if page.startswith("docs/") and page not in linked and os.path.dirname(page) not in linked:
            yield f"{page}: no other page leads there"


def check_mentions():
    """Pages that code and comments name: in docs/, or at the root."""
    pages = set(found(".md"))
    for ending in (".c", ".h", ".cc", ".lua", ".py", ".sh", ".cmake"):
        for path in found(ending):
            with open(os.path.join(ROOT, path), encoding="utf-8") as file:
                for number, line in enumerate(file, 1):
                    for name in re.findall(r"(?<![\w./-])((?:docs/)?[\w-]+\.md)\b", line):
                        if name not in pages and f"docs/{name}" not in pages:
                            yield f"{path}:{number}: there is no page {name}"


def check_map(page):
    """Each module of the engine and the projector is in ARCHITECTURE.md, by its name or its family's (`test_*.c`)."""
    named = re.findall(r"`(\w[\w*]*\.cc?)`", prose(page))
    for room in ("engine/core", "engine/run", "engine/cli", "lua"):
        for name in sorted(os.listdir(os.path.join(ROOT, room))):
            if name.endswith((".c", ".cc")) and not any(fnmatch.fnmatch(name, known) for known in named):
                yield f"{room}/{name}: ARCHITECTURE.md does not say what it is for"
    for known in named:
        if not any(fnmatch.filter(os.listdir(os.path.join(ROOT, room)), known) for room in ROOMS):
            yield f"ARCHITECTURE.md: there is no {known}"


def check_excerpts(texts):
    """What the samples' pages show of a projection stands in its file, letter by letter."""
    for page in sorted(texts):
        if not page.startswith("docs/samples/"):
            continue
        name = os.path.basename(page)[: -len(".md")]
        with open(os.path.join(ROOT, "projections", name, f"{name}.lua"), encoding="utf-8") as file:
            script = file.read()
        for shown in re.findall(r"^```lua\n(.*?)^```$", texts[page], re.M | re.S):
            if shown not in script:
                yield f"{page}: {name}.lua has no such lines any more:\n{shown}"


def check_picture(path):
    try:
        root = xml.etree.ElementTree.parse(os.path.join(ROOT, path)).getroot()
    except xml.etree.ElementTree.ParseError as error:
        yield f"{path}: is not well-formed: {error}"
        return
    if root.tag != SVG + "svg" or not root.get("viewBox"):
        yield f"{path}: the root is no svg with a viewBox"
    if not path.startswith("docs/pictures/"):
        return
    parts = {SVG + name: list(root.iter(SVG + name)) for name in ("title", "desc", "text", "style", "script", "image")}
    for name in ("title", "desc", "text", "style"):
        if not parts[SVG + name]:
            yield f"{path}: has no {name}"
    for name in ("script", "image"):
        if parts[SVG + name]:
            yield f"{path}: has {name}"
    if "prefers-color-scheme: dark" not in "".join(style.text or "" for style in parts[SVG + "style"]):
        yield f"{path}: has no colours for the dark"


def main():
    texts = {}
    for page in found(".md"):
        with open(os.path.join(ROOT, page), encoding="utf-8") as file:
            texts[page] = file.read()
    pictures = sorted(found(".svg"))
    wrong = [*check_links(texts), *check_mentions(), *check_map(texts["ARCHITECTURE.md"]), *check_excerpts(texts)]
    for path in pictures:
        wrong.extend(check_picture(path))
    for line in wrong:
        print(line)
    print(f"{len(texts)} pages, {len(pictures)} pictures, {len(wrong)} things wrong")
    sys.exit(1 if wrong or not pictures else 0)


main()
