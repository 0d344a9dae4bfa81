from importlib.metadata import version

import numpy
from textkit import counts

print(numpy.array(counts("to be or not to be")), version("textkit"))
