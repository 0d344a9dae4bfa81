import ctypes
import json

lib = ctypes.CDLL("libfastsum.so")
with open("table.json") as f:
    table = json.load(f)
with open("/etc/timezone") as f:
    print(table["4"], lib.fastsum((ctypes.c_long * 3)(1, 2, 3), 3), f.read().strip())
