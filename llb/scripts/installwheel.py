"""Checks a wheel that was built and has the unpacker lay it down.

It reads lay.json beside itself. The wheel is the only one in /mlbuild/wheel; the base is mounted at /mlbuild/base, the layers of system packages and of
locked packages that the build saw below /mlbuild/layers.
"""

import json
import os
import re
import shutil
import struct
import subprocess
import sys
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
WHEELS, BASE, LAYERS = "/mlbuild/wheel", "/mlbuild/base", "/mlbuild/layers"

# What glibc itself brings, the dynamic linker, and what the NVIDIA driver brings when the container starts.
GLIBC = re.compile(r"^(lib(c|m|dl|rt|pthread|util|resolv|nsl|anl|mvec|thread_db|crypt)\.so\.[0-9]+|ld-linux[-a-z0-9_]*\.so\.[0-9]+|linux-vdso\.so\.1"
                   r"|libcuda\.so\.1|libnvidia-ml\.so\.1)$")


def main():
    with open(HERE + "/lay.json") as f:
        job = json.load(f)
    names = [n for n in os.listdir(WHEELS) if n.endswith(".whl")]
    wheel = names[0]
    faults = check_name(job, wheel) + check_libraries(job, os.path.join(WHEELS, wheel))
    for f in faults:
        print("E-WHEEL: " + f, file=sys.stderr)
    if faults:
        sys.exit(1)
    args = [a.replace("{wheel}", wheel) for a in job["args"]]
    os.execv(args[0], args)


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def check_name(job, wheel):
    parts = wheel[:-len(".whl")].split("-")
    faults = []
    if normal(parts[0]) != job["name"]:
        faults.append("the source of %s makes a wheel of %s" % (job["name"], normal(parts[0])))
    if job["version"] and same(parts[1]) != same(job["version"]):
        faults.append("the source of %s %s makes a wheel of version %s" % (job["name"], job["version"], parts[1]))
    for tag in parts[-1].split("."):
        minor = re.match(r"manylinux_2_([0-9]+)_", tag)
        known = tag == "any" or tag.endswith("linux_" + job["machine"]) or (tag.startswith("manylinux") and tag.endswith("_" + job["machine"]))
        if not known or tag.startswith("musllinux"):
            faults.append("%s is for the platform %s, the image is linux on %s with glibc" % (wheel, tag, job["machine"]))
        elif minor and job["glibc"] and int(minor.group(1)) > job["glibc"]:
            faults.append("%s needs glibc 2.%s, the base image has 2.%d" % (wheel, minor.group(1), job["glibc"]))
    return faults


# A version in any spelling of PEP 440; in a wheel's name "_" stands for "-".
VERSION = re.compile(
    r"v?(?:([0-9]+)!)?([0-9]+(?:\.[0-9]+)*)(?:[-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?([0-9]*))?"
    r"(?:[-_]([0-9]+)|[-_.]?(post|rev|r)[-_.]?([0-9]*))?(?:[-_.]?(dev)[-_.]?([0-9]*))?(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?")
LETTERS = {"alpha": "a", "beta": "b", "preview": "rc", "pre": "rc", "c": "rc"}


def same(version):
    """A version so that its spellings compare equal: 1.0-dev is 1.0.0.dev0."""
    m = VERSION.fullmatch(version.lower().strip())
    if not m:
        return version
    epoch, release, letter, pre, implicit, post, posted, dev, developed, local = m.groups()
    return (
        int(epoch or 0), re.sub(r"(\.0+)+$", "", re.sub(r"(^|\.)0+(?=[0-9])", r"\1", release)), LETTERS.get(letter, letter), letter and int(pre or 0),
        int(implicit) if implicit else post and int(posted or 0), dev and int(developed or 0), local and re.sub(r"[-_.]", ".", local))


def check_libraries(job, path):
    own, needed, newest = set(), {}, {}
    with zipfile.ZipFile(path) as z:
        for name in z.namelist():
            base = os.path.basename(name)
            if ".so" not in base and "/scripts/" not in name and "/bin/" not in name:
                continue
            own.add(base)
            data = z.read(name)
            if data[:4] != b"\x7fELF":
                continue
            libraries, glibc = dynamic(data)
            for lib in libraries:
                needed.setdefault(lib, name)
            if glibc:
                newest[name] = glibc
    faults = []
    for name, minor in sorted(newest.items()):
        if job["glibc"] and minor > job["glibc"]:
            faults.append("%s in %s needs glibc 2.%d, the base image has 2.%d" % (name, os.path.basename(path), minor, job["glibc"]))
    there = None
    for lib, by in sorted(needed.items()):
        if GLIBC.match(lib) or lib in own:
            continue
        if there is None:
            there = libraries_there(job)
        if lib not in there:
            faults.append("%s links %s, which no layer of the image has%s" % (by, lib, package_of(lib)))
    print("%s links %s" % (os.path.basename(path), ", ".join(sorted(needed)) or "no library"))
    return faults


def package_of(lib):
    """Names the Debian package that a library of the builder stage is of."""
    if not shutil.which("dpkg-query"):
        return ""
    found = subprocess.run(["dpkg-query", "--search", "*/" + lib], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return ": Debian's package is " + found.split(":")[0] if found else ""


def libraries_there(job):
    """The names of all shared libraries in the base, in the layers, and in the packages that both the build and the wheel require, whose import loads them."""
    with open(WHEELS + "/libraries.json") as f:
        found = {lib for lib, package in json.load(f).items() if package in job["needs"]}
    roots = [BASE] + sorted(os.path.join(LAYERS, n) for n in (os.listdir(LAYERS) if os.path.isdir(LAYERS) else []))
    for root in roots:
        for top in ("lib", "lib64", "usr/lib", "usr/lib64", "usr/local/lib", "usr/local/lib64", "opt"):
            for _, _, files in os.walk(os.path.join(root, top)):
                found.update(n for n in files if ".so" in n)
    return found


def dynamic(data):
    """The libraries that an ELF file needs (DT_NEEDED), and the highest 2.x of the GLIBC_2.x symbol versions that it asks for."""
    if data[4] != 2 or data[5] != 1:  # 64 bit, little endian
        return [], 0
    phoff, = struct.unpack_from("<Q", data, 0x20)
    phentsize, phnum = struct.unpack_from("<HH", data, 0x36)
    loads, table = [], None
    for i in range(phnum):
        kind, _, offset, address, _, size = struct.unpack_from("<IIQQQQ", data, phoff + i * phentsize)
        if kind == 1:
            loads.append((address, offset, size))
        elif kind == 2:
            table = (offset, size)
    if table is None:
        return [], 0

    def place(address):
        for start, offset, size in loads:
            if start <= address < start + size:
                return address - start + offset
        return address

    entries = []
    for at in range(table[0], table[0] + table[1], 16):
        tag, value = struct.unpack_from("<QQ", data, at)
        if tag == 0:
            break
        entries.append((tag, value))
    strings = next((place(v) for t, v in entries if t == 5), 0)

    def text(offset):
        end = data.index(b"\0", strings + offset)
        return data[strings + offset:end].decode("utf-8", "replace")

    needed = [text(v) for t, v in entries if t == 1]
    return needed, newest_glibc(data, entries, place, text)


def newest_glibc(data, entries, place, text):
    at = next((place(v) for t, v in entries if t == 0x6FFFFFFE), None)  # DT_VERNEED
    newest = 0
    while at is not None:
        _, count, _, first, following = struct.unpack_from("<HHIII", data, at)
        aux = at + first
        for _ in range(count):
            _, _, _, name, after = struct.unpack_from("<IHHII", data, aux)
            m = re.match(r"GLIBC_2\.([0-9]+)", text(name))
            if m:
                newest = max(newest, int(m.group(1)))
            aux += after
        at = at + following if following else None
    return newest


main()
