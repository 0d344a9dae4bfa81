"""Builds the extension: its kernel by nvcc where FORCE_CUDA=1 asks for it, else as plain C++."""

import os
import subprocess

import numpy
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

CUDA_HOME = os.environ.get("CUDA_HOME", "/usr/local/cuda") if os.environ.get("FORCE_CUDA") == "1" else None
ARCHITECTURES = os.environ.get("TORCH_CUDA_ARCH_LIST", "8.0+PTX")


def nvcc():
    """The compiler of the kernel, for each architecture of the list; the last one also as PTX for newer GPUs."""
    command = [CUDA_HOME + "/bin/nvcc", "--threads", os.environ.get("MAX_JOBS", "1"), "-Xcompiler", "-fPIC"]
    for architecture in ARCHITECTURES.split(";"):
        number = architecture.removesuffix("+PTX").replace(".", "")
        kinds = ["sm", "compute"] if architecture.endswith("+PTX") else ["sm"]
        command += ["-gencode=arch=compute_%s,code=%s_%s" % (number, kind, number) for kind in kinds]
    return command


class Build(build_ext):
    def build_extension(self, ext):
        os.makedirs(self.build_temp, exist_ok=True)
        kernel = os.path.join(self.build_temp, "rownorm.o")
        compiler = nvcc() if CUDA_HOME else ["g++", "-fPIC", "-x", "c++"]
        subprocess.check_call(compiler + ["-O2", "-std=c++17", "-c", "src/rownorm.cu", "-o", kernel])
        ext.extra_objects = [kernel]
        super().build_extension(ext)


extension = Extension(
    "flashnorm", ["src/module.cpp"], include_dirs=[numpy.get_include()],
    define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"), ("BUILT_FOR", '"%s"' % ("CUDA " + ARCHITECTURES if CUDA_HOME else "CPU"))],
    library_dirs=[CUDA_HOME + "/lib64"] if CUDA_HOME else [], libraries=["cudart_static", "dl", "rt", "pthread"] if CUDA_HOME else [],
)
setup(ext_modules=[extension], cmdclass={"build_ext": Build})
