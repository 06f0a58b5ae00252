# SPDX-License-Identifier: GPL-2.0-or-later
"""each_call.py OCP every|kill SIDE RULES OPTION... - break each single call of a copy in turn.

In the current folder: ./src is copied to ./dst (a copy of ./old, where there is one), by
one worker, with one call on SIDE (src or dst) failing (every) or killing ocp (kill);
RULES stand besides in all runs.  What has its final name has to be complete each time.  With "every"
either the copy is equal, or a message and the exit status tell; with "kill" a second run
makes it equal.
"""
import os
import re
import stat
import subprocess
import sys

OCP, HOW, SIDE, RULES, OPTIONS = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:]
TEMPORARY = re.compile(r"\..*\.ocp-......$", re.S)
HERE = os.getcwd()


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        if os.geteuid():
            os.chmod(path, 0o700)
        for name in os.listdir(path):
            remove(os.path.join(path, name))
        os.rmdir(path)
    elif os.path.lexists(path):
        os.unlink(path)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def leftovers(top):
    found = []
    for where, dirs, files in os.walk(top):
        found += [os.path.join(where, name) for name in dirs + files if TEMPORARY.match(name)]
        dirs[:] = [name for name in dirs if not TEMPORARY.match(name)]
    return found


def portrait(top):
    """All that -a keeps."""
    seen = {}
    for where, dirs, files in os.walk(top):
        for name in ["."] + files + [d for d in dirs if os.path.islink(os.path.join(where, d))]:
            path = os.path.join(where, name)
            st = os.lstat(path)
            what = [st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns]
            if not stat.S_ISDIR(st.st_mode):
                what += [st.st_size, st.st_nlink]
            if stat.S_ISREG(st.st_mode):
                what.append(read(path))
                what += [(n, os.getxattr(path, n)) for n in os.listxattr(path) if n.startswith("user.")]
            if stat.S_ISLNK(st.st_mode):
                what.append(os.readlink(path))
            seen[os.path.relpath(path, top)] = what
    return seen


def complete(top):
    """Each regular file with a final path is that of src, or that of old, in full."""
    for where, dirs, files in os.walk(top):
        dirs[:] = [name for name in dirs if not TEMPORARY.match(name)]
        for name in files:
            path = os.path.join(where, name)
            if TEMPORARY.match(name) or not stat.S_ISREG(os.lstat(path).st_mode):
                continue
            data, below = read(path), os.path.relpath(path, top)
            of = [os.path.join(side, below) for side in ("src", "old")]
            assert any(os.path.exists(o) and read(o) == data for o in of), f"{below} looks complete and is not"


def copy(rule, target):
    """A run with one more rule; its status as a shell gives it, and what it said."""
    remove(target)
    for left in os.listdir("."):
        if left.startswith(f".{target}.ocp-"):
            remove(left)
    if os.path.isdir("old"):
        subprocess.run(["cp", "-a", "old", target], check=True)
    rules = {"src": "", "dst": ""}
    rules[SIDE] = rule + RULES
    done = subprocess.run(
        [OCP, "-j1", *OPTIONS, "-T", f"fault:{rules['src']}:{HERE}/src", f"fault:{rules['dst']}:{HERE}/{target}"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
    status = done.returncode if done.returncode >= 0 else 128 - done.returncode
    return status, done.stdout.decode(errors="replace")


def calls():
    """How many calls a copy makes: the last one at which a signal is seen."""
    n, step = 0, 256
    while step:
        if copy(f"*@{n + step}=kill", "calls")[0] == 0:
            step //= 2
        else:
            n += step
    remove("calls")
    return n


def after_error(status, said):
    complete("dst")
    for left in leftovers("."):  # a directory that cannot get its name keeps its files
        assert re.search(f"cannot rename .*{re.escape(os.path.basename(left))}' to ", said), f"left behind: {left}"
    assert status in (0, 1), "exit status"
    if status:
        assert re.search(r"ocp: .*: Input/output error", said), "no message"
    else:
        assert not said, "a message without a failure"
        assert portrait("dst") == want, "no failure, and not equal"


def after_kill(status, said):
    assert status == 137, "it was not killed"
    if os.path.isdir("dst"):
        complete("dst")
    for left in leftovers("."):
        remove(left)
    atomic = ["--atomic"] if os.path.isdir("old") else []
    subprocess.run([OCP, "-a", *atomic, "-T", "src", "dst"], check=True)
    assert portrait("dst") == want, "not equal after a second run"


want = portrait("src")
last = calls()
assert last > 20, f"only {last} calls"
for call in range(1, last + 1):
    status, said = copy(f"*@{call}={'EIO' if HOW == 'every' else 'kill'}", "dst")
    try:
        (after_error if HOW == "every" else after_kill)(status, said)
    except AssertionError as e:
        sys.exit(f"broken at call {call} of the {SIDE}: {e}: status {status}: {said}")
print(f"{last} calls")
