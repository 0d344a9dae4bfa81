"""Scales the rows of numbers on stdin."""

import sys

import numpy as np

from features import Scaler

rows = np.loadtxt(sys.stdin, ndmin=2)
np.savetxt(sys.stdout, Scaler().fit(rows).transform(rows), fmt="%.4f")
