import getpass

import numpy as np
import pytest

from features import Scaler


@pytest.fixture
def rows():
    return np.array([[1.0, 10.0, 5.0], [2.0, 20.0, 5.0], [3.0, 60.0, 5.0]])


def test_mean_and_deviation(rows):
    scaled = Scaler().fit(rows).transform(rows)
    assert scaled[:, :2].mean(axis=0) == pytest.approx([0, 0])
    assert scaled[:, :2].std(axis=0) == pytest.approx([1, 1])


def test_constant_column(rows):
    assert not Scaler().fit(rows).transform(rows)[:, 2].any()


def test_statistics_of_training_are_kept(rows):
    scaler = Scaler().fit(rows)
    assert scaler.transform([[2.0, 30.0, 5.0]]) == pytest.approx(np.zeros((1, 3)))


def test_runs_as_the_image_does():
    assert getpass.getuser() == "app"
