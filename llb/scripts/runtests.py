"""Runs the commands of the testing stage and leaves their end, the last of their output and their reports in a directory.

It always ends with 0: the client reads how the tests went, so that a failing run brings its reports back like any other.
"""
import glob
import json
import os
import subprocess
import sys
import tarfile

KEPT = 64 * 1024  # bytes of the output's end


def run(command):
    """Gives the exit code of a command, 128 and more for a signal, and the end of its output, which goes to stdout as it comes."""
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        return 127 if missing else 126, ("%s: %s\n" % (command[0], error.strerror)).encode()
    tail = b""
    while True:
        chunk = os.read(process.stdout.fileno(), 1 << 16)
        if not chunk:
            break
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        tail = (tail + chunk)[-KEPT:]
    code = process.wait()
    return (128 - code if code < 0 else code), tail


def pack(archive, patterns):
    """Writes what the patterns match into a tar archive and gives the patterns without a match."""
    missing = []
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        for pattern in patterns:
            found = sorted(glob.glob(pattern, recursive=True))
            if not found:
                missing.append(pattern)
            for path in found:
                tar.add(path, filter=plain)
    return missing


def plain(entry):
    """Leaves out what is neither file nor directory, and who made it when."""
    if not (entry.isfile() or entry.isdir()):
        return None
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.isdir() else 0o644
    return entry


def main(task, out):
    ran = os.environ.pop("MLBUILD_RUN", "")
    with open(task) as file:
        task = json.load(file)
    end = {"run": ran, "exit": 0}
    for command in task["commands"]:
        code, tail = run(command)
        if code:
            end.update(exit=code, command=command, output=tail.decode("utf-8", "replace"))
            break
    end["missing"] = pack(os.path.join(out, "reports.tar"), task["reports"])
    with open(os.path.join(out, "end.json"), "w") as file:
        json.dump(end, file)


main(*sys.argv[1:])
