# SPDX-License-Identifier: GPL-2.0-or-later
"""What one command costs: time, processor, memory, bytes on devices."""

import os
import subprocess
import tempfile
import time

PF_KTHREAD = 0x00200000
SECTOR = 512
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SPENT = os.path.join(os.environ.get("O", f"{TOP}/build"), "bench/spent")


def kernel_threads():
    """Nanoseconds on a processor of each kernel thread, by pid and start."""
    spent = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
                fields = f.read().rpartition(")")[2].split()
            if not int(fields[6]) & PF_KTHREAD:
                continue
            with open(f"/proc/{pid}/schedstat", encoding="ascii") as f:
                spent[pid, fields[19]] = int(f.read().split()[0])
        except (OSError, IndexError, ValueError):
            continue  # gone meanwhile
    return spent


def kernel_seconds(before, after):
    """What the threads of @after used since @before; those that ended in between are lost."""
    return sum(ns - before.get(key, 0) for key, ns in after.items()) / 1e9


def device_bytes(devices):
    """Bytes read and written so far, summed over block devices such as "loop3"."""
    read = written = 0
    for dev in devices:
        with open(f"/sys/block/{dev}/stat", encoding="ascii") as f:
            fields = f.read().split()
        read += int(fields[2]) * SECTOR
        written += int(fields[6]) * SECTOR
    return read, written


def space_used(path):
    """Bytes in use on the file system of @path."""
    fs = os.statvfs(path)
    return (fs.f_blocks - fs.f_bfree) * fs.f_frsize


def sync_fs(*paths):
    """Have the file systems of @paths write what they hold."""
    for path in paths:
        subprocess.run(["sync", "-f", path], check=True)


class Failed(Exception):
    """A command that was to be measured did not succeed."""


def _run(argv):
    """Seconds, user seconds, system seconds, KiB of memory: see spent.c."""
    with tempfile.NamedTemporaryFile("r", prefix="spent.") as figures:
        # pylint: disable=consider-using-with
        child = subprocess.Popen([SPENT, figures.name, *argv], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL)
        try:
            status = child.wait()
        except BaseException:
            child.kill()
            child.wait()
            raise
        if status:
            raise Failed(f"{' '.join(argv)}: status {status}")
        return [float(word) for word in figures.readline().split()]


def run(argv, mounts, devices, target):
    """Run @argv and return its figures.

    "wall", "user", "sys" and "rss" are the command's; all others include the time until the file systems @mounts are
    synced; "kernel" is the time of all kernel threads of the machine, so
    nothing else may be running.  @target is where space is counted.
    """
    space = space_used(target)
    io = device_bytes(devices)
    threads = kernel_threads()
    start = time.monotonic()
    spent = _run(argv)
    exited = time.monotonic()
    sync_fs(*mounts)
    synced = time.monotonic() - exited
    kernel = kernel_seconds(threads, kernel_threads())
    io = [b - a for a, b in zip(io, device_bytes(devices))]
    return {
        "wall": spent[0],
        "synced": spent[0] + synced,
        "user": spent[1],
        "sys": spent[2],
        "kernel": kernel,
        "cpu": spent[1] + spent[2] + kernel,
        "rss": spent[3] * 1024,
        "read": io[0],
        "written": io[1],
        "space": space_used(target) - space,
        "overhead": exited - start - spent[0],
    }
