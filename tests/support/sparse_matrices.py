"""Sparse matrices of all sorts: any density, empty rows and columns, uneven lanes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wingrid.hw.isa import SparseFormat


def random_matrix(
    random: np.random.Generator, rows: int, columns: int, form: SparseFormat | None = None
) -> npt.NDArray[np.int8]:
    """int8 [rows, columns] with no more values than the codebook of ``form`` holds."""
    most = form.codebook_entries - 1 if form and form.codebook_entries else 255
    values = random.permutation(np.setdiff1d(np.arange(-128, 128), [0]))[: int(random.integers(1, most + 1))]
    density = float(random.choice([0, 0.01, 0.04, 0.2, 0.5, 1]))
    matrix = np.where(random.random((rows, columns)) < density, random.choice(values, (rows, columns)), 0)
    matrix[random.random(rows) < random.choice([0, 0.3])] = 0
    matrix[:, random.random(columns) < random.choice([0, 0.3, 0.9])] = 0
    return matrix.astype(np.int8)
