# SPDX-License-Identifier: GPL-2.0-or-later
"""Things to copy, made of this machine's programs and texts, and whether a copy is equal."""

import errno
import functools
import hashlib
import math
import os
import random
import stat

MIB = 1 << 20
CHUNK = MIB
FILE_MAX = 32 * MIB  # of one file of /usr: no single one shall dominate
POOL = 64 * MIB


@functools.lru_cache(maxsize=None)
def _usr_files():
    """Regular files below /usr in an order that mixes programs with texts."""
    found = []
    for top, _, names in os.walk("/usr"):
        found += [os.path.join(top, name) for name in names]
    found.sort(key=lambda path: hashlib.md5(os.fsencode(path)).digest())
    return [path for path in found if os.path.isfile(path) and not os.path.islink(path)]


def _mixed():
    """Their contents, for ever, in pieces."""
    while True:
        empty = True
        for path in _usr_files():
            try:
                with open(path, "rb") as f:
                    for _ in range(FILE_MAX // CHUNK):
                        piece = f.read(CHUNK)
                        if not piece:
                            break
                        empty = False
                        yield piece
            except OSError:
                continue
        if empty:
            raise RuntimeError("/usr has nothing to read")


def write_mixed(out, size, source):
    """Write @size bytes of real data out of @source to the open file @out."""
    for piece in source:
        piece = piece[:size]
        out.write(piece)
        size -= len(piece)
        if not size:
            return


def make_file(path, size):
    """A file of @size bytes of real data."""
    with open(path, "wb") as f:
        write_mixed(f, size, _mixed())


def make_sparse(path, size, data):
    """A file of @size bytes, @data of them real, in runs all over it."""
    runs = 64
    length = max(data // runs // 4096 * 4096, 4096)
    source = _mixed()
    with open(path, "wb") as f:
        f.truncate(size)
        for i in range(runs):
            f.seek((size // runs) * i // 4096 * 4096)
            write_mixed(f, length, source)


class Pool:
    """Real data in memory, to cut small files from."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.data = b""
        for piece in _mixed():
            self.data += piece
            if len(self.data) >= POOL:
                break

    def cut(self, size):
        """@size bytes from somewhere."""
        at = self.random.randrange(max(len(self.data) - size, 1))
        return self.data[at:at + size]

    def size(self):
        """As files of a source tree are: half below 2.8 KB, nine of ten below 29 KB."""
        return min(int(self.random.lognormvariate(math.log(2800), 1.82)), 512 << 10)


def make_tree(top, files):
    """@files small files with directories and symbolic links in proportion."""
    pool = Pool(files)
    dirs = [top]
    os.mkdir(top)
    for i in range(max(files * 3 // 20, 1)):
        parent = dirs[pool.random.randrange(max(len(dirs) - 40, 0), len(dirs))]
        if parent.count("/") - top.count("/") > 8:
            parent = top
        dirs.append(f"{parent}/dir{i}")
        os.mkdir(dirs[-1])
    for i in range(files):
        path = f"{dirs[pool.random.randrange(len(dirs))]}/file{i}.c"
        with open(path, "wb") as f:
            f.write(pool.cut(pool.size()))
        when = 1000000000 + i
        os.utime(path, ns=(when * 10**9 + i, when * 10**9 + i))
        if i % 25 == 0:
            os.symlink(f"file{i}.c", f"{path}.link")
        if i % 50 == 0:
            os.chmod(path, 0o640)


def read_all(path):
    """Have @path, a file or a tree, in the page cache."""
    if not os.path.isdir(path):
        _read_file(path)
        return
    for top, _, names in os.walk(path):
        for name in names:
            if not os.path.islink(os.path.join(top, name)):
                _read_file(os.path.join(top, name))


def _read_file(path):
    with open(path, "rb", buffering=0) as f:
        for start, end in _runs(f):
            f.seek(start)
            while start < end:
                n = len(f.read(min(CHUNK, end - start)))
                if not n:
                    break
                start += n


def _runs(f):
    """Where the open file has data: (start, end) each."""
    at, size = 0, os.fstat(f.fileno()).st_size
    while at < size:
        try:
            start = os.lseek(f.fileno(), at, os.SEEK_DATA)
        except OSError as e:
            if e.errno == errno.ENXIO:
                return
            raise
        at = os.lseek(f.fileno(), start, os.SEEK_HOLE)
        yield start, at


class Differ(Exception):
    """A copy is not equal to its source."""


def _same_runs(a, b, paths):
    """Where @a has data both have the same bytes."""
    for at, end in _runs(a):
        while at < end:
            n = min(CHUNK, end - at)
            if os.pread(a.fileno(), n, at) != os.pread(b.fileno(), n, at):
                raise Differ(f"{paths[0]} and {paths[1]} differ in {at}..{at + n}")
            at += n


def same_file(one, two):
    """Equal size and bytes; what is a hole in both is not read."""
    with open(one, "rb", buffering=0) as a, open(two, "rb", buffering=0) as b:
        if os.fstat(a.fileno()).st_size != os.fstat(b.fileno()).st_size:
            raise Differ(f"{one} and {two} differ in size")
        _same_runs(a, b, (one, two))
        _same_runs(b, a, (one, two))


def _facts(path):
    st = os.lstat(path)
    link = os.readlink(path) if stat.S_ISLNK(st.st_mode) else None
    # A link's time cannot be set by every tool; a received subvolume keeps its own.
    when = st.st_mtime_ns if stat.S_ISREG(st.st_mode) else None
    return st.st_mode, st.st_uid, st.st_gid, when, link


def same_tree(one, two):
    """Same names, bytes, modes, owners and times."""
    for top, dirs, names in os.walk(one):
        there = os.path.join(two, os.path.relpath(top, one))
        if sorted(dirs + names) != sorted(os.listdir(there)):
            raise Differ(f"{top} and {there} hold different names")
        for name in dirs + names:
            a, b = os.path.join(top, name), os.path.join(there, name)
            if _facts(a) != _facts(b):
                raise Differ(f"{a} and {b} differ: {_facts(a)} {_facts(b)}")
            if os.path.isfile(a) and not os.path.islink(a):
                same_file(a, b)
