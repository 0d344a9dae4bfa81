import ctypes
import json

lib = ctypes.CDLL("libfastsum.so")
lib.fastsum.restype = ctypes.c_long


def fastsum(values):
    return lib.fastsum((ctypes.c_long * len(values))(*values), len(values))


with open("table.json", "w") as f:
    json.dump({n: fastsum(list(range(n))) for n in range(5)}, f)
