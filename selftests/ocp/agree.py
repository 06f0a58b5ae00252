# SPDX-License-Identifier: GPL-2.0-or-later
"""agree.py OCP - run cp and OCP with the same arguments, each in a scene, and compare.

Reads requests: a line with a number, then so many strings that end with a NUL: where to
work, the folder to be copied there as ./cp and ./ocp, three variables as NAME=value or
NAME, and the arguments.  Exit status, standard output and error (lines sorted, the
program's name aside) and everything about the files afterwards must be the same, but
times of today.  Answers with what differs, and a last line "agree" or "differ".
"""
import os
import re
import signal
import stat
import sys
import time

year = time.gmtime().tm_year


def remove(top):
    if os.path.isdir(top) and not os.path.islink(top):
        if os.geteuid():
            os.chmod(top, 0o700)
        for name in os.listdir(top):
            remove(os.path.join(top, name))
        os.rmdir(top)
    elif os.path.lexists(top):
        os.unlink(top)


def copy(src, dst, linked):
    """A tree as cp -a would make it, of what scenes have in them."""
    st = os.lstat(src)
    if st.st_nlink > 1 and st.st_ino in linked:
        os.link(linked[st.st_ino], dst, follow_symlinks=False)
        return
    if stat.S_ISDIR(st.st_mode):
        os.mkdir(dst, 0o700)
        for name in os.listdir(src):
            copy(os.path.join(src, name), os.path.join(dst, name), linked)
    elif stat.S_ISLNK(st.st_mode):
        os.symlink(os.readlink(src), dst)
    elif stat.S_ISREG(st.st_mode):
        linked[st.st_ino] = dst
        with open(src, "rb") as f, open(dst, "wb") as out:
            out.write(f.read())
    else:
        os.mknod(dst, st.st_mode, st.st_rdev)
    if not stat.S_ISLNK(st.st_mode):
        os.chmod(dst, stat.S_IMODE(st.st_mode))
    os.utime(dst, ns=(st.st_atime_ns, st.st_mtime_ns), follow_symlinks=False)


def when(ns):
    return "now" if time.gmtime(ns // 10**9).tm_year == year else str(ns)


def portrait(top):
    lines, inodes = [], {}
    paths = [""]
    for where, dirs, files in os.walk(top):
        paths += [os.path.join(where, name)[len(top) + 1 :] for name in dirs + files]
    for path in sorted(paths):
        full = os.path.join(top, path)
        st = os.lstat(full)
        what = ""
        if stat.S_ISLNK(st.st_mode):
            what = "-> " + os.readlink(full)
        elif stat.S_ISREG(st.st_mode):
            try:
                with open(full, "rb") as f:
                    what = repr(f.read(4096))
            except PermissionError:
                what = "unreadable"
            if st.st_nlink > 1:
                inodes.setdefault(st.st_ino, []).append(path)
        elif stat.S_ISCHR(st.st_mode) or stat.S_ISBLK(st.st_mode):
            what = str(st.st_rdev)
        lines.append(
            f"{path}|{stat.filemode(st.st_mode)}|{st.st_uid}:{st.st_gid}|{st.st_nlink}|"
            f"{st.st_size if not stat.S_ISDIR(st.st_mode) else ''}|{when(st.st_mtime_ns)}|{what}"
        )
    return lines + sorted("linked: " + " ".join(names) for names in inodes.values())


def text(path, program):
    with open(path, encoding="utf-8", errors="surrogateescape") as f:
        lines = f.read().split("\n")
    name = re.escape(os.path.basename(program))
    lines = [re.sub(f"^{name}: ", "cp: ", re.sub(f"'{name} --help'", "'cp --help'", s)) for s in lines]
    return sorted(lines)


def one(program, where, arguments, environment):
    os.chdir(where)
    new = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    child = os.posix_spawnp(
        program,
        [program] + arguments,
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, f"../{where}.out", new, 0o600),
            (os.POSIX_SPAWN_OPEN, 2, f"../{where}.err", new, 0o600),
        ],
        setsigdef=[signal.SIGPIPE, signal.SIGINT],
    )
    signal.alarm(120)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    signal.alarm(0)
    os.chdir("..")
    return {
        "exit status": [str(status)],
        "files": portrait(where),
        "output": text(where + ".out", program),
        "messages": text(where + ".err", program),
    }


def agree(ocp, where, scene, variables, arguments):
    environment = dict(os.environ, LC_ALL="C")
    for variable in variables:
        name, is_set, value = variable.partition("=")
        environment.pop(name, None)
        if is_set:
            environment[name] = value
    os.chdir(where)
    for side in ("cp", "ocp"):
        remove(side)
        copy(scene, side, {})
    cp = one("cp", "cp", arguments, environment)
    seen = one(ocp, "ocp", arguments, environment)
    for what, lines in cp.items():
        if lines != seen[what]:
            import difflib

            print(f"cp {' '.join(arguments)}: not the same {what}")
            print("\n".join(difflib.unified_diff(lines, seen[what], "cp", "ocp", lineterm="", n=1)))
            return "differ"
    return "agree"


def strings(n):
    text = b""
    while text.count(b"\0") < n:
        text += os.read(0, 65536)
    return os.fsdecode(text).split("\0")[:n]


def number():
    text = b""
    while not text.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            sys.exit(0)
        text += byte
    return int(text)


while True:
    given = strings(number())
    print(agree(sys.argv[1], given[0], given[1], given[2:5], given[5:]), flush=True)
