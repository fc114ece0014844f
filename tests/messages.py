#!/usr/bin/env python3
"""Names that messages quote stand between backquotes, `H`, in both programs: fails where a string of the sources has 'H'.

usage: messages.py [SOURCE-FOLDER]
"""
import os
import re
import sys

# In this order: comments, characters, strings.
TOKENS = re.compile(r"//[^\n]*|/\*.*?\*/|'(?:[^'\\\n]|\\.)+'|\"((?:[^\"\\\n]|\\.)*)\"", re.DOTALL)
# A quoted conversion, 'x.%s', or a quoted word of two letters or more; the apostrophe of a genitive has a letter before it.
QUOTED = re.compile(r"(?:(?<=%s)|(?<!\w))'(?:[^' ]*%[^' ]*|[A-Za-z_][\w.]+)'")


def faults(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for token in TOKENS.finditer(text):
        if token.group(1) and QUOTED.search(token.group(1)):
            yield text.count("\n", 0, token.start()) + 1, token.group(0)


def main():
    os.chdir(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), ".."))
    assert QUOTED.search("dim '%s' is") and QUOTED.search("%s'%s'") and QUOTED.search("the 'name'") and not QUOTED.search("nn's and the users' own")
    bad = seen = 0
    for room in ("compiler", "runtime"):
        for folder, _, names in os.walk(room):
            for name in sorted(names):
                # habits.def holds what people write, Python's strings too.
                if not name.endswith((".c", ".h", ".def")) or name == "habits.def":
                    continue
                seen += 1
                for line, token in faults(os.path.join(folder, name)):
                    print(f"{folder}/{name}:{line}: {token}: what is quoted stands between backquotes")
                    bad += 1
    assert seen > 100, "no sources found"
    return bad > 0


sys.exit(main())
