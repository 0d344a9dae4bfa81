"""Looks into wheels without downloading them: their sizes, which of them bring the same path with different bytes, files that run at every start of Python,
and what is odd about their directories.

Reads /in/wheels.json, a list of {"package", "url", "sha256", "auth", "list", "requires"}; writes /out/report.json. Only the end of each wheel is asked for
(range requests, RFC 9110 section 14): the zip directory, RECORD and the entry points. What cannot be learnt is left out. What was learnt of a wheel in full is kept
in /cache by its URL and hash: neither changes.
"""

import base64
import csv
import email.parser
import hashlib
import io
import json
import os
import re
import ssl
import tempfile
import urllib.request
import zipfile
from concurrent.futures import ThreadPoolExecutor

TAIL = 256 * 1024
MAX_RECORD = 64 * 1024 * 1024
MAX_STARTUP = 64 * 1024
MAX_ODD = 4 * 1024 * 1024  # bytes of all odd wheels' RECORDs


class Remote(io.RawIOBase):
    """A file behind a server that answers ranges; the end of it is kept."""

    def __init__(self, url, auth):
        self.url, self.headers, self.at = url, ({"Authorization": auth} if auth else {}), 0
        head = self.ask("bytes=0-0")
        self.ranged = "Content-Range" in head.headers
        self.size = int(head.headers["Content-Range"].rpartition("/")[2] if self.ranged else head.headers.get("Content-Length") or 0)
        head.close()
        self.start = max(0, self.size - TAIL)
        self.tail = self.fetch(self.start, self.size) if self.ranged else b""

    def ask(self, span):
        request = urllib.request.Request(self.url, headers={**self.headers, "Range": span})
        return urllib.request.urlopen(request, timeout=30, context=ssl.create_default_context())

    def fetch(self, start, end):
        if start >= end:
            return b""
        with self.ask(f"bytes={start}-{end - 1}") as body:
            return body.read(end - start)

    def seekable(self):
        return True

    def tell(self):
        return self.at

    def seek(self, offset, whence=os.SEEK_SET):
        self.at = {os.SEEK_SET: 0, os.SEEK_CUR: self.at, os.SEEK_END: self.size}[whence] + offset
        return self.at

    def read(self, n=-1):
        end = self.size if n < 0 else min(self.size, self.at + n)
        data = self.tail[self.at - self.start : end - self.start] if self.at >= self.start else self.fetch(self.at, end)
        self.at = end
        return data


def authorization(name):
    """The header for a secret that holds user:password or a token."""
    value = os.environ.get(name, "").strip() if name else ""
    if not value:
        return None
    pair = value if ":" in value else "__token__:" + value
    return "Basic " + base64.b64encode(pair.encode()).decode()


def installed(path):
    """Where a wheel's file goes, or None for what belongs to the package alone."""
    top, _, rest = path.partition("/")
    if top.endswith(".dist-info"):
        return None
    if not top.endswith(".data"):
        return path
    scheme, _, rest = rest.partition("/")
    return {"purelib": rest, "platlib": rest, "scripts": "bin/" + rest, "data": "(venv)/" + rest}.get(scheme)


def files(remote):
    """path -> hash and size of everything that installing the wheel writes."""
    archive = zipfile.ZipFile(remote)
    record = next(n for n in archive.namelist() if n.endswith(".dist-info/RECORD") and n.count("/") == 1)
    if archive.getinfo(record).file_size > MAX_RECORD:
        return {}
    rows = csv.reader(io.StringIO(archive.read(record).decode()))
    found = {installed(row[0]): (row[1], int(row[2] or 0)) for row in rows if len(row) == 3 and installed(row[0])}
    scripts = record.replace("RECORD", "entry_points.txt")
    if scripts in archive.namelist():
        group = ""
        for line in archive.read(scripts).decode().splitlines():
            if line.startswith("["):
                group = line.strip()
            elif group in ("[console_scripts]", "[gui_scripts]") and "=" in line:
                name, _, target = line.partition("=")
                found["bin/" + name.strip()] = target.strip(), 0
    return found


def entries(archive):
    """What the zip's directory lists: names as they are in it, sizes, Unix modes."""
    found = []
    for info in archive.infolist():
        name = info.orig_filename
        if not info.flag_bits & 0x800:
            try:
                name = name.encode("cp437").decode()  # builders forget the flag of names in UTF-8
            except ValueError:
                pass
        found.append({"name": name, "size": info.file_size, "mode": info.external_attr >> 16})
    return found


ROW = re.compile(r"sha(256|384|512)=[A-Za-z0-9_-]{43,86}=*")
NAME = re.compile(r"(?![^/]:)(?!.*//)[^\\\x00-\x1f:/][^\\\x00-\x1f]*")
PART = re.compile(r"(^|/)\.{1,2}(/|$)")
SCHEME = re.compile(r"[^/]*\.data/(?!(purelib|platlib|headers|scripts|data)/.)|[^/]*\.data/(scripts|data/bin)/(python|pip|activate|deactivate)|[^/]*\.data/data/(pyvenv\.cfg|lib64|bin$|lib$|include$)", re.I)


def is_odd(listed, record, top):
    """Whether somebody has to look closer: false for a wheel whose RECORD lists each of its files, which have plain names."""
    sizes = {e["name"]: e["size"] for e in listed if not e["name"].endswith("/")}
    own = {f"{top}/RECORD", f"{top}/RECORD.jws", f"{top}/RECORD.p7s"}
    try:
        rows = {row[0]: row for row in csv.reader(io.StringIO(record.decode())) if not row[0].endswith("/")}
        plain = all(len(row) == 3 and (name in own or ROW.fullmatch(row[1]) and int(row[2] or sizes[name]) == sizes[name]) for name, row in rows.items())
    except (csv.Error, LookupError, ValueError):
        return True
    names = [e["name"] for e in listed]
    return (
        not plain
        or set(rows) | own != set(sizes) | own
        or len({n.rstrip("/").lower() for n in names}) != len(names)
        or any(not NAME.fullmatch(n) or PART.search(n) or SCHEME.match(n) for n in names)
        or any(e["mode"] >> 12 not in ((0, 4) if e["name"].endswith("/") else (0, 8)) for e in listed)
        or any(n.rpartition("/")[0] in sizes for n in names)
        or any(f"{top}/{n}" not in sizes for n in ("WHEEL", "METADATA"))
        or len({n.partition("/")[0] for n in names if n.partition("/")[0].endswith(".dist-info")}) != 1
    )


def look(remote):
    """The files that Python may run at every start, and the directory with the RECORD where it is odd."""
    archive = zipfile.ZipFile(remote)
    record = next(n for n in archive.namelist() if n.endswith(".dist-info/RECORD") and n.count("/") == 1)
    startup = {}
    for info in archive.infolist():
        path = installed(info.filename) or ""
        stem = path.partition("/")[0].partition(".")[0]
        runs = "/" not in path and path.endswith((".pth", ".start")) or stem in ("sitecustomize", "usercustomize")
        if runs and not info.is_dir() and info.file_size <= MAX_STARTUP:
            startup[path] = base64.b64encode(archive.read(info)).decode()
    if archive.getinfo(record).file_size > MAX_RECORD:
        return startup, None
    listed, text = entries(archive), archive.read(record)
    if not is_odd(listed, text, record.partition("/")[0]):
        return startup, None
    return startup, {"entries": listed, "record": base64.b64encode(text).decode()}


def requirements(remote):
    """What the wheel says that it requires."""
    archive = zipfile.ZipFile(remote)
    metadata = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA") and n.count("/") == 1)
    return email.parser.Parser().parsestr(archive.read(metadata).decode(errors="replace"), headersonly=True).get_all("Requires-Dist", [])


CACHE = "/cache"


def kept_at(wheel):
    """Where what is known of a wheel is kept."""
    question = json.dumps([wheel["url"], wheel["sha256"], bool(wheel.get("requires"))])
    return os.path.join(CACHE, hashlib.sha256(question.encode()).hexdigest() + ".json")


def known(wheel):
    """What an earlier run learnt of a wheel, None if nothing."""
    try:
        with open(kept_at(wheel), encoding="utf-8") as f:
            size, listed, required, startup, odd = json.load(f)
            return size, listed, required, startup, odd
    except (OSError, ValueError, TypeError):
        return None


def keep(wheel, learnt):
    """Keeps it for later runs, where there is a place for it."""
    try:
        with tempfile.NamedTemporaryFile("w", dir=CACHE, encoding="utf-8", delete=False) as f:
            json.dump(learnt, f)
        os.replace(f.name, kept_at(wheel))
    except OSError:
        pass


def inspect(wheel):
    before = known(wheel)
    if before:
        return before
    whole = False
    size, listed, required, startup, odd = 0, {}, [], {}, None
    try:
        remote = Remote(wheel["url"], authorization(wheel.get("auth")))
        size = remote.size
        startup, odd = look(remote) if remote.ranged else ({}, None)
        listed = files(remote) if remote.ranged else {}
        required = requirements(remote) if wheel.get("requires") and remote.ranged else []
        whole = remote.ranged
    except (OSError, ValueError, KeyError, StopIteration, zipfile.BadZipFile):
        pass
    learnt = size, listed, required, startup, odd
    if whole:
        keep(wheel, learnt)
    return learnt


def main():
    with open("/in/wheels.json", encoding="utf-8") as f:
        wheels = json.load(f)
    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(inspect, wheels))
    sizes, listed, first, overlaps, required, starting, odds, room = {}, {}, {}, {}, {}, {}, {}, MAX_ODD
    for wheel, (size, paths, requires, startup, odd) in zip(wheels, results):
        if startup:
            starting[wheel["sha256"]] = startup
        if odd and len(odd["record"]) <= room:
            room -= len(odd["record"])
            odds[wheel["sha256"]] = odd
        if requires:
            required[wheel["package"]] = requires
        if size:
            sizes[wheel["sha256"]] = size
        if wheel.get("list") and paths:
            listed[wheel["sha256"]] = {path.removeprefix("(venv)/"): n for path, (_, n) in paths.items()}
        for path, (digest, _) in sorted(paths.items()):
            other, same = first.setdefault(path, (wheel["package"], digest))
            if other != wheel["package"] and same != digest:
                overlaps.setdefault(other + " " + wheel["package"], []).append(path)
    with open("/out/report.json", "w", encoding="utf-8") as f:
        report = {"sizes": sizes, "overlaps": {k: v[:5] for k, v in overlaps.items()}, "files": listed, "requires": required, "startup": starting, "odd": odds}
        json.dump(report, f, sort_keys=True)


main()
