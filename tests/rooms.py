#!/usr/bin/env python3
"""Checks the arrows between rooms: who includes whom.

A room is a folder. ORDER lists the rooms from the bottom up; a file may include files of its own room and of
rooms below it. Prints each arrow with the number of includes (with -v) and every one that points up; exits 1 when
there is one, or when a folder has no place in ORDER.

usage: rooms.py [-v] [SOURCE-FOLDER]
"""
import os
import re
import sys
from collections import defaultdict

ORDER = """
compiler/base     arenas, growable text, files
compiler/ir       the IR and the one table of operations
compiler/passes   IR to IR
compiler/diag     positions, diagnostics
compiler/cli      command lines, for both programs
compiler/syntax   the tree, from text and back
compiler/check    names, types, sizes
compiler/lower    typed tree to IR
compiler          the stages as a library
runtime/base      status, threads
runtime/value     values of the host code, vocabularies, fibers, a running example
runtime/batch     trace, schedule, plan: integers only
runtime/kernel    the contract of a kernel, its graph, parameters, the slow reference
runtime/jit       machine code through LLVM, its cache
runtime/host      control flow of one example
runtime/cpu       kernels and execution on this processor
runtime/data      readers of data and checkpoints
runtime/model     a bound model, minibatches
runtime/train     optimisers, checkpoints
compiler/command  what only the program nnc needs
runtime/cli       the program nnrun
"""
# Rooms of a device: others know it by runtime/kernel/device.h alone, but for the list of devices and for what measures
# this one.
DEVICES = {"runtime/cpu"}
KNOW_DEVICES = {"runtime/model/model.c", "runtime/cli/bench.c"}
# Leaves that any room may include.
PUBLIC = {"runtime/nn.h"}
# What of the compiler the runtime's libraries do not know; nnrun, the program, does.
FRONT = {"compiler", "compiler/passes", "compiler/diag", "compiler/cli", "compiler/syntax", "compiler/check", "compiler/lower"}


def sources(top):
    for folder in ("compiler", "runtime"):
        for path, _, names in os.walk(os.path.join(top, folder)):
            for name in names:
                if re.search(r"\.(c|h|def)$", name):
                    yield os.path.relpath(os.path.join(path, name), top)


def main():
    arguments = [a for a in sys.argv[1:] if a != "-v"]
    verbose = "-v" in sys.argv
    top = arguments[0] if arguments else "."
    rank = {line.split()[0]: i for i, line in enumerate(ORDER.strip().splitlines())}
    # What a program's main file may include: everything.
    rank_of_file = {"compiler/main.c": rank["compiler/command"]}
    arrows, wrong = defaultdict(int), []
    for path in sorted(sources(top)):
        room = os.path.dirname(path)
        if path in PUBLIC:
            continue
        if room not in rank:
            wrong.append(f"{path}: the folder has no place in the order of rooms (tests/rooms.py)")
            continue
        own = rank_of_file.get(path, rank[room])
        for line, text in enumerate(open(os.path.join(top, path), encoding="utf-8"), 1):
            match = re.match(r'\s*#include "((?:compiler|runtime)/[^"]+)"', text)
            if not match or match.group(1) in PUBLIC:
                continue
            to = os.path.dirname(match.group(1))
            if to == room:
                continue
            arrows[room, to] += 1
            if rank.get(to, len(rank)) > own:
                wrong.append(f"{path}:{line}: {room} includes {match.group(1)}, of a room above it")
            if to in DEVICES and path not in KNOW_DEVICES:
                wrong.append(f"{path}:{line}: a device is known by runtime/kernel/device.h alone, not by {match.group(1)}")
            compiler, runtime = room.startswith("compiler"), to.startswith("runtime")
            if compiler and runtime and own < rank["compiler/command"]:
                wrong.append(f"{path}:{line}: the compiler does not know the runtime")
            if room.startswith("runtime") and to in FRONT and room != "runtime/cli":
                wrong.append(f"{path}:{line}: the runtime does not know {to}")
    if verbose:
        for (source, to), count in sorted(arrows.items(), key=lambda item: (rank[item[0][0]], rank.get(item[0][1], 99))):
            print(f"{source:18} -> {to:18} {count}")
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{len(arrows)} arrows between {len(rank)} rooms, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
