# SPDX-License-Identifier: GPL-2.0-or-later
"""What is copied from where to where: one function a case, named as on the command line."""

import os
import subprocess

from copylib import data
from copylib.storage import MIB, call

GIB = 1 << 30
CASES = {}


class Setup:
    """A case that is ready to run: what the tools get, and how a copy is checked."""

    def __init__(self, src, dst_dir, name="copy"):
        self.src = src
        self.dst_dir = dst_dir  # a directory that holds nothing else
        self.dst = os.path.join(dst_dir, name)
        self.tree = os.path.isdir(src)
        self.tools = None  # name -> argv; None: those for a file or a tree
        self.sparse = False
        self.check = self.same
        self.subvolumes = False  # some tool makes them

    def allocated(self):
        """Bytes of the one file that are no holes."""
        return os.stat(self.src).st_blocks * 512 if os.path.isfile(self.src) else 0

    def same(self):
        """The copy is equal to the source."""
        (data.same_tree if self.tree else data.same_file)(self.src, self.dst)


def case(text, cold=False):
    """Make a function case: it gets the storage and a scale, and returns a Setup."""
    def register(make):
        make.text, make.cold = text, cold
        CASES[make.__name__.replace("_", "-")] = make
        return make
    return register


def file_size(scale):
    """Of the one large file."""
    return max(int(4 * GIB * scale) // MIB, 8) * MIB


def room(*sizes):
    """Space of a file system for contents of these sizes."""
    total = sum(sizes)
    return total + total // 10 + 256 * MIB


def fresh_dir(*path):
    """Make a directory."""
    path = os.path.join(*path)
    os.mkdir(path)
    return path


def one_fs(st, kind, size, options=""):
    """A file, to be copied within one file system."""
    top = st.loop("fs", kind, room(size, size), options)
    data.make_file(os.path.join(top, "file"), size)
    return Setup(os.path.join(top, "file"), fresh_dir(top, "dst"))


def two_fs(st, kinds, size, options=("", "")):
    """A file, to be copied from one file system to another."""
    src = st.loop("src", kinds[0], room(size), options[0])
    dst = st.loop("dst", kinds[1], room(size), options[1])
    data.make_file(os.path.join(src, "file"), size)
    return Setup(os.path.join(src, "file"), fresh_dir(dst, "dst"))


@case("file within one btrfs")
def btrfs_same(st, scale):
    return one_fs(st, "btrfs", file_size(scale))


@case("file within one XFS")
def xfs_same(st, scale):
    return one_fs(st, "xfs", file_size(scale))


@case("file within one ext4, source cached")
def ext4_same_warm(st, scale):
    return one_fs(st, "ext4", file_size(scale))


@case("file within one ext4, source not cached", cold=True)
def ext4_same_cold(st, scale):
    return one_fs(st, "ext4", file_size(scale))


@case("file, ext4 to another ext4, source cached")
def ext4_pair_warm(st, scale):
    return two_fs(st, ("ext4", "ext4"), file_size(scale))


@case("file, ext4 to another ext4, source not cached", cold=True)
def ext4_pair_cold(st, scale):
    return two_fs(st, ("ext4", "ext4"), file_size(scale))


@case("file, XFS to another XFS, source cached")
def xfs_pair_warm(st, scale):
    return two_fs(st, ("xfs", "xfs"), file_size(scale))


@case("file, XFS to another XFS, source not cached", cold=True)
def xfs_pair_cold(st, scale):
    return two_fs(st, ("xfs", "xfs"), file_size(scale))


@case("file, tmpfs to ext4")
def tmpfs_ext4(st, scale):
    size = file_size(scale)
    src = st.tmpfs("src", size + 64 * MIB)
    dst = st.loop("dst", "ext4", room(size))
    data.make_file(os.path.join(src, "file"), size)
    return Setup(os.path.join(src, "file"), fresh_dir(dst, "dst"))


def _btrfs_pair(algorithm, target):
    """A case: data compressed by @algorithm, copied to a btrfs mounted with @target."""
    into = f"compress-force={target}" if target else ""

    def make(st, scale):
        return two_fs(st, ("btrfs", "btrfs"), file_size(scale),
                      (f"compress-force={algorithm}", into))
    short = algorithm.partition(":")[0]
    make.__name__ = f"btrfs_{short}_{'same' if target else 'plain'}"
    case(f"file, btrfs {algorithm} to another btrfs, "
         + (f"mounted {into}" if into else "not compressing"), cold=True)(make)


for _algorithm in ("zstd:3", "zlib", "lzo"):
    _btrfs_pair(_algorithm, _algorithm)
    _btrfs_pair(_algorithm, "")


@case("file, btrfs zstd:3 to another btrfs, not compressing, devices of 100 MB/s", cold=True)
def btrfs_slow(st, scale):
    setup = two_fs(st, ("btrfs", "btrfs"), file_size(scale) // 4, ("compress-force=zstd:3", ""))
    st.throttle(100 * 10**6)
    return setup


@case("sparse image, a hundredth of it data, within one ext4")
def sparse(st, scale):
    size, content = int(100 * GIB * scale), int(GIB * scale)
    top = st.loop("fs", "ext4", room(content, content))
    data.make_sparse(os.path.join(top, "file"), size, content)
    setup = Setup(os.path.join(top, "file"), fresh_dir(top, "dst"))
    setup.sparse = True
    return setup


def _tree(st, scale, kind, mkfs=()):
    files = max(int(50000 * scale), 200)
    top = st.loop("fs", kind, room(60000 * files), mkfs=mkfs)
    data.make_tree(os.path.join(top, "tree"), files)
    return Setup(os.path.join(top, "tree"), fresh_dir(top, "dst"))


@case("tree of 50,000 small files within one ext4")
def tree_ext4(st, scale):
    return _tree(st, scale, "ext4", ("-i", "4096"))


@case("tree of 50,000 small files within one XFS")
def tree_xfs(st, scale):
    return _tree(st, scale, "xfs")


@case("tree of 50,000 small files within one btrfs")
def tree_btrfs(st, scale):
    return _tree(st, scale, "btrfs")


def _snapshots(top, size):
    """Three read-only snapshots of a tree with reflinked copies, changed between them."""
    work = os.path.join(top, "work")
    call("btrfs", "-q", "subvolume", "create", work)
    for i in range(8):
        data.make_file(os.path.join(work, f"file{i}"), size // 8 + i * 5000)
    data.make_tree(os.path.join(work, "tree"), 500)
    for n in (1, 2, 3):
        call("cp", "--reflink=always", os.path.join(work, f"file{n}"),
             os.path.join(work, f"clone{n}"))
        with open(os.path.join(work, "file0"), "r+b") as f:
            f.seek(size // 32 * n)
            f.write(os.urandom(200000))
        call("btrfs", "-q", "subvolume", "snapshot", "-r", work, os.path.join(top, f"s{n}"))
    call("btrfs", "-q", "subvolume", "delete", "-c", work)


def _send_script(src, dst):
    """Each snapshot as the difference to the one before."""
    lines = ["set -e"]
    for n in (1, 2, 3):
        parent = f"-p '{src}/s{n - 1}'" if n > 1 else ""
        lines.append(f"btrfs -q send --compressed-data {parent} '{src}/s{n}' "
                     f"| btrfs -q receive '{dst}'")
    return "\n".join(lines)


@case("tree with reflinks in three snapshots, btrfs zstd:3 to another", cold=True)
def btrfs_sharing(st, scale):
    size = file_size(scale) // 4
    options = "compress-force=zstd:3"
    top = st.loop("src", "btrfs", room(size, size // 2), options)
    dst = st.loop("dst", "btrfs", room(size, size, size, size), options)
    _snapshots(top, size)
    setup = Setup(top, fresh_dir(dst, "dst"), "")
    snapshots = [os.path.join(top, f"s{n}") for n in (1, 2, 3)]
    setup.subvolumes = True
    setup.tools = {
        "cp": ["cp", "-a", *snapshots, setup.dst_dir],
        "ocp": ["ocp", "-a", *snapshots, setup.dst_dir],
        "send": ["sh", "-c", _send_script(top, setup.dst_dir)],
    }

    def check():
        for snapshot in snapshots:
            data.same_tree(snapshot, os.path.join(setup.dst_dir, os.path.basename(snapshot)))
    setup.check = check
    return setup


def tools_for(setup):
    """Commands by name, "ocp" and "cp" first; the program's name is their first word."""
    if setup.tools:
        return setup.tools
    src, dst = setup.src, setup.dst
    if setup.tree:
        # Not told to keep what the source does not have, so that rsync gets its best time.
        return {"cp": ["cp", "-a", src, dst], "ocp": ["ocp", "-a", src, dst],
                "rsync": ["rsync", "-a", "--whole-file", src + "/", dst],
                "xcp": ["xcp", "-r", src, dst]}
    return {"cp": ["cp", src, dst], "ocp": ["ocp", src, dst],
            # cp unchanged; the first words are of the build.
            "run": ["ocp-run", "cp", src, dst],
            "preload": ["env", "LD_PRELOAD=libocp-preload.so", "cp", src, dst],
            "rsync": ["rsync", "--whole-file", "--sparse" if setup.sparse else "--inplace",
                      src, dst],
            "xcp": ["xcp", src, dst]}


def version(program):
    """The first line that @program says of itself."""
    out = subprocess.run([program, "--version"], check=False, capture_output=True, text=True)
    return (out.stdout.splitlines() or ["?"])[0]
