"""Looks into wheels without downloading them: their sizes, and which of them bring the same path with different bytes.

Reads /in/wheels.json, a list of {"package", "url", "sha256", "auth", "list", "requires"}; writes /out/report.json. Only the end of each wheel is asked for
(range requests, RFC 9110 section 14): the zip directory, RECORD and the entry points. What cannot be learnt is left out.
"""

import base64
import csv
import email.parser
import io
import json
import os
import ssl
import urllib.request
import zipfile
from concurrent.futures import ThreadPoolExecutor

TAIL = 256 * 1024
MAX_RECORD = 64 * 1024 * 1024


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


def requirements(remote):
    """What the wheel says that it requires."""
    archive = zipfile.ZipFile(remote)
    metadata = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA") and n.count("/") == 1)
    return email.parser.Parser().parsestr(archive.read(metadata).decode(errors="replace"), headersonly=True).get_all("Requires-Dist", [])


def inspect(wheel):
    size, listed, required = 0, {}, []
    try:
        remote = Remote(wheel["url"], authorization(wheel.get("auth")))
        size, listed = remote.size, files(remote) if remote.ranged else {}
        required = requirements(remote) if wheel.get("requires") and remote.ranged else []
    except (OSError, ValueError, KeyError, StopIteration, zipfile.BadZipFile):
        pass
    return size, listed, required


def main():
    with open("/in/wheels.json", encoding="utf-8") as f:
        wheels = json.load(f)
    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(inspect, wheels))
    sizes, listed, first, overlaps, required = {}, {}, {}, {}, {}
    for wheel, (size, paths, requires) in zip(wheels, results):
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
        json.dump({"sizes": sizes, "overlaps": {k: v[:5] for k, v in overlaps.items()}, "files": listed, "requires": required}, f, sort_keys=True)


main()
