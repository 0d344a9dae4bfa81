# mlbuild's image with one layer more: the byte code of all packages, for the trial of what it gains and weighs.
ARG IMAGE
FROM ${IMAGE}
USER 0:0
RUN --network=none python -c "import compileall, py_compile, sysconfig; compileall.compile_dir(sysconfig.get_paths()['purelib'], quiet=2, workers=0, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)"
USER 1000:1000
