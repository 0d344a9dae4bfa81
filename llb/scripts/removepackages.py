"""Takes packages out of the environment of a base, as an uninstaller would: the files that their RECORD lists, the bytecode of these, and directories that become empty.

Arguments: the root that the base lies in, the environment's path in it, the Python's version, and the packages' names (normalized). What is touched gets a fixed time.
"""

import csv
import os
import re
import shutil
import sys

TIME = 315532800  # 1980-01-01, the time of everything that mlbuild installs
root, venv, version = sys.argv[1:4]
names = set(sys.argv[4:])
top = os.path.join(root, venv.lstrip("/"))
site = os.path.join(top, "lib", "python" + version, "site-packages")
touched = set()


def normalized(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def remove(path):
    if os.path.islink(path) or os.path.isfile(path):
        os.remove(path)
        touched.add(os.path.dirname(path))


def remove_bytecode(path):
    stem = os.path.splitext(os.path.basename(path))[0]
    cache = os.path.join(os.path.dirname(path), "__pycache__")
    if os.path.isdir(cache) and not os.path.islink(cache):
        for name in os.listdir(cache):
            if name.startswith(stem + ".cpython-"):
                remove(os.path.join(cache, name))


def remove_package(metadata):
    record = os.path.join(metadata, "RECORD")
    if not os.path.isfile(record):
        sys.exit("mlbuild: %s of the base has no RECORD: nobody knows which files to take away" % os.path.basename(metadata))
    with open(record, newline="", encoding="utf-8") as f:
        files = [row[0] for row in csv.reader(f) if row]
    for name in files:
        path = os.path.normpath(os.path.join(root, name.lstrip("/")) if name.startswith("/") else os.path.join(site, name))
        inside = os.path.realpath(os.path.dirname(path)) + os.sep
        if inside.startswith(os.path.realpath(top) + os.sep) or inside == os.path.realpath(top) + os.sep:
            remove(path)
            if path.endswith(".py"):
                remove_bytecode(path)
    shutil.rmtree(metadata, ignore_errors=True)
    touched.add(site)


kept = {top, site, os.path.join(top, "bin"), os.path.join(top, "lib"), os.path.dirname(site)}
for entry in sorted(os.listdir(site)):
    if entry.endswith(".dist-info") and normalized(entry[: -len(".dist-info")].rpartition("-")[0]) in names:
        remove_package(os.path.join(site, entry))
for directory in sorted(touched, key=len, reverse=True):
    while directory not in kept and directory.startswith(top + os.sep) and os.path.isdir(directory) and not os.listdir(directory):
        os.rmdir(directory)
        directory = os.path.dirname(directory)
        touched.add(directory)
for directory in touched:
    if os.path.isdir(directory):
        os.utime(directory, (TIME, TIME))
