# SPDX-License-Identifier: GPL-2.0-or-later
"""Trees to send and receive in one pipe, and what the same bytes cost otherwise."""

import os
import shlex

from copylib import data, measure

MIB = 1 << 20
KINDS = ("xfs", "ext4", "btrfs")
# Name: files, bytes of each; 0: small ones, as in a source tree.
TREES = {"one file of 1 GiB": (1, 1 << 30), "50 files of 10 MiB": (50, 10 * MIB),
         "3000 small files": (3000, 0)}


def make(top, files, size):
    """A tree of @files files of @size bytes below @top."""
    if not size:
        data.make_tree(top, files)
        return
    os.mkdir(top)
    for i in range(files):
        with open(f"{top}/file{i}", "wb") as f:
            for at in range(0, size, MIB):
                f.write(os.urandom(min(MIB, size - at)))


class Pipes:
    """A tree of one file system, and another file system for its copies."""

    def __init__(self, build, st, kind, files, size):
        self.build, self.st = build, st
        space = (256 * MIB) + files * (size + size // 10 if size else 40000)
        self.src, self.dst = st.loop("src", kind, space), st.loop("dst", kind, space)
        self.tree = f"{self.src}/tree"
        make(self.tree, files, size)
        measure.sync_fs(self.src)

    def tools(self):
        """Tool -> shell command."""
        tree, dst = shlex.quote(self.tree), shlex.quote(f"{self.dst}/dst")
        program = {name: shlex.quote(os.path.join(self.build, name))
                   for name in ("ocp", "ocp-send", "ocp-receive")}
        cat = f"find {tree} -type f -exec cat {{}} + | cat >{dst}/out"
        return {"ocp -a": f"{program['ocp']} -a {tree} {dst}/",
                "ocp -a, stream": f"{program['ocp']} -a --offload=never {tree} {dst}/",
                "send | receive": f"{program['ocp-send']} -q --walk {tree} | "
                                  f"{program['ocp-receive']} {dst}",
                "cat | cat": cat}
