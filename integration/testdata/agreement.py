"""Says what in a Python environment does not agree with what was to be installed there.

The environment's own Python runs it, as the image's user and without network. Its argument is JSON:

    {"packages": {name: version or ""}, "libraries": [file name, ...]}

"packages" are the distributions that the lock picks, under their normalized names; "" is a version that only the package's build knows. "libraries" are shared
libraries in the loader's directories that packages of the distribution brought. The last line printed is JSON: {"faults": [...], "imported": n, "requirements": n}.
"""

import ctypes
import ctypes.util
import faulthandler
import importlib
import importlib.metadata
import inspect
import json
import os
import re
import subprocess
import sys
import traceback
import warnings

# Modules that cannot be imported in a container without a GPU, a display, a network, or by themselves: each with its reason.
NOT_IMPORTED = {
    "matplotlib_inline": "imports matplotlib, which its metadata does not require: IPython loads it once a program has it",
}

# First names of what distributions bring for their own tests and pages.
NOT_FOR_USE = {"test", "tests", "testing", "doc", "docs", "example", "examples", "benchmark", "benchmarks", "conftest"}


def normalized(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def metadata_faults(distributions, packages):
    """The distributions that importlib.metadata finds are the lock's, each once, with every file that they name."""
    found = {}
    for d in distributions:
        found.setdefault(normalized(d.metadata["Name"]), []).append(d.version)
        for file in d.files or []:
            if not file.locate().exists():
                yield f"{d.metadata['Name']}: {file} is not there"
    for name, version in packages.items():
        versions = found.pop(name, [])
        if len(versions) != 1 or version not in ("", versions[0]):
            yield f"{name}: the lock has {version}, importlib.metadata finds {versions}"
        elif importlib.metadata.version(name) != versions[0]:
            yield f"{name}: importlib.metadata.version says {importlib.metadata.version(name)}, the distribution {versions[0]}"
    for name, versions in found.items():
        yield f"{name}: importlib.metadata finds {versions}, the lock has none"


def base_python():
    """The Python that the environment was made for: the directory stands in pyvenv.cfg."""
    with open(f"{sys.prefix}/pyvenv.cfg") as lines:
        return re.search(r"^home *= *(.+)$", lines.read(), re.M)[1] + "/python3"


def packaging_of_pip():
    """Requirement of the packaging library inside the base's pip, which the environment itself does not see. From here on setuptools lets distutils be."""
    ran = subprocess.run([base_python(), "-c", "import os, pip; print(os.path.dirname(pip.__path__[0]))"], capture_output=True, text=True, check=True)
    sys.path.append(ran.stdout.strip())
    try:
        from pip._vendor.packaging.requirements import Requirement
    finally:
        sys.path.pop()
    return Requirement


def requirement_faults(distributions, counts):
    """What distributions require is there, markers evaluated here; extras count where another distribution asks for them."""
    Requirement = packaging_of_pip()
    by_name = {normalized(d.metadata["Name"]): d for d in distributions}
    todo = [(name, "") for name in by_name]
    seen = set(todo)
    while todo:
        name, extra = todo.pop()
        for text in by_name[name].requires or []:
            wanted = Requirement(text)
            if wanted.marker and not wanted.marker.evaluate({"extra": extra}):
                continue
            counts["requirements"] += 1
            there = by_name.get(normalized(wanted.name))
            if there is None or not wanted.specifier.contains(there.version, prereleases=True):
                yield f"{name}{'[' + extra + ']' if extra else ''} requires {text}, there is {there and there.version}"
                continue
            for more in wanted.extras:
                if (item := (normalized(wanted.name), more)) not in seen:
                    seen.add(item)
                    todo.append(item)


def pip_faults():
    """The base's pip agrees. It looks into the environment from outside."""
    ran = subprocess.run([base_python(), "-m", "pip", "--python", sys.executable, "check"], capture_output=True, text=True)
    if ran.returncode or "No broken requirements found." not in ran.stdout:
        yield f"pip check ended with {ran.returncode}: {ran.stdout}{ran.stderr}"


def modules_of(distribution):
    """The modules a user imports: the topmost regular packages, and modules that lie in none."""
    files = [f for f in distribution.files or [] if inspect.getmodulename(f.name) and all(p.isidentifier() for p in f.parts[:-1])]
    packages = {f.parent.parts for f in files if inspect.getmodulename(f.name) == "__init__" and f.parent.parts}
    modules = set()
    for f in files:
        inside = [f.parts[:n] for n in range(1, len(f.parts)) if f.parts[:n] in packages]
        parts = inside[0] if inside else (*f.parts[:-1], inspect.getmodulename(f.name))
        if all(p.isidentifier() and p not in NOT_FOR_USE for p in parts):
            modules.add(".".join(parts))
    return modules


def import_faults(distributions, counts):
    """Every top-level module can be imported, all of them by one process as a program would."""
    for d in sorted(distributions, key=lambda d: normalized(d.metadata["Name"])):
        for module in sorted(modules_of(d)):
            if module in NOT_IMPORTED:
                continue
            try:
                importlib.import_module(module)
                counts["imported"] += 1
            except BaseException:  # a module may well end the process
                last = traceback.format_exc(limit=-3)
                yield f"{d.metadata['Name']}: import {module}: {last}"


def library_faults(libraries):
    """ctypes.util.find_library knows each library by its name, and what it names can be loaded."""
    for name in sorted({re.match(r"lib(.+?)\.so", file)[1] for file in libraries}):
        found = ctypes.util.find_library(name)
        if not found:
            yield f"find_library({name!r}) finds nothing"
            continue
        try:
            ctypes.CDLL(found)
        except OSError as e:
            yield f"find_library({name!r}) is {found}: {e}"


def main():
    faulthandler.enable()
    warnings.simplefilter("ignore")
    asked = json.loads(sys.argv[1])
    counts = {"imported": 0, "requirements": 0}
    distributions = list(importlib.metadata.distributions())
    answer = os.dup(1)
    os.dup2(2, 1)  # what modules print when they are imported is no answer
    faults = [
        *import_faults(distributions, counts),
        *metadata_faults(distributions, asked["packages"]),
        *requirement_faults(distributions, counts),
        *pip_faults(),
        *library_faults(asked["libraries"]),
    ]
    os.write(answer, json.dumps({"faults": faults, **counts}).encode())
    os._exit(0)  # without waiting for threads that modules started


main()
