"""Trains the model that the image serves: python train.py writes model.json. It runs on a laptop or in a pipeline, not in the image."""

import numpy
import xgboost

FEATURES = ["months", "monthly_charge", "support_calls"]


def main():
    rng = numpy.random.default_rng(1)
    x = numpy.column_stack([rng.integers(0, 60, 4000), rng.uniform(10, 120, 4000), rng.poisson(1.2, 4000)])
    leaves = (x[:, 2] >= 4) | ((x[:, 0] < 6) & (x[:, 1] > 80))
    model = xgboost.train(
        {"objective": "binary:logistic", "max_depth": 3, "eta": 0.5, "seed": 1, "nthread": 1},
        xgboost.DMatrix(x, leaves.astype(int), feature_names=FEATURES),
        num_boost_round=8,
    )
    model.save_model("model.json")


main()
