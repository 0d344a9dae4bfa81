# What mlbuild-check has an image's Python do, as "python -c": Python 3.8 and newer. Descriptor 3 brings a list of tasks as JSON, descriptor 4 takes a line of JSON before and after
# each. What modules print goes to descriptors 1 and 2, which are no part of the answer.
import os
import sys

if sys.path and sys.path[0] == "" and not getattr(sys.flags, "safe_path", False):
    del sys.path[0]  # -c puts the working directory there

import importlib
import json
import traceback

MOST = 16000  # characters of a text in an answer


def say(**answer):
    os.write(ANSWERS, (json.dumps(answer) + "\n").encode())


def ask(task):
    """What the interpreter is."""
    import importlib.machinery
    import platform

    return {
        "version": platform.python_version(),
        "machine": platform.machine(),
        "path": [p for p in sys.path if isinstance(p, str)],
        "suffixes": importlib.machinery.EXTENSION_SUFFIXES,
        "executable": os.path.realpath(sys.executable),
    }


def module(task):
    """Imports a module, or what may be one: "a.b" may be a name in module a."""
    name = task["module"]
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as e:
        parent, _, last = name.rpartition(".")
        if not (e.name == name and parent and hasattr(sys.modules.get(parent), last)):
            raise


def load(task):
    """Loads a shared library after the modules of its package, as one of them would."""
    import ctypes

    for name in task["modules"]:
        try:
            importlib.import_module(name)
        except Exception:  # it was imported before, and is not what is asked for
            pass
    ctypes.CDLL(task["load"])


def torch(task):
    import torch as t

    v = t.version
    if getattr(v, "hip", None):
        there, number = "rocm", v.hip
    elif v.cuda:
        there, number = "cuda", v.cuda
    elif getattr(v, "xpu", None):
        there, number = "xpu", str(v.xpu)
    else:
        there, number = "cpu", ""
    return {"there": there, "number": number, "version": t.__version__, "gpus": t.cuda.device_count() if t.cuda.is_available() else 0}


def torch_compute(task):
    import torch as t

    if not t.cuda.is_available():
        return {"gpus": 0}
    for i in range(t.cuda.device_count()):
        a = t.ones((64, 64), device="cuda:%d" % i)
        if float((a @ a)[0, 0]) != 64.0:
            raise RuntimeError("device %d computes wrongly" % i)
    return {"gpus": t.cuda.device_count()}


def tensorflow(task):
    import tensorflow as t

    info = t.sysconfig.get_build_info()
    there = "cuda" if info.get("is_cuda_build") else "rocm" if info.get("is_rocm_build") else "cpu"
    return {"there": there, "number": info.get("cuda_version", ""), "version": t.__version__}


def onnxruntime(task):
    import onnxruntime as o

    providers = o.get_available_providers()
    there = "cuda" if "CUDAExecutionProvider" in providers else "rocm" if "ROCMExecutionProvider" in providers or "MIGraphXExecutionProvider" in providers else "cpu"
    return {"there": there, "version": o.__version__, "providers": providers}


def jax(task):
    from importlib.util import find_spec

    def has(name):
        return any(find_spec("jax_%s%d_plugin" % (name, n)) for n in range(11, 20))

    return {"there": "cuda" if has("cuda") else "rocm" if has("rocm") or find_spec("jax_rocm60_plugin") or find_spec("jax_rocm7_plugin") else "cpu"}


FRAMEWORKS = {"torch": torch, "torch compute": torch_compute, "tensorflow": tensorflow, "onnxruntime": onnxruntime, "jax": jax}


def perform(task):
    if "module" in task:
        return module(task)
    if "load" in task:
        return load(task)
    if "framework" in task:
        return FRAMEWORKS[task["framework"]](task)
    return ask(task)


def failure(e):
    """An exception as it is told: its own last words, and those of the ones that it came of."""
    kind = type(e)
    raised = kind.__qualname__ if kind.__module__ == "builtins" else "%s.%s" % (kind.__module__, kind.__qualname__)
    chain, seen = [], set()
    at = e
    while at is not None and id(at) not in seen and len(chain) < 20:
        seen.add(id(at))
        chain.append({"text": words(at), "name": text(getattr(at, "name", None)), "path": text(getattr(at, "path", None))})
        at = at.__cause__ or at.__context__
    return {"raised": raised, "chain": chain}


def words(e):
    try:
        return "".join(traceback.format_exception_only(type(e), e)).strip()[-MOST:]
    except BaseException:  # of an exception that cannot be shown
        return type(e).__name__


def text(value):
    return value[-MOST:] if isinstance(value, str) else ""


def show(e):
    """Prints the traceback, without the lines of this program."""
    try:
        at = e.__traceback__
        while at is not None and at.tb_frame.f_code.co_filename in ("<string>", "<frozen importlib._bootstrap>", importlib.__file__):
            at = at.tb_next
        traceback.print_exception(type(e), e, at, limit=-8)
    except BaseException:
        print(words(e), file=sys.stderr)


def main():
    global ANSWERS
    with os.fdopen(3) as asked:
        tasks = json.load(asked)
    ANSWERS = os.dup(4)  # not inherited by programs that modules run
    os.close(4)
    sys.argv = [""]
    own = os.getpid()
    for i, task in enumerate(tasks):
        say(at=i)
        answer = {}
        try:
            answer = {"value": perform(task)}
        except BaseException as e:  # a module may well end the process
            if os.getpid() == own:
                show(e)
            answer = {"failed": failure(e)}
        if os.getpid() != own:
            os._exit(0)  # a module forked and came back twice
        say(done=i, **answer)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            pass
    os._exit(0)  # without waiting for threads that modules started


main()
