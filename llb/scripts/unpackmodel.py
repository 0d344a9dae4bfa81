"""Unpacks the archive of a model, /in/model, into /out. Nothing may come to lie outside of it."""

import os
import pathlib
import stat
import sys
import tarfile
import zipfile

IN, OUT = "/in/model", "/out"


def refuse(name, why):
    sys.exit(f"mlbuild: the archive holds {name!r}, {why}")


def unpack_zip():
    with zipfile.ZipFile(IN) as archive:
        for member in archive.infolist():
            path = pathlib.PurePosixPath(member.filename)
            if path.is_absolute() or ".." in path.parts:
                refuse(member.filename, "which lies outside of it")
            if stat.S_ISLNK(member.external_attr >> 16):
                refuse(member.filename, "a link")
        archive.extractall(OUT)


def unpack_tar():
    with tarfile.open(IN) as archive:
        for member in archive.getmembers():
            path = pathlib.PurePosixPath(member.name)
            if path.is_absolute() or ".." in path.parts:
                refuse(member.name, "which lies outside of it")
        try:
            archive.extractall(OUT, filter="data")
        except tarfile.FilterError as err:
            refuse(err.tarinfo.name, "which is no file of the archive's own: " + type(err).__name__)


def main():
    os.umask(0o022)
    try:
        if zipfile.is_zipfile(IN):
            unpack_zip()
        else:
            unpack_tar()
    except (tarfile.ReadError, zipfile.BadZipFile, EOFError) as err:
        sys.exit(f"mlbuild: it is no archive, or a broken one: {err}")
    if not any(files for _, _, files in os.walk(OUT)):
        sys.exit("mlbuild: the archive holds no file")


main()
