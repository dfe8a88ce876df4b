"""Contrastive predictive coding: its objective, its negatives, and that no frame knows of those after it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae import InputError
from keras_ae.layers import VoicePerturbation
from keras_ae.models import ContrastivePredictiveCoding
from keras_ae.models.contrastive._negative_frames import all_candidates, drawn_candidates
from keras_ae.networks import log_mel_encoder, recurrent_context, waveform_encoder

HOP, FIELD = 160, 465  # samples between frames, samples that a frame reads
RNG = np.random.default_rng(0)
WAVEFORMS = RNG.standard_normal((3, 20 * HOP)).astype("float32")
LENGTHS = np.array([20 * HOP, 12 * HOP - 7, 2 * HOP], "int32")
FRAMES = [20, 12, 2]
SPEAKER = np.array([0, 1, 0], "int32")
INPUTS = {"x": WAVEFORMS, "lengths": LENGTHS, "speaker": SPEAKER}


def made(**options):
    keras.utils.set_random_seed(0)
    settings = {"steps": 3, "num_negatives": None, "seed": 0, **options}
    return ContrastivePredictiveCoding(waveform_encoder(6), recurrent_context(6, 5), **settings)


def candidates_of(model, z):
    """Numbers and reality of all negatives, `(3, negatives)`, and how many there are."""
    numbers, real = [], []
    for source, count in zip(model.sources, model.counts, strict=True):
        if count is None:
            found = all_candidates(z, tf.constant(FRAMES), source, SPEAKER)
        else:
            found = drawn_candidates(z, tf.constant(FRAMES), source, count, 0, SPEAKER)
        shape = (3, found.frames.shape[1])
        numbers.append(np.broadcast_to(found.number, shape))
        real.append(np.broadcast_to(found.real, shape))
    return np.concatenate(numbers, axis=1), np.concatenate(real, axis=1)


def brute_force(model, weights=(1, 1, 1)):
    """Loss and accuracy, prediction by prediction."""
    z, c = (np.asarray(part, "float64") for part in model.frames(WAVEFORMS, LENGTHS)[:2])
    numbers, real = candidates_of(model, tf.constant(z, tf.float32))
    kernels = model.predictors.get_weights()
    losses, hits, shares = [], [], []
    for b, length in enumerate(FRAMES):
        for i, k in enumerate(range(model.first_step, model.steps + 1)):
            for t in range(length - k):
                scale = model.temperature or 6**0.5
                scores = z.reshape(60, 6) @ (c[b, t] @ kernels[i]) / scale
                true = 20 * b + t + k
                others = [n for n, there in zip(numbers[b], real[b], strict=True) if there and n != true]
                u, v = scores[true], scores[others]
                losses.append(np.log(np.exp(u) + np.exp(v).sum()) - u)
                hits.append(float((u > v).all()))
                shares.append(weights[b])
    return np.average(losses, weights=shares), np.average(hits, weights=shares)


OPTIONS = [
    {},
    {"first_step": 2, "temperature": 0.5},
    {"negatives": "same_speaker"},
    {"negatives": "batch"},
    {"num_negatives": 7},
    {"num_negatives": 7, "negatives": "same_speaker"},
    {"num_negatives": 7, "negatives": "batch"},
    {"num_negatives": 7, "negatives": ("same_sequence", "batch")},
    {"num_negatives": (4, 9), "negatives": ("same_sequence", "batch")},
    {"negatives": ("same_sequence", "same_speaker")},
]


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_loss_is_that_of_every_prediction_written_out(options):
    model = made(**options)
    terms = model.compute_terms(INPUTS, None, None, training=False, player="model")
    loss, accuracy = brute_force(model)
    assert float(terms["loss"]) == pytest.approx(loss, rel=1e-4)  # float32 sums of 60 scores
    assert float(terms["accuracy"]) == pytest.approx(accuracy, abs=1e-6)
    assert set(terms) == {"loss", "accuracy", *(f"accuracy_{k}" for k in range(model.first_step, 4))}


def test_the_accuracy_of_each_step_is_reported():
    terms = made().compute_terms(INPUTS, None, None, training=False, player="model")
    counts = [sum(max(n - k, 0) for n in FRAMES) for k in (1, 2, 3)]
    steps = [float(terms[f"accuracy_{k}"]) for k in (1, 2, 3)]
    assert float(terms["accuracy"]) == pytest.approx(np.average(steps, weights=counts), rel=1e-6)


def test_sample_weights_weight_the_predictions_of_an_example():
    model, weights = made(), np.array([0.5, 2.0, 1.0], "float32")
    terms = model.compute_terms(INPUTS, None, weights, training=False, player="model")
    assert float(terms["loss"]) == pytest.approx(brute_force(model, weights)[0], rel=1e-4)


@pytest.mark.parametrize("negatives", ["same_speaker", "batch"])
@pytest.mark.parametrize("count", [None, 9])
def test_an_example_without_weight_is_no_negative_of_others(negatives, count):
    model, weights = made(negatives=negatives, num_negatives=count), np.float32([1.0, 1.0, 0.0])
    other = {**INPUTS, "x": WAVEFORMS * np.float32([[1.0], [1.0], [-3.0]])}
    losses = [
        float(model.compute_terms(x, None, weights, training=False, player="model")["loss"])
        for x in (INPUTS, other)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


@pytest.mark.parametrize("negatives", ["same_sequence", "same_speaker", "batch"])
def test_draws_are_real_frames_of_the_right_examples_all_alike(negatives):
    z = tf.reshape(tf.range(60.0), (3, 20, 1))
    drawn = drawn_candidates(z, tf.constant(FRAMES), negatives, 20_000, 1, SPEAKER)
    numbers = np.asarray(drawn.number)
    np.testing.assert_array_equal(np.asarray(drawn.frames)[:, :, 0], numbers)
    assert np.asarray(drawn.real).all()
    for b in range(3):
        sources = {
            "same_sequence": [b],
            "same_speaker": np.flatnonzero(np.equal(SPEAKER, SPEAKER[b])),
            "batch": range(3),
        }
        allowed = [20 * s + t for s in sources[negatives] for t in range(FRAMES[s])]
        counts = np.bincount(numbers[b], minlength=60)
        assert counts.sum() == counts[allowed].sum()
        share = 20_000 / len(allowed)
        assert np.abs(counts[allowed] - share).max() < 5 * share**0.5  # 5 standard deviations of a count


@pytest.mark.parametrize("negatives", ["same_sequence", "same_speaker", "batch"])
def test_draws_do_not_depend_on_the_padding(negatives):
    frames = []
    for extra in (0, 4):
        z = tf.pad(tf.reshape(tf.range(60.0), (3, 20, 1)), [[0, 0], [0, extra], [0, 0]], constant_values=-1.0)
        frames.append(np.asarray(drawn_candidates(z, tf.constant(FRAMES), negatives, 50, 1, SPEAKER).frames))
    np.testing.assert_array_equal(*frames)


def test_a_positive_is_never_its_own_negative():
    """Of two frames one is predicted, so the other is the only negative, however often both are drawn."""
    model = made(steps=1, num_negatives=50)
    x = {"x": WAVEFORMS[:, : 2 * HOP]}
    z, c, _ = model.frames(x["x"])
    scores = np.einsum("bd,bnd->bn", c[:, 0] @ model.predictors.get_weights()[0], z) / 6**0.5
    drawn = drawn_candidates(z, tf.constant([2, 2, 2]), "same_sequence", 50, 0)
    others = (np.asarray(drawn.number) % 2 == 0).sum(axis=1)
    expected = np.log1p(others * np.exp(scores[:, 0] - scores[:, 1])).mean()
    terms = model.compute_terms(x, None, None, training=False, player="model")
    assert float(terms["loss"]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("training", [False, True])
def test_no_context_knows_of_the_signal_after_its_own_receptive_field(training):
    model, changed = made(), np.array(WAVEFORMS)
    first = 1600
    changed[:, first:] = RNG.standard_normal(changed[:, first:].shape)
    unaware = len([t for t in range(20) if HOP * t - 159 + FIELD - 1 < first])
    for part in (0, 1):
        before, after = (np.asarray(model.frames(x, training=training)[part]) for x in (WAVEFORMS, changed))
        np.testing.assert_array_equal(before[:, :unaware], after[:, :unaware])
        assert (np.abs(before - after)[:, unaware:].max(axis=2) > 0).all()
    assert unaware == 9


def test_a_frame_reads_465_samples():
    x = tf.constant(WAVEFORMS[:1])
    encoder = waveform_encoder(6)
    with tf.GradientTape() as tape:
        tape.watch(x)
        frame = tf.reduce_sum(encoder(x)[0, 8] * tf.range(1.0, 7.0))
    read = np.flatnonzero(tape.gradient(frame, x)[0])
    assert (read.min(), read.max()) == (HOP * 8 - 159, HOP * 8 - 159 + FIELD - 1)


def test_nothing_is_normalised_over_the_batch():
    model = made()
    alone = model.frames(WAVEFORMS[:1], training=True)[1]
    louder = np.concatenate([WAVEFORMS[:1], 100 * WAVEFORMS[1:]])
    np.testing.assert_allclose(model.frames(louder, training=True)[1][:1], alone, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("extra", [1, 2, 3, 7, 200])
def test_garbage_after_the_end_changes_nothing(extra):
    model, dirty = made(), np.pad(WAVEFORMS, ((0, 0), (0, extra)), constant_values=37.0)
    dirty[1, LENGTHS[1] :], dirty[2, LENGTHS[2] :] = np.nan, 37.0
    clean_terms, terms = (
        model.compute_terms({**INPUTS, "x": x}, None, None, training=False, player="model")
        for x in (WAVEFORMS, dirty)
    )
    assert float(terms["loss"]) == pytest.approx(float(clean_terms["loss"]), rel=1e-5)
    c = np.asarray(model.encode({"x": dirty, "lengths": LENGTHS}))
    for i, frames in enumerate(FRAMES):
        alone = model.encode(WAVEFORMS[i : i + 1, : LENGTHS[i]])[0]
        np.testing.assert_allclose(c[i, :frames], alone, atol=1e-5)
        assert not c[i, frames:].any()
    features = np.asarray(model.features({"x": dirty, "lengths": LENGTHS}))
    assert features.shape[2] == 6 and not features[2, 2:].any()


def test_at_8_khz_a_frame_is_10_ms_too():
    encoder = waveform_encoder(6, kernels=(10, 8, 4, 4), strides=(5, 4, 2, 2))
    assert encoder(np.zeros((2, 800), "float32")).shape == (2, 10, 6)


@pytest.mark.parametrize("rate", [16_000, 8_000])
def test_of_log_mel_frames_no_context_knows_of_what_its_kernels_do_not_read(rate):
    keras.utils.set_random_seed(0)
    encoder = log_mel_encoder(6, sample_rate=rate, mels=20)
    model = ContrastivePredictiveCoding(encoder, recurrent_context(6, 5), steps=3)
    hop, first = rate // 100, rate // 10
    x = RNG.standard_normal((1, 2 * first)).astype("float32")
    changed = np.concatenate([x[:, :first], RNG.standard_normal((1, first))], axis=1).astype("float32")
    # two kernels of 3 read 2 frames ahead, and the window of the last one half of 25 ms more
    unaware = len([t for t in range(21) if (t + 2) * hop + 5 * hop // 4 <= first])
    for part in (0, 1):
        before, after = (np.asarray(model.frames(w, training=True)[part]) for w in (x, changed))
        assert before.shape[1] == 21
        np.testing.assert_allclose(before[:, :unaware], after[:, :unaware], atol=1e-6)
        assert (np.abs(before - after)[:, unaware:].max(axis=2) > 1e-5).all()
    assert unaware == 7
    padded = np.pad(x, [(0, 0), (0, 555)], constant_values=37.0)
    c = model.encode({"x": padded, "lengths": np.array([2 * first])})[:, :21]
    np.testing.assert_allclose(c, model.encode(x), atol=1e-5)


@pytest.mark.slow
def test_it_learns_to_tell_the_next_frame_of_a_pattern():
    """Tokens that count upwards, in random order of their vectors: the next one follows from this one."""
    vectors = np.random.default_rng(1).standard_normal((8, 6)).astype("float32")
    starts = np.arange(64)[:, None]
    x = vectors[(starts + np.arange(16)[None]) % 8]
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, 6))
    encoder = keras.Model(inputs, keras.layers.Dense(8)(inputs))
    model = ContrastivePredictiveCoding(
        encoder, recurrent_context(8, 16), steps=2, num_negatives=None, seed=0
    )
    model.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    before = model.evaluate(x, verbose=0, return_dict=True)
    model.fit(np.tile(x, (10, 1, 1)), batch_size=16, epochs=2, verbose=0)
    after = model.evaluate(x, verbose=0, return_dict=True)
    # the same token comes again after 8 frames, so at best it is told from 6 of 7 others: log 2 = 0.69
    assert before["loss"] > 1.8 and after["loss"] < 0.85


def test_the_same_speaker_must_be_known():
    model = made(negatives="same_speaker")
    with pytest.raises(InputError, match="speaker"):
        model.compute_terms(WAVEFORMS, None, None, training=False, player="model")


@pytest.mark.parametrize(
    "options",
    [
        {"steps": 0},
        {"steps": 2, "first_step": 3},
        {"negatives": "nobody"},
        {"negatives": ()},
        {"num_negatives": 0},
        {"num_negatives": (3, 4)},
        {"temperature": 0.0},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match="Received"):
        made(**options)


def test_networks_that_return_no_frames_are_refused():
    inputs = keras.Input((None,))
    pooled = keras.Model(inputs, keras.layers.GlobalAveragePooling1D()(waveform_encoder(6)(inputs)))
    with pytest.raises(InputError, match="encoder must return frames"):
        ContrastivePredictiveCoding(pooled, recurrent_context(6, 5))
    frames = keras.Input((None, 6))
    last = keras.Model(frames, keras.layers.GRU(5)(frames))
    with pytest.raises(InputError, match="context must return frames"):
        ContrastivePredictiveCoding(waveform_encoder(6), last)


def test_the_encoder_takes_as_many_strides_as_kernels():
    with pytest.raises(ValueError, match="Received"):
        waveform_encoder(6, kernels=(10, 8), strides=(5,))


@keras.saving.register_keras_serializable(package="tests")
class Draws(keras.layers.Layer):
    """To the power of 1, 2, 3, ... from call to call in training."""

    supports_masking = True
    calls = 0

    def call(self, x, mask=None, training=None):
        self.calls += training is True
        return x ** float(self.calls) if training else x


def test_the_context_hears_one_perturbation_and_the_frames_ahead_come_from_another():
    model = made(perturbation=Draws())
    heard, ahead = made(), made()
    terms = model.compute_terms(INPUTS, None, None, training=True, player="model")
    z = ahead.frames(WAVEFORMS**2, LENGTHS)[0]
    _, c, mask = heard.frames(WAVEFORMS, LENGTHS)
    heard._seen_frames = lambda *_: (z, c, mask)
    expected = heard.compute_terms(INPUTS, None, None, training=True, player="model")
    np.testing.assert_allclose(terms["loss"], expected["loss"], rtol=1e-5)
    plain = made().compute_terms(INPUTS, None, None, training=False, player="model")["loss"]
    unseen = model.compute_terms(INPUTS, None, None, training=False, player="model")["loss"]
    np.testing.assert_array_equal(unseen, plain)  # a validation hears the recording itself
    assert abs(float(terms["loss"]) - float(plain)) > 1e-3
    assert model.perturbation.calls == 2


@pytest.mark.slow
def test_the_perturbation_is_saved_and_trains_under_lengths(tmp_path):
    model = made(perturbation=VoicePerturbation(window=64, order=8, seed=0))
    model.compile("adam")
    history = model.fit(INPUTS, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.perturbation.get_config() == model.perturbation.get_config()
    np.testing.assert_array_equal(again.encode(WAVEFORMS), model.encode(WAVEFORMS))
