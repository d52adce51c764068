"""The host's softmax, and which classes it finds likeliest."""

import numpy as np

from wingrid.host.networks.softmax import Guess, likeliest, softmax


def test_softmax_is_the_share_of_each_exponential() -> None:
    logits = np.log([[1.0, 2.0, 5.0], [8.0, 1.0, 1.0]])
    assert np.allclose(softmax(logits), [[1 / 8, 2 / 8, 5 / 8], [0.8, 0.1, 0.1]], atol=1e-12)
    assert np.allclose(softmax(logits + 5000), softmax(logits), atol=1e-12)


def test_likeliest_classes_come_first_and_the_lower_number_among_equals() -> None:
    y = np.array([[-128, 10, 127, 10], [1, 0, 0, 0]], np.int8).reshape(2, 4, 1, 1)
    first, second = likeliest(y, 0.25, count=3)
    assert [guess.number for guess in first] == [2, 1, 3]
    assert [guess.number for guess in second] == [0, 1, 2]
    share = 1 / (np.exp(0.25) + 3)
    assert second[1] == Guess(1, second[2].probability)
    assert abs(second[1].probability - share) < 1e-12
    assert len(likeliest(y, 0.25)[0]) == 4
