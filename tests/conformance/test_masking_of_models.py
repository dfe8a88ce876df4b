"""Padding changes nothing: an example alone, and in a batch padded by garbage."""

import keras
import numpy as np
import pytest
import tensorflow as tf

GARBAGE = 37.0


def padded(case, data, extra, garbage=GARBAGE):
    """The same sequences with `extra` more frames, samples or words, all padding filled with `garbage`."""
    values = data[case.values]
    garbage = case.words - 1 if case.words else garbage
    x = np.full((len(values), values.shape[1] + extra, *values.shape[2:]), garbage, values.dtype)
    for i, length in enumerate(data["lengths"]):
        x[i, :length] = values[i, :length]
    return {**data, case.values: x}


def assert_codes_equal(case, ours, expected, lengths):
    """The codes of the real frames; a whole sequence's vector up to the order of its sum."""
    if not case.decodes and case.frames_of is None:
        np.testing.assert_allclose(ours, expected, atol=1e-5)
        return
    for one, other, length in zip(ours, expected, lengths, strict=True):
        real = case.num_real(length)
        # integers are equal; a vector up to the order of float32 sums
        np.testing.assert_allclose(one[:real], other[:real], atol=0 if one.dtype.kind == "i" else 1e-5)


@pytest.mark.only(sequence=True)
@pytest.mark.parametrize("extra, garbage", [(1, GARBAGE), (2, GARBAGE), (3, GARBAGE), (7, np.nan)])
def test_padding_changes_neither_codes_nor_losses_nor_gradients(case, trained, extra, garbage):
    model = trained[case.name]
    data = case.data()
    clean, dirty = padded(case, data, 0), padded(case, data, extra, garbage)
    results = []
    for x in (clean, dirty):
        with tf.GradientTape() as tape:
            terms = model.compute_terms(x, None, None, training=False, player="model")
        # no gradient passes a discrete bottleneck in inference
        learning = model.decoder if case.decodes else model
        gradients = tape.gradient(terms["loss"], learning.trainable_variables)
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]  # an embedding has slices
        results.append((terms, gradients, np.asarray(model.encode(x))))
    (terms, gradients, codes), (dirty_terms, dirty_gradients, dirty_codes) = results
    for name, value in terms.items():
        np.testing.assert_allclose(dirty_terms[name], value, rtol=1e-5, atol=1e-5)
    for clean_gradient, dirty_gradient in zip(gradients, dirty_gradients, strict=True):
        np.testing.assert_allclose(dirty_gradient, clean_gradient, atol=1e-5)
    assert_codes_equal(case, dirty_codes, codes, data["lengths"])


@pytest.mark.only(sequence=True)
def test_an_example_alone_gives_the_codes_it_has_in_a_batch(case, trained):
    model, data = trained[case.name], case.data()
    codes = np.asarray(model.encode(padded(case, data, 3)))
    for i, length in enumerate(data["lengths"]):
        alone = {name: values[i : i + 1] for name, values in data.items()}
        alone[case.values] = alone[case.values][:, :length]
        assert_codes_equal(case, np.asarray(model.encode(alone)), codes[i : i + 1], [length])


@pytest.mark.only(sequence=True, noisy=False)  # noise is drawn for the padded shape
def test_padding_changes_no_training_step(case):
    data = case.data()
    weights = []
    for extra in (0, 3):
        model = case.compiled(keras.optimizers.SGD(1e-2), run_eagerly=True)
        x = padded(case, data, extra, np.nan if extra else GARBAGE)
        model.fit(x, batch_size=12, epochs=3, verbose=0, shuffle=False)
        weights.append(model.get_weights())
    for clean, dirty in zip(*weights, strict=True):
        np.testing.assert_allclose(clean, dirty, atol=1e-5)


def test_an_encoder_that_loses_the_mask_is_refused():
    from keras_ae import InputError
    from keras_ae.models import AutoEncoder

    plain = keras.Sequential([keras.Input((None, 3)), keras.layers.Conv1D(3, 3, padding="same")])
    back = keras.Sequential([keras.Input((None, 3)), keras.layers.Dense(3)])
    model = AutoEncoder(plain, back)
    x = {"x": np.zeros((2, 4, 3), "float32"), "lengths": np.array([4, 2], "int32")}
    warns = pytest.warns(UserWarning, match="does not support mask")
    with warns, pytest.raises(InputError, match="MaskedConv1D"):
        model.encode(x)
