# SPDX-License-Identifier: GPL-2.0-or-later
"""kills.py OCP OPTION... - kill and resume one copy, $KILLS times, by $SEED.

Looked at after each kill: what the journals of large files say is never taken back, what
is beyond it is no more than a range, and no file is completed by two runs.  In the end,
the bytes that all runs wrote, as the kernel counted them, and that the copy is equal.
"""
import json
import os
import random
import signal
import stat
import struct
import subprocess
import sys
import time

OCP, OPTIONS = sys.argv[1], sys.argv[2:]
SEED, KILLS = int(os.environ["SEED"]), int(os.environ["KILLS"])
WORKERS, RANGE_MAX, RATE = 2, 32 << 20, 16 << 20
SMALL, LARGE = 400, (40 << 20, 50 << 20, 36 << 20)
rnd = random.Random(SEED)


def make_tree():
    for i in range(SMALL):
        path = f"src/{i % 10}/{i}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(rnd.randbytes(rnd.randrange(20000)))
        if i % 20 == 0:
            os.link(path, path + ".link")
            os.symlink(str(i), path + ".symlink")
    for i, size in enumerate(LARGE):
        with open(f"src/{i}/large", "wb") as out:
            out.write(rnd.randbytes(1 << 20) * (size >> 20))
    os.chmod("src/0/large", 0o444)
    os.chmod("src/4", 0o500)


def journal_done(path):
    """The bytes that the newer whole record vouches for."""
    best = (-1, 0)
    with open(path, "rb") as f:
        data = f.read()
    for at in (0, 4096):
        record = data[at : at + 128]
        if len(record) < 128:
            continue
        h = 14695981039346656037
        for byte in record[:120]:
            h = (h ^ byte) * 1099511628211 % (1 << 64)
        if struct.unpack("<Q", record[120:])[0] == h:
            seq, done = struct.unpack("<Q", record[8:16])[0], struct.unpack("<Q", record[64:72])[0]
            best = max(best, (seq, done))
    return best[1]


def written(pid):
    """Bytes that a process which is dead but not waited for handed to write(2) and the like."""
    try:
        with open(f"/proc/{pid}/io") as f:
            return int(f.read().split("wchar:")[1].split()[0])
    except (OSError, IndexError):
        return None


class Copy:
    def __init__(self):
        self.noted, self.lost, self.most, self.wrote, self.completed = {}, 0, 0, 0, set()

    def look(self):
        """After a kill: what is there of large files."""
        for i in range(len(LARGE)):
            part, journal = f"dst/{i}/.large.ocp-partial", f"dst/{i}/.large.ocp-journal"
            if not os.path.exists(part) or not os.path.exists(journal):
                continue
            done, size = journal_done(journal), os.path.getsize(part)
            assert done >= self.noted.get(i, 0), f"{part}: {done} after {self.noted[i]}"
            assert size >= done, f"{part}: {size} bytes, {done} noted"
            assert size - done <= RANGE_MAX, f"{part}: {size - done} bytes would be copied twice"
            self.noted[i] = done
            self.lost += size - done
            self.most = max(self.most, size - done)

    def lines(self):
        with open("lines") as f:
            for line in f:
                try:
                    event = json.loads(line)
                except ValueError:
                    continue  # the last one, cut off
                if event["type"] == "file" and event["done"]:
                    assert event["destination"] not in self.completed, f"twice: {event}"
                    self.completed.add(event["destination"])

    def run(self, seconds, *options):
        command = [OCP, f"-aj{WORKERS}", "--resume", "--json=lines:lines", *OPTIONS, *options]
        child = subprocess.Popen(command + ["-T", "src", "dst"])
        if seconds is None:
            assert child.wait() == 0, f"exit status {child.returncode}"
        else:
            time.sleep(seconds)
            child.send_signal(signal.SIGKILL)
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
            wrote = written(child.pid)
            self.wrote = None if wrote is None or self.wrote is None else self.wrote + wrote
            child.wait()
        if os.path.exists("lines"):
            self.lines()
            os.unlink("lines")
        return child.returncode


def portrait(top):
    seen, inodes = {}, {}
    for path, _, names in os.walk(top):
        for name in [""] + names:
            full = os.path.join(path, name) if name else path
            st = os.lstat(full)
            inodes.setdefault(st.st_ino, len(inodes) if name else None)
            what = (st.st_mode, st.st_size if name else 0, st.st_mtime_ns, st.st_nlink if name else 0)
            data = None
            if stat.S_ISLNK(st.st_mode):
                data = os.readlink(full)
            elif name:
                with open(full, "rb") as f:
                    data = f.read()
            seen[full[len(top) :]] = (what, data)
    return seen


make_tree()
copy = Copy()
ended = 0
for n in range(KILLS):
    if copy.run(rnd.uniform(0.01, 0.06), f"--bwlimit={RATE}B") == 0:
        ended += 1
    copy.look()
# Once what was completed and noted, what was lost with a kill, and a small file a worker each time.
due = sum(os.path.getsize(name) for name in copy.completed) + sum(copy.noted.values())
due += copy.lost + KILLS * WORKERS * 24000
copy.run(None)
whole = portrait("src") == portrait("dst") if not OPTIONS else True
print(f"seed {SEED}: {KILLS} kills, {ended} too late; {copy.lost} bytes beyond the journals, at most "
      f"{copy.most} at once; written {copy.wrote} of {due} before the last run, {sum(copy.noted.values())} noted")
assert whole, "the copy differs"
left = [f for _, _, names in os.walk(".") for f in names if ".ocp-" in f]
assert not left, f"left behind: {left}"
if copy.wrote is not None:
    assert copy.wrote <= due, f"{copy.wrote} bytes written, at most {due} are due"
if OPTIONS:
    subprocess.run([OCP, "-a", "--resume", "--shard=2/2", "-T", "src", "dst"], check=True)
    assert portrait("src") == portrait("dst"), "the parts together differ"
