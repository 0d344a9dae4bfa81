"""Builds one wheel from source, as PEP 517 says, with everything at a fixed place: what a compiler writes of paths is then the same in every build.

It reads build.json beside itself and the source below /mlbuild/source, and leaves the wheel in /out, with the names of the shared libraries that the
build's own requirements brought, and which of them brought each. uv installs these.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import distributions

HERE = os.path.dirname(os.path.abspath(__file__))
GIVEN, SOURCE, ENV, OUT = "/mlbuild/source", "/mlbuild/src", "/mlbuild/env", "/out"
UV = "/mlbuild/uv/bin/uv"
PYTHON = ENV + "/bin/python"
EXCLUDES = "/mlbuild/excludes.txt"

HOOKS = """
import importlib, json, os, sys
what, backend, paths, out = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), sys.argv[4]
sys.path = [os.path.abspath(p) for p in paths] + [p for p in sys.path if p]
module, _, names = backend.partition(":")
made = importlib.import_module(module)
for name in filter(None, names.split(".")):
    made = getattr(made, name)
if what == "requires":
    ask = getattr(made, "get_requires_for_build_wheel", None)
    with open(out, "w") as f:
        json.dump(list(ask(None)) if ask else [], f)
else:
    made.build_wheel(out, None, None)
"""


def main():
    with open(HERE + "/build.json") as f:
        job = json.load(f)
    root = lay_source(job)
    run(UV, "venv", "--quiet", "--no-config", "--python", sys.executable, ENV)
    if job["locked"]:
        show_locked(job)
    system = build_system(root)
    if job["shared"]:
        install(job, job["requires"])
    else:
        install(job, system["requires"] + job["requires"])
        install(job, asked(root, system))
    os.makedirs(OUT, exist_ok=True)
    hook(root, system, "wheel", OUT)
    wheels = [name for name in os.listdir(OUT) if name.endswith(".whl")]
    if len(wheels) != 1:
        sys.exit("the build backend %s left %d wheels" % (system["build-backend"], len(wheels)))
    with open(OUT + "/libraries.json", "w") as f:
        json.dump(libraries(), f, sort_keys=True)
    print("built " + wheels[0])


def lay_source(job):
    """Puts the source where it may be written to, and gives the directory of the package."""
    if job["archive"]:
        archive = os.path.join(GIVEN, job["archive"])
        parent = SOURCE + ".unpacked"
        unpack(archive, parent)
        tops = os.listdir(parent)
        top = os.path.join(parent, tops[0])
        shutil.move(top if len(tops) == 1 and os.path.isdir(top) else parent, SOURCE)
    else:
        shutil.copytree(GIVEN, SOURCE, symlinks=True)
    root = os.path.normpath(os.path.join(SOURCE, job["subdir"]))
    if not any(os.path.exists(os.path.join(root, name)) for name in ("pyproject.toml", "setup.py")):
        sys.exit("the source has neither pyproject.toml nor setup.py" + (" in " + job["subdir"] if job["subdir"] else ""))
    return root


def unpack(archive, to):
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as z:
            z.extractall(to)
        return
    with tarfile.open(archive) as t:
        if hasattr(tarfile, "data_filter"):
            t.extractall(to, filter="data")
        else:
            t.extractall(to)


def build_system(root):
    """The [build-system] table with the defaults of PEP 517."""
    table = {}
    if os.path.exists(os.path.join(root, "pyproject.toml")):
        with open(os.path.join(root, "pyproject.toml"), "rb") as f:
            table = toml().loads(f.read().decode("utf-8")).get("build-system", {})
    table.setdefault("requires", ["setuptools>=40.8.0"])
    table.setdefault("build-backend", "setuptools.build_meta:__legacy__")
    table.setdefault("backend-path", [])
    return table


def toml():
    try:
        import tomllib
        return tomllib
    except ImportError:  # Python 3.10 and older
        target = "/mlbuild/toml"
        run(UV, "pip", "install", "--quiet", "--no-config", *index_options(), "--python", PYTHON, "--target", target, "tomli")
        sys.path.append(target)
        import tomli
        return tomli


def index_options():
    """uv's configuration with the project's indexes, if it has any."""
    config = HERE + "/uv.toml"
    return ["--config-file", config] if os.path.exists(config) else []


def install(job, requires):
    requires = [r for r in requires if name_of(r) not in job["has"]]
    if not requires:
        return
    args = [UV, "pip", "install", "--quiet", "--python", PYTHON]
    args += index_options() or ["--no-config"]
    if job["has"]:  # nor where others require them
        args += ["--excludes", EXCLUDES]
    for c in job["constraints"]:
        args += ["--constraints", HERE + "/" + c]
    run(*args, *requires)


def name_of(requirement):
    """The normalized name (PEP 503) that a requirement starts with."""
    name = ""
    for c in requirement.strip():
        if not (c.isalnum() or c in "-_."):
            break
        name += c
    return "-".join(filter(None, name.lower().replace("_", "-").replace(".", "-").split("-")))


def site_packages():
    return subprocess.check_output([PYTHON, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True).strip()


def show_locked(job):
    """Lets the environment see the packages of the lock, which are mounted, and has uv leave them out."""
    with open(os.path.join(site_packages(), "mlbuild-locked.pth"), "w") as f:
        f.write("\n".join(job["locked"]) + "\n")
    with open(EXCLUDES, "w") as f:
        f.write("\n".join(job["has"]) + "\n")


def libraries():
    """The shared libraries that the build's own requirements brought, and the package that each is of."""
    return {os.path.basename(str(file)): name_of(d.metadata["Name"])
            for d in distributions(path=[site_packages()]) for file in d.files or () if ".so" in os.path.basename(str(file))}


def asked(root, system):
    """What the backend itself requires to build a wheel."""
    answer = "/mlbuild/requires.json"
    hook(root, system, "requires", answer)
    with open(answer) as f:
        return json.load(f)


def hook(root, system, what, out):
    run(PYTHON, "-c", HOOKS, what, system["build-backend"], json.dumps(system["backend-path"]), out, cwd=root)


def run(*args, cwd=None):
    sys.stdout.flush()
    done = subprocess.run(args, cwd=cwd)
    if done.returncode:
        sys.exit(done.returncode if done.returncode > 0 else 1)


main()
