# SPDX-License-Identifier: GPL-2.0-or-later
"""File systems to measure on: loop devices over files, in a mount namespace of our own.

However this process ends, the namespace ends with it, so the mounts go, the
loop devices clear themselves and the files behind them, which have no names,
are freed.
"""

import errno
import fcntl
import os
import struct
import subprocess
import sys

MIB = 1 << 20
# <linux/loop.h>
LOOP_CTL_GET_FREE = 0x4C82
LOOP_CONFIGURE = 0x4C0A
LO_FLAGS_AUTOCLEAR = 4
LO_FLAGS_DIRECT_IO = 16
MKFS = {
    # Nothing is discarded: that would free the space behind the device again.
    "ext4": ["mkfs.ext4", "-q", "-F", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0"],
    "xfs": ["mkfs.xfs", "-q", "-f", "-K"],
    "btrfs": ["mkfs.btrfs", "-q", "-f", "-K"],
}
SMALLEST = {"ext4": 64 * MIB, "xfs": 512 * MIB, "btrfs": 512 * MIB}


class Error(Exception):
    """A file system could not be made."""


def own_namespace():
    """Start again inside a mount namespace of our own, unless we are."""
    if "BENCH_NS" not in os.environ:
        os.environ["BENCH_NS"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--", sys.executable, *sys.argv])


def call(*argv):
    """Run a command; what it says matters only when it fails, which is an exception."""
    done = subprocess.run(argv, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode:
        raise Error(f"{' '.join(argv)}: status {done.returncode}: {done.stdout.strip()}")


class LoopDevice:
    """A loop device over a file without a name, as long as it is mounted or this is entered."""

    def __init__(self, top, size):
        self.top, self.size, self.device = top, size, None

    def _configure(self, file):
        """Any free device: the kernel names one, but somebody else may be faster."""
        info = struct.pack("=5Q4I64s64s32s2Q", 0, 0, 0, 0, 0, 0, 0, 0,
                           LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO, b"bench", b"", b"", 0, 0)
        config = struct.pack("=2I", file, 0) + info + bytes(64)
        with open("/dev/loop-control", "rb") as control:
            for _ in range(100):
                name = f"/dev/loop{fcntl.ioctl(control, LOOP_CTL_GET_FREE)}"
                self.device = os.open(name, os.O_RDWR | os.O_CLOEXEC)
                try:
                    fcntl.ioctl(self.device, LOOP_CONFIGURE, config)
                    return name
                except OSError as e:
                    os.close(self.device)
                    if e.errno != errno.EBUSY:
                        raise
        raise Error("no free loop device")

    def __enter__(self):
        file = os.open(self.top, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(file, self.size)
            return self._configure(file)
        finally:
            os.close(file)

    def __exit__(self, *_):
        os.close(self.device)


THROTTLE = "/sys/fs/cgroup/blkio/blkio.throttle.{}_bps_device"  # cgroup v1, its root group


def _limit(device, rate):
    """At most @rate bytes a second read from and written to @device; 0: as it can."""
    with open(f"/sys/block/{device}/dev", encoding="ascii") as f:
        number = f.read().strip()
    for way in ("read", "write"):
        try:
            with open(THROTTLE.format(way), "w", encoding="ascii") as f:
                f.write(f"{number} {rate}")
        except OSError as e:
            raise Error(f"{device} cannot be slowed down: {e}") from e


class Storage:
    """The mounts of one case, below one directory."""

    def __init__(self, top):
        self.top = top
        self.slow = []  # devices with a limit
        self.mounts = []  # (mount point, loop device or None)

    def _mounted(self, name, device):
        path = os.path.join(self.top, name)
        self.mounts.append((path, device))
        return path

    def loop(self, name, kind, size, options="", mkfs=()):
        """Mount a new file system of @kind and @size bytes; returns where."""
        path = os.path.join(self.top, name)
        size = max(size, SMALLEST[kind]) // MIB
        os.mkdir(path)
        with LoopDevice(self.top, size * MIB) as device:
            # Written, not just reserved: no run shall pay for the first use of a block.
            call("dd", "if=/dev/zero", f"of={device}", "bs=1M", f"count={size}",
                 "oflag=direct", "status=none")
            call(*MKFS[kind], *mkfs, device)
            call("mount", "-t", kind, "-o", ",".join(filter(None, ["noatime", options])),
                 device, path)
        return self._mounted(name, os.path.basename(device))

    def tmpfs(self, name, size):
        """Mount a tmpfs for @size bytes; returns where."""
        path = os.path.join(self.top, name)
        os.mkdir(path)
        call("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path)
        return self._mounted(name, None)

    def paths(self):
        """All mount points."""
        return [path for path, _ in self.mounts]

    def devices(self):
        """The block devices behind them."""
        return [device for _, device in self.mounts if device]

    def throttle(self, rate):
        """All devices from now on read and write at most @rate bytes a second each."""
        subprocess.run(["sync"], check=True)
        for device in self.devices():
            _limit(device, rate)
            self.slow.append(device)

    def drop(self):
        """Unmount everything."""
        for device in self.slow:
            _limit(device, 0)
        for path, _ in reversed(self.mounts):
            if subprocess.run(["umount", path], check=False).returncode:
                subprocess.run(["umount", "--lazy", path], check=False)
            os.rmdir(path)
        self.mounts = []


def drop_caches():
    """Forget clean pages, entries and inodes, of the whole machine."""
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as f:
        f.write("3")


def touch_memory(size):
    """Use @size bytes of memory for a moment.

    A virtual machine may give free pages back to its host, and the first use of
    such a page costs more than to copy it.  So the pages that the next run will
    get are had back before.
    """
    with open("/proc/meminfo", encoding="ascii") as f:
        free = next(int(line.split()[1]) for line in f if line.startswith("MemAvailable:"))
    block = bytes([1]) * min(int(size), free * 1024 // 2)
    del block


def _subvolumes(top):
    """Subvolumes below @top, the deepest first; on btrfs inode 256 is the root of one."""
    found = []
    for path, names, _ in os.walk(top):
        for name in names:
            full = os.path.join(path, name)
            if os.lstat(full).st_ino == 256 and not os.path.islink(full):
                found.append(full)
    return reversed(found)


def remove(path, subvolumes=False):
    """Remove what a copy made, received subvolumes too."""
    if subvolumes:
        for subvolume in _subvolumes(path):
            call("btrfs", "property", "set", "-f", subvolume, "ro", "false")
            call("btrfs", "subvolume", "delete", "-c", subvolume)
    call("rm", "-rf", path)
