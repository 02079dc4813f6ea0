"""Handwritten digits, 8 x 8 pixels of 0 to 16: the test set of the UCI Optical Recognition data in scikit-learn."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

LARGEST = 16.0  # grey level
N_TEST = 500


@dataclass(frozen=True)
class Digits:
    """Images (N, 8, 8) and their labels (N,)."""

    images: np.ndarray
    labels: np.ndarray

    def without(self, label: int) -> Digits:
        """Return all images but those of one digit."""
        return Digits(self.images[self.labels != label], self.labels[self.labels != label])

    def only(self, label: int) -> Digits:
        """Return the images of one digit."""
        return Digits(self.images[self.labels == label], self.labels[self.labels == label])


def split(validation: bool = False) -> tuple[Digits, Digits]:
    """Return 1,297 training images and 500 test images, always the same.

    validation: 900 and 397 of the 1,297 instead, for the choice of settings.
    """
    images, labels = load_digits().images, load_digits().target
    order = np.random.default_rng(2026).permutation(len(images))
    test, train = order[:N_TEST], order[N_TEST:]
    if validation:
        test, train = train[900:], train[:900]
    return Digits(images[train], labels[train]), Digits(images[test], labels[test])


@functools.cache
def classifier() -> LogisticRegression:
    """Return a logistic regression on the training images.

    It names 96 % of the test images correctly, and 87 % with a probability of at least 0.9.
    """
    train, _ = split()
    return LogisticRegression(C=10.0, max_iter=5000).fit(flat(train.images) / LARGEST, train.labels)


def certainties(images: np.ndarray) -> np.ndarray:
    """Return the probabilities (N, 10) of the digits."""
    return classifier().predict_proba(flat(images) / LARGEST)


def nearest(images: np.ndarray, others: np.ndarray, same: bool = False) -> np.ndarray:
    """Return the distance (N,) of each image to the nearest of `others`.

    With `same`, these are the images themselves, and none is compared with itself.
    """
    distance = cdist(flat(images), flat(others))
    if same:
        np.fill_diagonal(distance, np.inf)
    return distance.min(axis=1)


def flat(images: np.ndarray) -> np.ndarray:
    """Return images as rows (N, 64)."""
    return images.reshape(len(images), -1)
