import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers.bottlenecks import _codebook_start as module

GENERATOR = np.random.default_rng(0)


def plus_plus(samples, uniforms):
    """Numbers of the samples drawn, with every difference written out, in float64."""
    samples, kept = samples.astype("float64"), []
    nearest = np.ones(len(samples))
    for round_, trials in enumerate(uniforms.astype("float64")):
        cumulative = np.cumsum(nearest)
        tried = []
        for row in trials[:1] if round_ == 0 else trials:
            new = np.searchsorted(cumulative, row * cumulative[-1], side="right")
            new = np.minimum(new, len(samples) - 1)
            distances = np.full(len(samples), np.inf) if round_ == 0 else nearest
            for centre in samples[new]:
                distances = np.minimum(distances, ((samples - centre) ** 2).sum(axis=1))
            tried.append((distances.sum(), new, distances))
        _, new, nearest = min(tried, key=lambda trial: trial[0])
        kept.extend(new)
    return np.array(kept)


def lloyd(samples, centres, iterations):
    samples, centres = samples.astype("float64"), centres.astype("float64")
    for _ in range(iterations):
        index = np.argmin(((samples[:, None] - centres) ** 2).sum(axis=-1), axis=1)
        centres = centres.copy()
        for code in np.unique(index):
            centres[code] = samples[index == code].mean(axis=0)
    index = np.argmin(((samples[:, None] - centres) ** 2).sum(axis=-1), axis=1)
    return centres, np.bincount(index, minlength=len(centres))


def whole_numbers(pairs, dim, size=30):
    """Distinct rows that sum to zero: every distance is exact in float32 too."""
    half = np.unique(GENERATOR.integers(-size, size, (2 * pairs, dim)), axis=0)
    half = half[(half[:, 0] > 0)][:pairs]
    return GENERATOR.permutation(np.concatenate([half, -half])).astype("float32")


def binary_fractions(shape):
    return (GENERATOR.integers(0, 4096, shape) / 4096).astype("float32")


@pytest.mark.parametrize("rounds, trials, draws", [(1, 1, 1), (7, 1, 1), (7, 4, 1), (3, 2, 3)])
def test_plus_plus_draws_the_samples_of_the_derivation(rounds, trials, draws):
    samples, uniforms = whole_numbers(20, 3), binary_fractions((rounds, trials, draws))
    centres = module.kmeans_plus_plus(tf.constant(samples), tf.constant(uniforms))
    assert centres.shape == (rounds * draws, 3)
    np.testing.assert_array_equal(centres, samples[plus_plus(samples, uniforms)])


def test_more_centres_than_rounds_draw_several_a_round():
    samples = whole_numbers(400, 3)
    uniforms = binary_fractions(module.kmeans_rounds(600))
    assert uniforms.shape == (512, 6, 2)
    centres = tf.function(module.kmeans_plus_plus)(tf.constant(samples), tf.constant(uniforms))
    np.testing.assert_array_equal(centres, samples[plus_plus(samples, uniforms)])


@pytest.mark.parametrize(
    "centres, shape",
    [(1, (1, 2, 1)), (512, (512, 8, 1)), (513, (512, 7, 2)), (1025, (512, 3, 3)), (8192, (512, 1, 16))],
)
def test_rounds(centres, shape):
    assert module.kmeans_rounds(centres) == shape


def test_plus_plus_is_the_same_far_from_the_origin():
    samples, uniforms = whole_numbers(20, 3), binary_fractions((7, 3, 1))
    far = module.kmeans_plus_plus(tf.constant(samples + 100_000.0), tf.constant(uniforms))
    np.testing.assert_array_equal(far - 100_000.0, samples[plus_plus(samples, uniforms)])


def test_a_centre_is_never_drawn_twice_while_others_are_left():
    samples = whole_numbers(10, 2)
    for _ in range(5):
        uniforms = GENERATOR.random((len(samples), 1, 1), "float32")
        centres = module.kmeans_plus_plus(tf.constant(samples), tf.constant(uniforms)).numpy()
        assert len(np.unique(centres, axis=0)) == len(samples)


def test_fewer_distinct_samples_than_centres_repeat_some():
    samples = tf.constant([[1.0, 2.0]] * 5)
    centres, counts = module.kmeans(samples, 3, GENERATOR.random((3, 2, 1), "float32"), iterations=2)
    np.testing.assert_array_equal(centres, [[1.0, 2.0]] * 3)
    np.testing.assert_array_equal(counts, [5, 0, 0])


@pytest.mark.parametrize("iterations", [0, 1, 4])
def test_lloyd_moves_to_the_means_and_an_empty_centre_stays(iterations):
    samples = GENERATOR.normal(size=(60, 3)).astype("float32")
    start = np.concatenate([samples[:4], [[50.0, 50.0, 50.0]]]).astype("float32")
    centres, counts = module.lloyd(tf.constant(samples), tf.constant(start), iterations)
    expected, expected_counts = lloyd(samples, start, iterations)
    np.testing.assert_allclose(centres, expected, atol=1e-5)  # means of about 15 rows of size 1
    np.testing.assert_array_equal(counts, expected_counts)
    np.testing.assert_array_equal(centres[-1], start[-1])


def test_kmeans_is_both_in_turn_and_cuts_the_centres_drawn_too_many(monkeypatch):
    monkeypatch.setattr(module, "MAX_ROUNDS", 3)
    samples, shape = whole_numbers(20, 3), module.kmeans_rounds(8)
    assert shape == (3, 4, 3)
    uniforms = binary_fractions(shape)
    centres, counts = module.kmeans(tf.constant(samples), 8, tf.constant(uniforms), iterations=3)
    expected, expected_counts = lloyd(samples, samples[plus_plus(samples, uniforms)[:8]], 3)
    np.testing.assert_allclose(centres, expected, atol=1e-5)
    np.testing.assert_array_equal(counts, expected_counts)


def test_separated_clusters_get_a_centre_each():
    means = 10.0 * np.eye(6, 4, dtype="float32") - 10.0 * np.eye(6, 4, -2, dtype="float32")
    samples = np.repeat(means, 10, axis=0) + 0.1 * GENERATOR.normal(size=(60, 4)).astype("float32")
    centres, counts = module.kmeans(tf.constant(samples), 6, GENERATOR.random((6, 2, 1), "float32"))
    np.testing.assert_array_equal(counts, [10] * 6)
    order = np.lexsort(centres.numpy().round().T), np.lexsort(means.round().T)
    np.testing.assert_allclose(centres.numpy()[order[0]], means[order[1]], atol=0.15)  # 4.5 x 0.1 / sqrt(10)
