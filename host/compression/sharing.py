"""Weight sharing: a layer's weights take few values, those of a codebook (Deep Compression, section 3).

Both ways are k-means on a line, where the clusters of sorted values are stretches of them: sums over a stretch are
differences of running sums, so an iteration costs as many searches as there are clusters. General k-means
libraries measure each value against each centre.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ITERATIONS = 60
"""Of Lloyd's algorithm for real values: index and weight bits of VGG-16 depend on where it stops."""


@dataclass(frozen=True)
class Shared:
    """Values as entries of a codebook."""

    codebook: npt.NDArray
    """[at most as many as were asked for], rising."""
    labels: npt.NDArray[np.int64]
    """[values]: entries of the codebook."""


def shared_values(values: npt.NDArray, count: int, iterations: int = ITERATIONS) -> Shared:
    """Real ``values``, [n] with n above 0, by Lloyd's algorithm from centres that lie evenly between the extremes.

    That initialisation keeps the few large weights, and the paper found it the best one.
    """
    rising = np.sort(values.astype(np.float64))
    running = np.concatenate([[0.0], np.cumsum(rising)])
    centres = np.linspace(rising[0], rising[-1], count)
    for _ in range(iterations):
        edges = np.concatenate([[0], np.searchsorted(rising, _between(centres)), [rising.size]])
        sizes = np.diff(edges)
        means = (running[edges[1:]] - running[edges[:-1]]) / np.maximum(sizes, 1)
        moved = np.sort(np.where(sizes > 0, means, centres))
        if np.array_equal(moved, centres):
            break
        centres = moved
    return Shared(centres, np.searchsorted(_between(centres), values))


def _between(centres: npt.NDArray) -> npt.NDArray:
    return (centres[1:] + centres[:-1]) / 2


def shared_codes(codes: npt.NDArray[np.int8], importance: npt.NDArray, count: int) -> Shared:
    """int8 ``codes``, [n], as the ``count`` int8 codes that are closest to them: the optimum, not a local one.

    Closest by squares of differences, each times its ``importance``, [n], positive: with the squares of scales, that
    is in units of real weights. There are 256 codes at most, so dynamic programming over the distinct ones finds
    the best stretches (Wang and Song, "Ckmeans.1d.dp", The R Journal 2011). Zero is a code like all others.
    """
    points, inverse = np.unique(codes, return_inverse=True)
    if len(points) <= count:
        return Shared(points, inverse)
    weight = np.bincount(inverse, importance)
    values = points.astype(np.float64)
    # Running sums of weight, weighted values and their squares: the cost of any stretch follows from six of them.
    zeroth, first, second = (np.concatenate([[0.0], np.cumsum(weight * values**power)]) for power in range(3))
    begin, end = np.arange(len(points))[:, None], np.arange(1, len(points) + 1)[None, :]
    amount = zeroth[end] - zeroth[begin]
    # The integer that is nearest to the mean is the best one, as cost is a parabola around the mean.
    centre = np.rint((first[end] - first[begin]) / np.where(amount > 0, amount, 1))
    cost = second[end] - second[begin] - 2 * centre * (first[end] - first[begin]) + centre**2 * amount
    cost = np.where(begin < end, cost, np.inf)
    best = cost[0]
    cuts = []
    for _ in range(count - 1):
        # best[e]: of the points up to e in one stretch less; with one more, the last of them from b on.
        options = np.concatenate([[np.inf], best[:-1]])[:, None] + cost
        cuts.append(np.argmin(options, axis=0))
        best = np.min(options, axis=0)
    stretch = np.empty(len(points), np.int64)
    last = len(points) - 1
    for number, starts in zip(range(count - 1, 0, -1), reversed(cuts), strict=True):
        stretch[starts[last] : last + 1] = number
        last = starts[last] - 1
    stretch[: last + 1] = 0
    edges = np.concatenate([[0], np.flatnonzero(np.diff(stretch)) + 1, [len(points)]])
    codebook = centre[edges[:-1], edges[1:] - 1].astype(np.int8)
    return Shared(codebook, stretch[inverse])
