"""What is taken for what: truth in rows, what was read in columns, each row summing to 1.

With several true labels a plain confusion matrix would count a right reading as a confusion with every other
true label. Here a text that was read rightly counts once, on the diagonal; one read wrongly counts in the
row of each of its true labels, in equal parts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nlu_models.emotion.calibration import Bools, Doubles


def confusion(truth: Bools, read: NDArray[np.int64]) -> Doubles:
    """Row-normalised counts.

    Args:
        truth: (texts, classes); texts with no true class are left out.
        read: (texts,) index of what was read.

    Returns:
        (classes, classes); a row of zeros for a class with no text.
    """
    classes = truth.shape[1]
    counts = np.zeros((classes, classes))
    for row, found in zip(truth, read, strict=True):
        if row[found]:
            counts[found, found] += 1.0
        else:
            held = np.flatnonzero(row)
            counts[held, found] += 1.0 / max(len(held), 1)
    total = counts.sum(axis=1, keepdims=True)
    return np.asarray(counts / np.where(total > 0.0, total, 1.0))
