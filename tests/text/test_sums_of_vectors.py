"""Word vectors whose sums are vectors of sentences."""

import numpy as np
import pytest

from keras_ae.errors import InputError
from keras_ae.text import WordVectors, scaled_for_sums


def test_products_of_sums_have_no_mean_and_a_deviation_of_one():
    rng = np.random.default_rng(0)
    words = [f"w{number}" for number in range(50)]
    shares = rng.dirichlet(np.full(50, 0.5))
    # all vectors point to one side, and further than they differ
    table = WordVectors(words, 3 + rng.normal(size=(50, 4)))
    sentences = [list(rng.choice(words, 12, p=shares)) for _ in range(4000)]
    scaled = scaled_for_sums(table, [[*sentence, "unknown"] for sentence in sentences])
    assert scaled.words == table.words and scaled.vectors.dtype == np.float32

    sums = np.array([sum(scaled[word] for word in sentence) for sentence in sentences])
    products = (sums[:2000] * sums[2000:]).sum(axis=1)
    assert abs(products.mean()) < 0.1
    assert products.std() == pytest.approx(1, rel=0.1)
    # nothing but a shift and one factor
    before, after = (t.vectors[1:] - t.vectors[:-1] for t in (table, scaled))
    np.testing.assert_allclose(after, before * (after[0, 0] / before[0, 0]), rtol=1e-4, atol=1e-6)


def test_text_of_other_words():
    table = WordVectors(["a", "b"], [[1.0], [2.0]])
    with pytest.raises(InputError, match="at least two words of the table. Received: 1"):
        scaled_for_sums(table, [["a"], ["a", "c"]])
