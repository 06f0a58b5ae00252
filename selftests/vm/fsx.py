#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""fsx.py FILE MIRROR COUNT SEED: the same random operations on both; every read is compared.

FILE is on what is tested, MIRROR on a local file system.  It also checks FILE after it
was closed and opened again.
"""
import mmap
import os
import random
import sys

SIZE = 300000


def main(name, mirror, count, seed):
    rng = random.Random(seed)
    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC
    fds = [os.open(name, flags, 0o644), os.open(mirror, flags, 0o644)]

    def both(op):
        answers = [op(fd) for fd in fds]
        return answers[0] == answers[1]

    def whole(fd):
        return os.pread(fd, 2 * SIZE, 0)

    for step in range(count):
        op = rng.choice("wwwrrrtmpaccoo")
        pos, length = rng.randrange(SIZE), rng.randrange(1, 40000)
        size = os.fstat(fds[1]).st_size
        good = True
        if op == "w":
            data = rng.randbytes(length)
            good = both(lambda fd: os.pwrite(fd, data, pos))
        elif op == "r":
            good = both(lambda fd: os.pread(fd, length, pos))
        elif op == "t":
            both(lambda fd: os.ftruncate(fd, pos))
        elif op == "m" and size:
            at = rng.randrange(size)
            data = rng.randbytes(min(100, size - at))

            def change(fd):
                with mmap.mmap(fd, size) as m:
                    m[at:at + len(data)] = data
                    m.flush()

            both(change)
        elif op == "a":
            both(lambda fd: os.posix_fallocate(fd, pos, length))
        elif op == "c" and size > 2:
            # within one file: beyond what is read, so that nothing overlaps
            half = size // 2
            n = min(half, length)

            def copy(fd):
                done = 0
                while done < n:
                    got = os.copy_file_range(fd, fd, n - done, done, half + done)
                    if not got:
                        break
                    done += got
                return done

            good = both(copy)
        elif op == "o":
            for i, path in enumerate((name, mirror)):
                os.close(fds[i])
                fds[i] = os.open(path, os.O_RDWR)
        good = good and both(lambda fd: os.fstat(fd).st_size)
        if not good or (step % 50 == 0 and not both(whole)):
            sys.exit(f"step {step}: {op} at {pos} length {length}: differs")
    if not both(whole):
        sys.exit("differs at the end")


main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
