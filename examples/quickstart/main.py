"""Prints the eigenvalues of a small matrix: enough to see that the image works."""

import numpy
from rich import print

print("numpy", numpy.__version__)
print("eigenvalues", numpy.linalg.eigvalsh([[2.0, 1.0], [1.0, 2.0]]).tolist())
