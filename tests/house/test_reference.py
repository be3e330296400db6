#!/usr/bin/env python3
"""The reference pages say what the tables in the code say: each key of viewfold.yaml with its default, each verb and flag, each
field and function of a projection; nothing that is not there, and what is not built is named as such. And each test has its line in docs/testing.md."""

import fnmatch
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def sections(text):
    """Heading -> what stands below it, up to the next heading of any level."""
    parts = re.split(r"^#+ (.*)$", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def code(text):
    return set(re.findall(r"`([^`]+)`", text))


def rows(text):
    """The cells of each table row; a `\\|` in a cell is a bar."""
    for line in text.splitlines():
        if line.startswith("|") and not re.fullmatch(r"[|\s:-]+", line):
            yield [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def quoted(text, before):
    """The strings of the C initializer that begins with `before`."""
    match = re.search(re.escape(before) + r"[^;]*", text)
    if not match:
        sys.exit(f"{before}: is no longer in the code: mend this test")
    return re.findall(r'"([^"]+)"', match.group())


# --- viewfold.yaml ----------------------------------------------------------------------------------------------------

PLACES = ("key", "header", "value", "as", "missing")  # of each part of an envelope


def keys():
    """Path, type, default and choices of each key. The paths of an envelope, which two keys share, begin with `envelopes.*`."""
    source = read("engine", "cli", "config_keys.c")
    table = source[source.index("#define PART(") : source.index("const size_t vf_key_count")]
    for part in re.findall(r'PART\(at "\.(\w+)"', table):
        yield f"envelopes.*.{part}", "PART", None, []
    for entry in re.finditer(r"\{\.path = (?:at )?\"([^\"]*)\"(.*?)\}(?=,|\s*\\?\n)", table, re.S):
        path, rest = entry.groups()
        kind = re.search(r"\.type = VF_KEY_(\w+)", rest).group(1)
        standard = re.search(r'\.standard = "([^"]*)"', rest)
        choices = re.search(r'\.choices = "([^"]*)"', rest)
        path = "envelopes.*" + path if path.startswith(".") else path
        yield path, kind, standard and standard.group(1), (choices.group(1) if choices else "").split("|")


def documented_keys(page):
    """(Section, name within it) -> its row."""
    found = {}
    for section in ("kafka", "stores", "envelopes", "topics", "projections", "defaults", "log"):
        for cells in rows(page[section]):
            for name in re.findall(r"`([^`]+)`", cells[0]):
                found[section, re.sub(rf"^{section}\.(NAME\.)?", "", name)] = cells
    return found


def check_keys(page):
    documented = documented_keys(page)
    unbuilt = page["Not built yet"]
    envelopes = code(page["envelopes"])
    known = set()
    for path, kind, standard, choices in keys():
        section, _, name = path.partition(".")
        name = re.sub(r"^(\*|\[\])\.?", "", name)
        if kind == "UNBUILT":
            if f"`{re.sub('^defaults.', '', path)}`" not in unbuilt:
                yield f"`{path}` is not built, and not named under Not built yet"
            continue
        if section == "envelopes" and name.split(".")[-1] in PLACES:
            if name.split(".")[-1] not in envelopes:
                yield f"`{path}`: `{name.split('.')[-1]}` is not explained under envelopes"
            continue
        known.add((section, name))
        if not name or kind != "PART" and any(other.startswith(f"{name}.") for where, other in documented if where == section):
            continue  # a section itself, or a map whose keys are there
        if (section, name) not in documented:
            yield f"`{path}` is not described under {section}"
            continue
        cells = documented[section, name]
        same = " ".join(" ".join(row[1:]) for (_, other), row in documented.items() if other == name)
        if standard and f"`{standard}`" not in cells[1]:
            yield f"`{path}`: its default is {standard}, and the page says: {cells[1]}"
        for choice in choices:
            if choice.startswith("!") and choice.strip("!<>") not in unbuilt:
                yield f"`{path}`: {choice[1:]} is not built, and not named under Not built yet"
            elif choice and choice[0] != "!" and f"`{choice}`" not in same:
                yield f"`{path}` can be {choice}, and the page does not say so"
    for section, name in documented:
        if (section, name) not in known:
            yield f"there is no key `{section}.{name}`, and the page describes it"


# --- the command line -------------------------------------------------------------------------------------------------


def verbs():
    """Name -> its flags, or None where the verb is not built; a flag that is not built is left out."""
    source = read("engine", "cli", "options.c")
    flags = {}
    for name, table in re.findall(r"const struct vf_flag (\w+)\[\] = \{(.*?)\n\};", source, re.S):
        flags[name] = [
            flag.group(1)
            for flag in re.finditer(r'\{\.name = "([^"]+)"(.*?)\}', table, re.S)
            if "VF_FLAG_UNBUILT" not in flag.group(2)
        ]
    table = source[source.index("const struct vf_verb vf_verbs[]") :]
    for name, rest in re.findall(r'\{\.name = "([^"]+)",(.*?)\},?\n', table[: table.index("\n};")].replace("\n     ", " "), re.S):
        own = re.search(r"\.flags = (\w+)", rest)
        yield name, (flags[own.group(1)] if own else []) if ".run = " in rest else None
    yield "", flags["vf_common_flags"]


def check_verbs(page, readme):
    documented = {}
    for cells in rows(page["The command line"]):
        documented.setdefault(cells[0].strip("`").split()[0], " ".join(cells))
    later = code(re.search(r"^\* the verbs (.*?);", readme["Not built yet"], re.M | re.S).group(1))
    for name, flags in verbs():
        if flags is None:
            if name not in later:
                yield f"the verb {name} is not built, and the README's list does not say so"
            continue
        if name in later:
            yield f"the verb {name} is built, and the README says that it is not"
        if name and name not in documented:
            yield f"the verb {name} is not in the table of verbs"
            continue
        text = documented[name] if name else page["The command line"]
        for flag in flags:
            if f"--{flag}" not in text:
                yield f"`viewfold {name} --{flag}` is not in the table of verbs"
        for flag in re.findall(r"--([a-z-]+)", text if name else ""):
            if flag not in flags and flag not in ("json", "store", "config", "once"):
                yield f"the page says `viewfold {name} --{flag}`, and there is no such flag"


# --- projections ------------------------------------------------------------------------------------------------------


def check_projections(page):
    source = read("lua", "projection.c")
    fields = {cells[0].strip("`") for cells in rows(page["The table"])} - {"field"}
    for field in set(quoted(source, "static const char *const built[] = {")) ^ fields:
        yield f"`{field}`: a projection's fields, and those under The table, are not the same"

    names = set(re.findall(r'\[VF_EVENT_\w+\] = "(\w+)"', read("lua", "event.c")))
    shown = {name.removeprefix("e.") for cells in rows(page["Events in Lua"]) for name in code(cells[0])}
    for name in names ^ shown:
        yield f"`e.{name}`: an event's fields, and those under Events in Lua, are not the same"

    sandbox, text, lists, api = (read("lua", f"{name}.c") for name in ("sandbox", "text", "list", "api"))
    have = {
        "": quoted(sandbox, "base_kept[] = {") + quoted(sandbox, "luaL_Reg own[] = {") + ["_VERSION"],
        "string": quoted(sandbox, "string_kept[] = {") + quoted(text, "luaL_Reg functions[] = {") + ["format"],
        "table": quoted(lists, "luaL_Reg functions[] = {"),
    }
    usable = page["What a script can use"]
    said = {"": re.search(r"^`([^`]+)`, and of the libraries", usable, re.M)}
    for library in ("string", "table"):
        said[library] = re.search(rf"^\* `{library}`: `([^`]+)`", usable, re.M)
    for library, functions in have.items():
        if not said[library]:
            yield f"What a script can use: the list of {library or 'the basic functions'} is not where it was"
            continue
        for name in set(functions) ^ set(said[library].group(1).split()):
            yield f"{library}.{name}: what a script has, and What a script can use, are not the same"
    own = set(quoted(api, "luaL_Reg functions[] = {")) | {"null", "own", "delete"}
    listed = re.search(r"^and `([a-z ]+)`\.", usable, re.M)
    for name in own ^ set(listed.group(1).split() if listed else []):
        yield f"{name}: what viewfold adds, and What a script can use, are not the same"


# --- tests ------------------------------------------------------------------------------------------------------------


def check_tests(page, readme):
    named = re.findall(r"`([a-z_*]+)`", page)
    found = []
    for folder in sorted(os.listdir(os.path.join(ROOT, "tests"))):
        if os.path.exists(os.path.join(ROOT, "tests", folder, "tests.cmake")):
            found += re.findall(r"^\s*(?:vf_test\(|add_test\(NAME )([\w${}]+)", read("tests", folder, "tests.cmake"), re.M)
    for name in found:
        if not any(fnmatch.fnmatch(re.sub(r"\$\{\w+\}", "?", name), known.replace("*", "?*")) for known in named):
            yield f"docs/testing.md: the test {name} is not there"
    patterns = [re.sub(r"\$\{\w+\}", "*", name) for name in found]
    for name in sorted(set(re.findall(r"`((?:test|system)_[a-z_]+)`", readme))):
        if not any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
            yield f"README.md: there is no test {name}"


def main():
    configuration = sections(read("docs", "configuration.md"))
    wrong = [f"docs/configuration.md: {text}" for text in check_keys(configuration)]
    wrong += [f"docs/configuration.md: {text}" for text in check_verbs(configuration, sections(read("README.md")))]
    wrong += [f"docs/projections.md: {text}" for text in check_projections(sections(read("docs", "projections.md")))]
    wrong += check_tests(read("docs", "testing.md"), read("README.md"))
    for line in wrong:
        print(line)
    count = sum(1 for _ in keys()), sum(1 for _ in verbs())
    print(f"{count[0]} keys, {count[1]} verbs, {len(wrong)} things wrong")
    sys.exit(1 if wrong or count[0] < 80 or count[1] < 10 else 0)


main()
