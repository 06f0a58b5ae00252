#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""edits.py TREE SEED COUNT: random edits of a tree; edits.py equal A B [TREE SEED COUNT]: are
two of them one tree?  Then edits.

What two trees must have alike: names, types, modes, owners, times, contents, links, xattrs.
No program is started: each takes longer than an edit.
"""
import ctypes
import fcntl
import os
import random
import shutil
import stat
import struct
import sys

FICLONE = 0x40049409
PUNCH_AND_KEEP_SIZE = 3
LIBC = ctypes.CDLL(None, use_errno=True)


def acl(user, perm):
    """The extended attribute of u::rwx,u:USER:PERM,g::r-x,m::rwx,o::r-x."""
    entries = [(1, 7, -1), (2, perm, user), (4, 5, -1), (16, 7, -1), (32, 5, -1)]
    return struct.pack('<I', 2) + b''.join(struct.pack('<HHi', *e) for e in entries)


def look(path):
    """Each name with all that counts, and which names are one inode."""
    found, inodes = {}, {}
    for top, dirs, files in os.walk(path):
        for name in ([''] if top == path else []) + dirs + files:
            p = os.path.join(top, name) if name else top
            st = os.lstat(p)
            rel = os.path.relpath(p, path)
            what = [st.st_mode, st.st_uid, st.st_gid, st.st_rdev, st.st_mtime_ns,
                    sorted((k, os.getxattr(p, k, follow_symlinks=False))
                           for k in os.listxattr(p, follow_symlinks=False)
                           if not k.startswith('trusted.SGI'))]
            if stat.S_ISREG(st.st_mode):
                with open(p, 'rb') as f:
                    what.append(f.read())
            if stat.S_ISLNK(st.st_mode):
                what.append(os.readlink(p))
            if not stat.S_ISDIR(st.st_mode):
                inodes.setdefault(st.st_ino, []).append(rel)
            found[rel] = what
    return found, sorted(sorted(v) for v in inodes.values())


def compare(one, other):
    a, b = look(one), look(other)
    for k in sorted(set(a[0]) | set(b[0])):
        if a[0].get(k) != b[0].get(k):
            print(k, repr(a[0].get(k))[:300], repr(b[0].get(k))[:300])
    return 0 if a == b else print('they differ', a[1] == b[1]) or 1


class Editor:
    def __init__(self, root, rnd):
        self.root, self.rnd = root, rnd

    def nodes(self, want=lambda mode: True):
        found = []
        for top, dirs, files in os.walk(self.root):
            found += [os.path.join(top, n) for n in sorted(dirs) + sorted(files)]
        return [n for n in found if want(os.lstat(n).st_mode)]

    def any(self, want=lambda mode: True):
        return self.rnd.choice(self.nodes(want))

    def place(self):
        return os.path.join(self.rnd.choice([self.root] + self.nodes(stat.S_ISDIR)),
                            self.rnd.choice('abcdefgh'))

    def data(self):
        n = self.rnd.choice([0, 1, 100, 4096, 5000, 200000, 1500000, self.rnd.randrange(20000)])
        return self.rnd.randbytes(n) if self.rnd.random() < .3 else b'%d' % self.rnd.randrange(9) * n

    def create(self):
        n = self.place()
        kind = self.rnd.randrange(6)
        if os.path.lexists(n):
            return
        if kind < 3:
            with open(n, 'wb') as f:
                f.write(self.data())
        elif kind == 3:
            os.symlink('t%d' % self.rnd.randrange(99), n)
        elif kind == 4:
            os.mkfifo(n)
        else:
            os.mkdir(n)

    def remove(self):
        n = self.any()
        if os.path.isdir(n) and not os.path.islink(n):
            shutil.rmtree(n)
        else:
            os.unlink(n)

    def rename(self):
        os.rename(self.any(), self.place())

    def swap(self):
        x, y, spare = self.any(), self.any(), os.path.join(self.root, 'spare')
        if x != y and not (x + '/').startswith(y + '/') and not (y + '/').startswith(x + '/'):
            os.rename(x, spare)
            os.rename(y, x)
            os.rename(spare, y)

    def link(self):
        os.link(self.any(stat.S_ISREG), self.place())

    def write(self):
        with open(self.any(stat.S_ISREG), 'r+b') as f:
            f.seek(self.rnd.randrange(300000))
            f.write(self.data()[:9000])

    def cut(self):
        os.truncate(self.any(stat.S_ISREG), self.rnd.choice([0, 1, 4096, 100000, 3000000]))

    def punch(self):
        begin, length = 4096 * self.rnd.randrange(20), 4096 * self.rnd.randrange(1, 30)
        with open(self.any(stat.S_ISREG), 'r+b') as f:
            if LIBC.fallocate(f.fileno(), PUNCH_AND_KEEP_SIZE, ctypes.c_long(begin),
                              ctypes.c_long(length)):
                raise OSError(ctypes.get_errno(), 'fallocate')

    def clone(self):
        n = self.place()
        if os.path.lexists(n):
            return
        with open(self.any(stat.S_ISREG), 'rb') as f, open(n, 'xb') as to:
            try:
                fcntl.ioctl(to, FICLONE, f.fileno())
            except OSError:
                shutil.copyfileobj(f, to)

    def mode(self):
        os.chmod(self.any(lambda m: not stat.S_ISLNK(m)), self.rnd.choice([0o644, 0o600, 0o4755]))

    def owner(self):
        os.lchown(self.any(), self.rnd.randrange(3), self.rnd.randrange(3))

    def times(self):
        os.utime(self.any(), ns=(5, self.rnd.randrange(10**18)), follow_symlinks=False)

    def xattr(self):
        n = self.any(lambda m: stat.S_ISREG(m) or stat.S_ISDIR(m))
        key = 'user.%d' % self.rnd.randrange(3)
        if key in os.listxattr(n):
            os.removexattr(n, key)
        else:
            os.setxattr(n, key, self.rnd.randbytes(9))

    def acl(self):
        n, kind = self.any(stat.S_ISDIR), self.rnd.randrange(3)
        default = 'system.posix_acl_default'
        if kind == 0:
            os.setxattr(n, default, acl(34, 5))
        elif kind == 1:
            os.setxattr(n, 'system.posix_acl_access', acl(33, 7))
        elif default in os.listxattr(n):
            os.removexattr(n, default)

    def capability(self):
        net_raw = struct.pack('<5I', 0x02000001, 1 << 13, 0, 0, 0)
        os.setxattr(self.any(stat.S_ISREG), 'security.capability', net_raw)

    def run(self, count):
        edits = [self.create] * 4 + [self.remove, self.rename, self.rename, self.swap, self.link,
                                     self.write, self.cut, self.punch, self.clone, self.mode,
                                     self.owner, self.times, self.xattr, self.acl, self.capability]
        for _ in range(count):
            try:
                self.rnd.choice(edits)()
            except (OSError, IndexError):
                pass  # into itself, over a directory, of nothing: another will do


def main(args):
    if args[0] == 'equal':
        if compare(args[1], args[2]):
            return 1
        args = args[3:]
    if args:
        Editor(args[0], random.Random(args[1])).run(int(args[2]))
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
