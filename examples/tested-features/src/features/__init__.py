"""Scaling of feature columns, with statistics that can be kept beside a model."""

import numpy as np


class Scaler:
    """Brings every column to mean 0 and deviation 1; a constant column becomes 0."""

    def fit(self, rows):
        self.mean = np.mean(rows, axis=0)
        self.deviation = np.std(rows, axis=0)
        return self

    def transform(self, rows):
        safe = np.where(self.deviation == 0, 1, self.deviation)
        return (np.asarray(rows) - self.mean) / safe
