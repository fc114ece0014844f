#!/usr/bin/env python3
"""Code that only tests reach belongs to the tests: names the functions of the programs' objects that no program uses.

usage: unused.py SOURCE-FOLDER BUILD-FOLDER
"""
import os
import re
import subprocess
import sys

# What the generator of scanners makes, and the library's own interface, which nnrun does not use up.
FOREIGN = re.compile(r"nn_yy|main$")
FOR_TESTS = {
    "jit_get_statistics",  # the tests count what is compiled and loaded; nothing else does
    "host_forget_prints",  # of an example without a session, which the tests alone have
}


def objects(source, build):
    for folder, _, names in os.walk(os.path.join(build, "CMakeFiles")):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), os.path.join(build, "CMakeFiles")).split(os.sep, 1)[-1]
            # Objects of sources that are gone stay in a build folder.
            made = any(os.path.exists(os.path.join(root, path[:-2])) for root in (source, build))
            if name.endswith(".c.o") and made:
                yield path[:-2], os.path.join(folder, name)


def symbols(files):
    """The path of the source, the symbol and its kind, for each of the objects in `files`, a dict to their sources."""
    listing = subprocess.run(["nm", "-P", "-g", "-A", *files], capture_output=True, text=True, check=True).stdout
    for line in listing.splitlines():
        file, name, kind = line.split()[:3]
        yield files[file[:-1]], name, kind


def main():
    source, build = sys.argv[1:3]
    public = open(os.path.join(source, "runtime/nn.h"), encoding="utf-8").read()
    defined, used = {}, set()
    for path, name, kind in symbols({file: path for path, file in objects(source, build)}):
        if kind == "T":
            defined[name] = path
        elif kind == "U":
            used.add(name)
    bad = 0
    for name, path in sorted(defined.items()):
        if name in used or name in FOR_TESTS or FOREIGN.match(name) or re.search(rf"\b{name}\(", public):
            continue
        text = open(os.path.join(source, path), encoding="utf-8").read()
        if len(re.findall(rf"\b{name}\b", text)) == 1:
            print(f"{path}: no program uses {name}")
            bad += 1
    assert len(defined) > 500, "no objects found"
    return bad > 0


sys.exit(main())
