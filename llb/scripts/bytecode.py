"""Compiles the Python files of a layer, in a step of its own: the trees below /in/0, /in/1, … give /out.

Every .pyc says by a hash that it is never to be checked (PEP 552, "unchecked-hash"), so that it holds no time. Each file is compiled in a process of its
own: which references marshal writes depends on what a process did before. What does not compile is left out, as pip does; the interpreter says why if it
is ever imported. Directories and owners are those of the sources; times are fixed.
"""

import importlib.util
import os
import py_compile
import sys
import traceback

TIME = 315532800  # 1980-01-01, the time of everything that mlbuild installs
failed = 0


def sources(root):
    """Directories and Python files below root, sorted."""
    for directory, names, files in os.walk(root):
        names.sort()
        for name in sorted(files):
            if name.endswith(".py"):
                yield directory, name


def like(source, target):
    """Makes the directory target with the owner and mode of source, its parents first."""
    if os.path.isdir(target):
        return
    if os.path.dirname(target) != target:
        like(os.path.dirname(source), os.path.dirname(target))
    os.mkdir(target)
    at = os.stat(source)
    os.chown(target, at.st_uid, at.st_gid)
    os.chmod(target, at.st_mode & 0o7777)


def compile_one(source, target, name):
    try:
        py_compile.compile(source, target, name, True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    except (py_compile.PyCompileError, RecursionError, UnicodeError, MemoryError):
        return
    at = os.stat(source)
    os.chown(target, at.st_uid, at.st_gid)
    os.chmod(target, at.st_mode & 0o666)
    os.utime(target, (TIME, TIME))


def wait():
    global failed
    _, status = os.wait()
    failed += status != 0


def main():
    limit, running = len(os.sched_getaffinity(0)), 0
    for root in sorted(os.listdir("/in")):
        top = os.path.join("/in", root)
        for name in sorted(os.listdir(top)):  # a layer has something in it, even if nothing compiles
            if os.path.isdir(os.path.join(top, name)):
                like(os.path.join(top, name), os.path.join("/out", name))
        for directory, name in sources(top):
            inside = directory[len(top):]
            target = importlib.util.cache_from_source("/out" + inside + "/" + name, optimization="")
            like(directory, os.path.dirname(os.path.dirname(target)))
            like(directory, os.path.dirname(target))
            if running == limit:
                wait()
                running -= 1
            if os.fork() == 0:
                try:
                    compile_one(os.path.join(directory, name), target, inside + "/" + name)
                    os._exit(0)
                except BaseException:
                    traceback.print_exc()
                    sys.stderr.flush()
                    os._exit(1)
            running += 1
    for _ in range(running):
        wait()
    for directory, _, _ in os.walk("/out", topdown=False):
        if directory.endswith("/__pycache__") and not os.listdir(directory):
            os.rmdir(directory)
            continue
        os.utime(directory, (TIME, TIME))
    sys.exit(failed and "%d files could not be written" % failed)


main()
