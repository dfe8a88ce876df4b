"""What models say about inputs that they cannot take, and what they take."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_ae import InputError, networks
from keras_ae.layers import GumbelOneHot, LogMelSpectrogram, VectorQuantizer
from keras_ae.models import (
    AdversarialDisentangler,
    AutoEncoder,
    CodePrior,
    ContrastivePredictiveCoding,
    DeepInfoMax,
    DiscreteVariationalAutoEncoder,
    GenerativeAutoEncoder,
    QuickThought,
    SkipThought,
    SpeechAutoEncoder,
    TwoLevelAutoEncoder,
    VariationalAutoEncoder,
)

SHAPE = (4, 4, 1)
IMAGES = np.random.default_rng(0).random((6, *SHAPE), "float32")
LABELS = np.arange(6) % 3


def parts(channels=1):
    encoder = keras.Sequential([keras.Input(SHAPE), keras.layers.Conv2D(2, 1)])
    decoder = keras.Sequential([keras.Input((4, 4, 2)), keras.layers.Conv2D(channels, 1)])
    return encoder, decoder


def flat_parts(inputs, outputs):
    encoder = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(inputs)])
    decoder = keras.Sequential([keras.Input((outputs,)), keras.layers.Dense(16), keras.layers.Reshape(SHAPE)])
    return encoder, decoder


def auto_encoder(**options):
    return AutoEncoder(*parts(), **options)


def vae(**options):
    return VariationalAutoEncoder(*flat_parts(3, 2), 2, **options)


def discrete_vae(**options):
    return DiscreteVariationalAutoEncoder(*flat_parts(4, 4), GumbelOneHot(num_groups=2), **options)


def two_level(**options):
    quantizers = {f"{name}_bottleneck": VectorQuantizer(4, name=name) for name in ("top", "bottom")}
    return TwoLevelAutoEncoder(
        **networks.two_level_networks((8, 8, 1), 2, filters=4, residual_blocks=0), **quantizers, **options
    )


def disentangler():
    encoder = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(2)])
    z, label = keras.Input((2,)), keras.Input((), dtype="int32")
    known = keras.layers.Concatenate()([z, keras.layers.Embedding(3, 2)(label)])
    decoder = keras.Model([z, label], keras.layers.Reshape(SHAPE)(keras.layers.Dense(16)(known)))
    return AdversarialDisentangler(
        encoder, decoder, keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    )


def speech_auto_encoder():
    mel = {"num_mels": 4, "sample_rate": 100, "window_length": 4, "hop": 2, "fft_length": 8}
    small = {"filters": 4, "residual_blocks": 1}
    return SpeechAutoEncoder(
        networks.frame_encoder([LogMelSpectrogram(**mel)], 4, **small),
        networks.frame_decoder(4, 4, 3, speaker_dim=2, **small),
        networks.front_end([LogMelSpectrogram(**mel)]),
    )


def deep_info_max():
    inputs = keras.Input(SHAPE)
    local = keras.layers.Conv2D(2, 1, name="local")(inputs)
    return DeepInfoMax(
        keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(local))), local="local"
    )


def quick_thought():
    encoders = [networks.bag_of_words_encoder(6, 2) for _ in range(2)]
    return QuickThought(*encoders, vocabulary=["how", "much", "is", "this"])


def skip_thought():
    words = ["how", "much", "is", "this", "?"]
    return SkipThought(networks.recurrent_sentence_encoder(7, 4, embedding_dim=2), words, max_target_words=4)


def compiled(model):
    model.compile("sgd", run_eagerly=True)
    return model


def message(function, *args, **kwargs):
    with pytest.raises(InputError) as error:
        function(*args, **kwargs)
    text = str(error.value)
    assert "\n" not in text
    return text


# the range of bounded likelihoods, and values that are not finite

BOUNDED = {
    "vae": (vae, 'likelihood="bernoulli"', 'choose likelihood="gaussian"'),
    "discrete vae": (discrete_vae, 'likelihood="bernoulli"', 'choose likelihood="gaussian"'),
    "cross entropy": (
        lambda: auto_encoder(reconstruction_loss="binary_crossentropy"),
        "reconstruction_loss='binary_crossentropy'",
        'choose reconstruction_loss="mse"',
    ),
    "cross entropy object": (
        lambda: auto_encoder(reconstruction_loss=keras.losses.BinaryCrossentropy(from_logits=True)),
        "reconstruction_loss=BinaryCrossentropy",
        'choose reconstruction_loss="mse"',
    ),
}


@pytest.mark.parametrize("name", BOUNDED)
@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_pixels_up_to_255_are_refused_by_a_bounded_likelihood(name, method):
    make, setting, remedy = BOUNDED[name]
    model = compiled(make())
    x = np.round(255 * IMAGES)
    x[0], x[1] = 0, 255
    text = message(getattr(model, method), x, verbose=0)
    assert text.startswith(f"x must lie in [0, 1] for {setting}. Received: values in [0, 255]. Divide by 255")
    assert remedy in text
    stream = tf.data.Dataset.from_tensor_slices(x).batch(3)
    assert message(getattr(model, method), stream, verbose=0) == text


def test_standardised_data_are_refused_and_the_weights_are_those_of_before():
    model = compiled(vae())
    before = model.get_weights()
    text = message(model.fit, (IMAGES - 0.5) / 0.3, verbose=0)
    assert "x must lie in [0, 1]" in text and "Received: values in [-1." in text
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_range_is_that_of_the_target_where_a_noisy_input_is_given():
    model = compiled(vae())
    noisy = IMAGES + np.random.default_rng(1).normal(size=IMAGES.shape).astype("float32")
    model.fit(noisy, IMAGES, verbose=0)
    assert message(model.fit, IMAGES, noisy, verbose=0).startswith("y must lie in [0, 1]")
    assert message(model.evaluate, IMAGES, 2 * IMAGES, verbose=0).startswith("y must lie in [0, 1]")
    assert model.encode(noisy).shape == (6, 2)


def test_validation_data_are_checked_before_the_training():
    model = compiled(vae())
    before = model.get_weights()
    assert "[0, 1]" in message(model.fit, IMAGES, validation_data=(300 * IMAGES,), verbose=0)
    stream = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(3)
    assert "y is the target" in message(model.fit, IMAGES, validation_data=stream, verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_gaussian_likelihood_takes_any_range():
    compiled(vae(likelihood="gaussian")).fit(255 * IMAGES, verbose=0)
    compiled(auto_encoder()).fit(np.round(255 * IMAGES).astype("uint8"), verbose=0)


@pytest.mark.parametrize("make", [vae, auto_encoder, deep_info_max, disentangler])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_counted_in_rows(make, value):
    model, x = compiled(make()), IMAGES.copy()
    x[2, 1, 1], x[4, 0] = value, value
    x = {"x": x, "label": LABELS} if make is disentangler else x
    for method in (model.fit, model.evaluate):
        text = message(method, x, verbose=0)
        assert "x must be finite" in text and "in 2 of 6 rows, the first is row 2" in text
    assert "x must be finite" in message(model.encode, x)


def test_padding_and_examples_without_weight_may_hold_anything():
    inputs = keras.Input((None, 2))
    networks_ = [keras.Sequential([keras.Input((None, 2)), keras.layers.Dense(2)]) for _ in range(2)]
    model = AutoEncoder(*networks_)
    x = np.ones((3, 4, 2), "float32")
    x[0, 2:], x[2] = np.nan, np.inf
    rules = model.input_rules()
    from keras_ae.models.data_values import check_values

    given = {"x": x, "lengths": np.array([2, 4, 4])}
    check_values(rules, given, sample_weight=np.array([1, 1, 0]))
    assert "1 of 3 rows, the first is row 2" in message(check_values, rules, given)
    del inputs


# the target

TARGETS = {
    "auto-encoder": (auto_encoder, IMAGES),
    "vae": (vae, IMAGES),
    "discrete vae": (discrete_vae, IMAGES),
    "two levels": (two_level, np.ones((6, 8, 8, 1), "float32")),
    "disentangler": (disentangler, {"x": IMAGES, "label": LABELS}),
    "speech": (
        speech_auto_encoder,
        {"x": np.ones((6, 60), "float32"), "lengths": np.full(6, 60), "speaker": LABELS},
    ),
}


@pytest.mark.parametrize("name", TARGETS)
def test_labels_are_not_taken_for_the_target(name):
    make, x = TARGETS[name]
    model = compiled(make())
    for method in (model.fit, model.evaluate):
        text = message(method, x, LABELS, verbose=0)
        assert "y is the target of the reconstruction and must have the shape of x" in text
        assert "Received: y of shape (batch,)" in text and "Labels are not a target" in text
    stream = tf.data.Dataset.from_tensor_slices((x, LABELS)).batch(3)
    assert "y of shape (batch,)" in message(model.fit, stream, verbose=0)


def test_a_target_of_three_channels_is_refused_by_an_output_of_one():
    text = message(compiled(auto_encoder()).fit, IMAGES, np.repeat(IMAGES, 3, axis=-1), verbose=0)
    assert "(6, 4, 4, 1)" in text.replace("batch", "6") and "(batch, 4, 4, 3)" in text


def test_a_column_of_labels_and_a_target_without_channels_are_refused():
    model = compiled(auto_encoder())
    assert "(batch, 1)" in message(model.fit, IMAGES, LABELS[:, None], verbose=0)
    assert "(batch, 4, 4)" in message(model.fit, IMAGES, IMAGES[..., 0], verbose=0)


def test_a_generator_of_images_and_labels_is_refused_before_the_first_step():
    def batches():
        while True:
            yield IMAGES, LABELS

    model = compiled(auto_encoder())
    before = model.get_weights()
    assert "Labels are not a target" in message(model.fit, batches(), steps_per_epoch=2, verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_class_weights_are_refused():
    text = message(compiled(auto_encoder()).fit, IMAGES, class_weight={0: 1.0, 1: 2.0}, verbose=0)
    assert "class_weight" in text and "sample_weight" in text


def test_weights_of_positions_are_refused():
    text = message(compiled(auto_encoder()).fit, IMAGES, sample_weight=np.ones((6, 4, 4)), verbose=0)
    assert "sample_weight must have the shape (6,)" in text and "(6, 4, 4)" in text


# names and axes

METHODS = ["fit", "evaluate", "predict", "encode", "embed", "reconstruct"]


@pytest.mark.parametrize("method", METHODS)
def test_a_misspelt_name_is_not_ignored(method):
    model = compiled(auto_encoder())
    options = {"verbose": 0} if method in METHODS[:3] else {}
    text = message(getattr(model, method), {"x": IMAGES, "length": LABELS}, **options)
    assert 'unknown "length". Did you mean "lengths"?' in text
    assert 'without "x"' in message(getattr(model, method), {"lengths": LABELS}, **options)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("make", [auto_encoder, deep_info_max, vae])
def test_an_image_without_a_batch_or_channel_axis_is_refused(method, make):
    if not hasattr(make(), method):
        return
    function = getattr(compiled(make()), method)
    options = {"verbose": 0} if method in METHODS[:3] else {}
    text = message(function, IMAGES[0], **options)
    assert "x must have the shape (batch, 4, 4, 1). Received: shape (4, 4, 1)." in text and "x[None]" in text
    text = message(function, IMAGES[..., 0], **options)
    assert "Received: shape (6, 4, 4)." in text and "x[..., None]" in text


def test_images_with_their_channels_first_are_refused():
    encoder = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Conv2D(2, 1)])
    decoder = keras.Sequential([keras.Input((4, 4, 2)), keras.layers.Conv2D(3, 1)])
    text = message(compiled(AutoEncoder(encoder, decoder)).fit, np.ones((5, 3, 4, 4), "float32"), verbose=0)
    assert "np.moveaxis(x, 1, -1)" in text


def test_a_dataset_that_is_not_batched_is_refused():
    stream = tf.data.Dataset.from_tensor_slices(IMAGES)
    assert "batch(n)" in message(compiled(auto_encoder()).fit, stream, verbose=0)


def test_lengths_beyond_the_padding_are_refused():
    model = compiled(speech_auto_encoder())
    x = {"x": np.ones((2, 60), "float32"), "lengths": np.array([60, 600]), "speaker": np.zeros(2, int)}
    assert "lengths must lie in [0, 60]" in message(model.fit, x, verbose=0)
    assert "lengths must lie in [0, 60]" in message(model.encode, {**x, "lengths": np.array([60, 61])})


def test_entries_of_different_numbers_of_rows_are_refused():
    model = compiled(disentangler())
    assert "6 of x, 5 of label" in message(model.fit, {"x": IMAGES, "label": LABELS[:5]}, verbose=0)


class Table:
    """As a pandas DataFrame: iterating over it gives the names of its columns."""

    def __init__(self, **columns):
        self.values, self.columns = np.stack(list(columns.values()), axis=1), list(columns)

    def __iter__(self):
        return iter(self.columns)

    def to_numpy(self):
        return self.values


@pytest.mark.parametrize("make", [auto_encoder, deep_info_max, vae])
@pytest.mark.parametrize("x", [None, b"abc", "abc", ["a", None], {"x": ["a", "b"]}, [[1.0], [1.0, 2.0]]])
def test_what_is_no_array_of_numbers_is_refused_in_one_line(make, x):
    text = message(make().encode, x)
    assert "x must be an array of the shape (batch, 4, 4, 1)" in text and "Received" in text


def test_a_dataset_is_not_one_batch():
    stream = tf.data.Dataset.from_tensor_slices(IMAGES).batch(3)
    assert "encode_batches(model, data)" in message(auto_encoder().encode, stream)
    assert "encode_batches(model, data)" in message(auto_encoder().encode, iter([IMAGES]))


def test_a_table_of_numbers_is_an_array():
    both = [keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)]) for _ in range(2)]
    model = compiled(AutoEncoder(*both))
    table = Table(height=np.ones(3, "float32"), width=np.zeros(3, "float32"))
    np.testing.assert_array_equal(model.encode(table), model.encode(table.to_numpy()))
    model.fit(table, verbose=0)
    named = Table(height=np.ones(3, object), name=np.array(["a", "b", "c"], object))
    assert "['height', 'name']" in message(model.encode, named)


@pytest.mark.parametrize(
    "sentences, received",
    [
        (None, "sentences=None"),
        (b"how much", "bytes"),
        (["a", None], "None in row 1"),
        (["a", 3], "the int 3 in row 1"),
        (Table(text=np.array(["a"], object)), r"the columns ['text']"),
        ({"ids": ["how", "much"]}, "ids must be"),
        ({"text": ["how"]}, 'unknown "text"'),
        (7, "int"),
    ],
)
def test_what_is_no_sentence_is_refused_in_one_line(sentences, received):
    assert received in message(quick_thought().encode, sentences)


def test_sentences_without_their_neighbours_are_refused():
    ids = {"ids": np.ones((4, 3), "int32")}
    text = message(compiled(quick_thought()).fit, ids, verbose=0)
    assert 'without "document", "position"' in text and "sentence_blocks" in text
    text = message(compiled(skip_thought()).fit, ids, verbose=0)
    assert 'without "previous", "next"' in text and "sentence_triples" in text


def test_a_prior_takes_what_it_is_conditioned_on():
    prior = compiled(CodePrior(4, (2, 2), dim=8, depth=1, num_labels=3))
    codes = np.zeros((5, 2, 2), "int32")
    assert 'without "labels"' in message(prior.fit, codes, verbose=0)
    assert 'Did you mean "labels"' in message(prior.fit, {"x": codes, "label": LABELS[:5]}, verbose=0)
    assert "(batch, 2, 2)" in message(prior.fit, {"x": codes[0], "labels": LABELS[:2]}, verbose=0)


def test_a_generative_model_takes_the_inputs_of_its_auto_encoder():
    vq = AutoEncoder(*parts(), VectorQuantizer(4))
    model = compiled(GenerativeAutoEncoder(vq, CodePrior(4, (4, 4), dim=8, depth=1)))
    assert "x[..., None]" in message(model.fit, IMAGES[..., 0], verbose=0)
    assert 'unknown "labels"' in message(model.fit, {"x": IMAGES, "labels": LABELS}, verbose=0)


# what Keras takes


@pytest.mark.parametrize("wrap", [lambda x: [x], lambda x: (x,), lambda x: {"x": x}, ops.convert_to_tensor])
def test_lists_of_one_array_are_that_array(wrap):
    expected = compiled(auto_encoder())
    model = compiled(auto_encoder())
    model.set_weights(expected.get_weights())
    target = IMAGES if isinstance(wrap(IMAGES), dict) else wrap(IMAGES)
    arrays = {"validation_data": (wrap(IMAGES), target), "shuffle": False, "verbose": 0}
    ours = model.fit(wrap(IMAGES), **arrays).history
    theirs = expected.fit(IMAGES, validation_data=(IMAGES, IMAGES), shuffle=False, verbose=0).history
    assert ours == theirs
    np.testing.assert_array_equal(model.encode(wrap(IMAGES)), model.encode(IMAGES))
    np.testing.assert_array_equal(model.predict(wrap(IMAGES), verbose=0), model(IMAGES))


def test_a_list_of_images_is_a_batch():
    model = auto_encoder()
    np.testing.assert_array_equal(model.encode(list(IMAGES)), model.encode(IMAGES))
    np.testing.assert_array_equal(model.encode(IMAGES.tolist()), model.encode(IMAGES))


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return (IMAGES[index : index + 2],)


def generator(scale=1.0):
    yield from ((scale * IMAGES[i : i + 2],) for i in range(4))


STREAMS = {
    "tf.data": lambda: tf.data.Dataset.from_generator(
        generator, output_signature=(tf.TensorSpec((None, *SHAPE), "float32"),)
    ),
    "PyDataset": Batches,
    "generator": generator,
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("steps_per_execution", [1, 3])
def test_every_batch_of_a_stream_is_trained_on_once_and_in_order(name, steps_per_execution):
    weights = []
    for stream in (STREAMS[name](), STREAMS["tf.data"]().cache()):
        keras.utils.set_random_seed(0)
        model = auto_encoder()
        model.compile("sgd", steps_per_execution=steps_per_execution)
        if weights:
            model._first_batches.expect = lambda *_: None
            model._first_batches.left = {"train": 0, "test": 0}
        model.fit(stream, epochs=1, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for ours, theirs in zip(*weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_step_is_traced_once_for_a_stream():
    model, traces = auto_encoder(), []
    terms = model.compute_terms
    model.compute_terms = lambda *args, **kwargs: traces.append(1) or terms(*args, **kwargs)
    model.compile("sgd", jit_compile=False)
    model.fit(STREAMS["tf.data"](), epochs=2, verbose=0)
    assert len(traces) == 1


def test_a_range_is_checked_in_each_fit_and_evaluate_of_a_generator():
    model = compiled(vae())
    model.fit(generator(), verbose=0)
    assert "[0, 1]" in message(model.fit, generator(9.0), verbose=0)
    assert "[0, 1]" in message(model.evaluate, generator(9.0), verbose=0)
    assert "[0, 1]" in message(model.train_on_batch, 9 * IMAGES)


def test_loaders_of_torch_are_taken_batch_by_batch():
    torch = pytest.importorskip("torch")
    model = compiled(vae())
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.tensor(IMAGES)), batch_size=3)
    history = model.fit(loader, validation_data=loader, verbose=0).history
    assert np.isfinite(history["val_loss"]).all()
    labelled = torch.utils.data.TensorDataset(torch.tensor(IMAGES), torch.tensor(LABELS))
    labelled = torch.utils.data.DataLoader(labelled, batch_size=3)
    assert "Labels are not a target" in message(model.fit, labelled, verbose=0)
    large = torch.utils.data.TensorDataset(255 * torch.tensor(IMAGES))
    assert "[0, 1]" in message(model.fit, torch.utils.data.DataLoader(large, batch_size=3), verbose=0)


def test_datasets_of_grain_are_taken_batch_by_batch():
    grain = pytest.importorskip("grain")
    model = compiled(vae())
    history = model.fit(grain.MapDataset.source(IMAGES).batch(3), verbose=0).history
    assert np.isfinite(history["loss"]).all()
    labelled = grain.MapDataset.source(list(zip(IMAGES, LABELS, strict=True))).batch(3)
    assert "Labels are not a target" in message(model.fit, labelled, verbose=0)
    large = grain.MapDataset.source(255 * IMAGES).batch(3)
    assert "[0, 1]" in message(model.fit, large, verbose=0)


# compile, save


def scalar_loss(x, x_hat):
    return ops.mean(ops.square(x - x_hat))


def loss_of_the_batch(x, x_hat):
    return ops.mean(ops.square(x - x_hat), axis=0)


@pytest.mark.parametrize("loss", [scalar_loss, loss_of_the_batch])
@pytest.mark.parametrize("make", [auto_encoder, two_level])
def test_a_loss_without_an_axis_of_examples_is_refused_at_construction(make, loss):
    text = message(make, reconstruction_loss=loss)
    assert "reconstruction_loss must return a loss for each example or element" in text
    assert "Received: shape (" in text


@pytest.mark.parametrize("make", [auto_encoder, quick_thought, deep_info_max])
def test_a_loss_for_compile_is_refused_in_our_words(make):
    with pytest.raises(TypeError, match="owns its objective.*Received: 'mse' as a positional argument"):
        make().compile("adam", "mse")


METRICS = ["mae", keras.metrics.MeanSquaredError(name="squared"), keras.losses.mean_squared_logarithmic_error]


@pytest.mark.parametrize("make", [auto_encoder, vae, discrete_vae, disentangler])
def test_metrics_compare_target_and_reconstruction(make, tmp_path):
    model, target = make(), IMAGES[::-1].copy()
    x = {"x": IMAGES, "label": LABELS} if make is disentangler else IMAGES
    model.compile("sgd", metrics=METRICS, run_eagerly=True)
    weight = np.array([1, 0, 2, 1, 1, 0], "float32")
    found = model.evaluate(x, target, sample_weight=weight, batch_size=4, verbose=0, return_dict=True)
    if make in (auto_encoder, disentangler):
        error = np.asarray(model.reconstruct(x)) - target
        errors = np.abs(error).mean(axis=(1, 2, 3)), (error**2).mean(axis=(1, 2, 3))
        assert found["mean_absolute_error"] == pytest.approx(np.average(errors[0], weights=weight), rel=1e-5)
        assert found["squared"] == pytest.approx(np.average(errors[1], weights=weight), rel=1e-5)
    history = model.fit(x, validation_data=(x,), verbose=0).history
    assert {"mean_absolute_error", "squared", "val_squared", "mean_squared_logarithmic_error"} <= set(history)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    again.run_eagerly = True
    assert "squared" in again.evaluate(x, verbose=0, return_dict=True)


def test_metrics_are_refused_where_nothing_is_reconstructed():
    with pytest.raises(TypeError, match="DeepInfoMax owns its objective.*Received: metrics"):
        deep_info_max().compile("sgd", metrics=["mae"])
    with pytest.raises(ValueError, match="distinct names. Received: loss"):
        auto_encoder().compile("sgd", metrics=[keras.metrics.MeanSquaredError(name="loss")])


@keras.saving.register_keras_serializable(package="tests")
class SubclassedEncoder(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.flatten, self.dense = keras.layers.Flatten(), keras.layers.Dense(3)

    def call(self, x):
        return self.dense(self.flatten(x))


def subclassed(kind):
    decoder = keras.Sequential([keras.layers.Dense(16), keras.layers.Reshape(SHAPE)])
    if kind == "vae":
        return VariationalAutoEncoder(SubclassedEncoder(), decoder, 2)
    return AutoEncoder(SubclassedEncoder(), decoder, VectorQuantizer(4, kmeans_samples=0))


@pytest.mark.parametrize("kind", ["vae", "vq"])
def test_a_model_whose_encoder_was_never_called_is_not_saved_without_its_weights(kind, tmp_path):
    model = compiled(subclassed(kind))
    path = tmp_path / "model.keras"
    assert "must be built before it is saved or exported" in message(model.save, path)
    assert not path.exists()
    with pytest.raises(ValueError, match="built"):
        model.save_weights(tmp_path / "model.weights.h5")
    model(IMAGES)
    model.save(path)
    again = keras.saving.load_model(path)  # a warning of skipped optimiser variables is an error here
    np.testing.assert_array_equal(again.embed(IMAGES), model.embed(IMAGES))
    assert len(again.optimizer.variables) == len(model.optimizer.variables)


def test_keras_exports_a_model_whose_encoder_was_built_by_fit(tmp_path):
    model = subclassed("vae")
    model.compile("sgd", jit_compile=False)
    model.fit(IMAGES, verbose=0)
    assert "built" in message(subclassed("vae").export, tmp_path / "unbuilt")
    model.export(tmp_path / "exported", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "exported")
    served = loaded.serve(IMAGES)
    np.testing.assert_allclose(served, model.predict(IMAGES, verbose=0), rtol=1e-4, atol=1e-5)


def test_networks_keep_their_channels_last_under_a_global_channels_first():
    keras.config.set_image_data_format("channels_first")
    try:
        size = (16, 12, 1)
        encoder = networks.deep_info_max_encoder(size, 3, filters=(4, 4), units=8)
        image = networks.image_encoder(size, 3, filters=4, residual_blocks=1)
        decoder = networks.image_decoder(size, 3, filters=4, residual_blocks=1)
        flat = networks.image_encoder(size, 3, filters=4, residual_blocks=1, flatten=True)
        broadcast = networks.spatial_broadcast_decoder(size, 3, filters=4)
        levels = networks.two_level_networks(size, 3, filters=4, residual_blocks=1)
    finally:
        keras.config.set_image_data_format("channels_last")
    assert encoder.get_layer("local").output.shape[-1] == 4
    assert image.output_shape == (None, 4, 3, 3) and flat.output_shape == (None, 3)
    assert decoder.output_shape == broadcast.output_shape == (None, *size)
    assert levels["merge"].output_shape == (None, 4, 3, 3)


# data that leave nothing to learn


def contrastive_predictive_coding():
    encoder = networks.waveform_encoder(4, kernels=(4, 4), strides=(2, 2))
    return ContrastivePredictiveCoding(encoder, networks.recurrent_context(4, 5), steps=3, first_step=2)


def test_clips_without_a_frame_to_predict_are_refused_with_their_number():
    model = compiled(contrastive_predictive_coding())
    before = model.get_weights()
    text = message(model.fit, {"x": np.ones((3, 40), "float32"), "lengths": np.array([8, 5, 1])}, verbose=0)
    assert "at least 9 positions" in text and "0 usable clips of 3, the longest of 8" in text
    stream = tf.data.Dataset.from_tensors(np.ones((3, 8), "float32"))
    assert "0 usable clips of 3" in message(model.fit, stream, verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    model.fit({"x": np.ones((3, 40), "float32"), "lengths": np.array([8, 9, 1])}, verbose=0)


def test_sentences_without_neighbours_in_the_data_are_refused_with_their_number():
    x = {"ids": np.ones((4, 3), "int32"), "document": np.zeros(4, int), "position": 2 * np.arange(4)}
    assert "0 of 4 sentences with a neighbour" in message(compiled(quick_thought()).fit, x, verbose=0)


def test_sequences_of_padding_alone_are_refused():
    x = {"x": np.ones((6, 60), "float32"), "lengths": np.zeros(6, int), "speaker": LABELS}
    assert "lengths must be positive" in message(compiled(speech_auto_encoder()).fit, x, verbose=0)


# arguments by place, targets that nothing is made of, and methods beside `fit`


def test_weights_of_evaluate_count_by_their_place():
    model, weights = compiled(auto_encoder()), np.array([3, 0, 0, 1, 0, 0], "float32")
    expected = model.evaluate(IMAGES, sample_weight=weights, batch_size=2, verbose=0, return_dict=True)
    found = model.evaluate(IMAGES, None, 2, 0, weights, return_dict=True)
    assert found == expected
    assert found != model.evaluate(IMAGES, None, 2, 0, return_dict=True)
    assert "one weight for each example" in message(model.evaluate, IMAGES, None, 2, 0, weights[:2])


CODES = np.random.default_rng(0).integers(0, 4, (6, 4), "int32")
SENTENCES = {"ids": CODES, "document": np.zeros(6, int), "position": np.arange(6)}
WITHOUT_TARGET = {
    "contrastive predictive coding": (lambda: contrastive_predictive_coding(), np.ones((6, 40), "float32")),
    "deep info max": (deep_info_max, IMAGES),
    "quick-thought": (quick_thought, SENTENCES),
    "prior": (lambda: CodePrior(4, (4,), dim=8, depth=1), CODES),
}


@pytest.mark.parametrize("name", WITHOUT_TARGET)
def test_labels_as_target_are_refused_where_nothing_is_made_of_them(name):
    make, x = WITHOUT_TARGET[name]
    model = compiled(make())
    stream = tf.data.Dataset.from_tensor_slices((x, LABELS)).batch(6)
    for method in (model.fit, model.evaluate):
        text = message(method, x, LABELS, verbose=0)
        assert text.startswith("y must be None, since the model has no target. Received: y=")
        assert "y must be None" in message(method, stream, verbose=0)
    assert "y must be None" in message(model.fit, x, validation_data=(x, LABELS), verbose=0)
    weighted = tf.data.Dataset.from_tensor_slices((x, LABELS, np.ones(6, "float32"))).batch(6)
    model.evaluate(weighted, verbose=0)


def test_labels_of_a_conditional_prior_are_asked_for_by_name():
    prior = compiled(CodePrior(4, (4,), dim=8, depth=1, num_labels=3))
    assert 'fit({"x": x, "labels": y})' in message(prior.fit, CODES, LABELS, verbose=0)


CHECKED = {
    "auto-encoder": (auto_encoder, IMAGES),
    "vae": (vae, IMAGES),
    "discrete vae": (discrete_vae, IMAGES),
    "two levels": (two_level, np.zeros((2, 8, 8, 1), "float32")),
    "disentangler": (disentangler, IMAGES),
    "deep info max": (deep_info_max, IMAGES),
    "contrastive predictive coding": (
        lambda: contrastive_predictive_coding(),
        np.ones((6, 40), "float32"),
    ),
    "prior": (lambda: CodePrior(4, (4,), dim=8, depth=1), CODES),
}


@pytest.mark.parametrize("name", CHECKED)
def test_methods_refuse_none_nan_and_other_shapes(name):
    make, x = CHECKED[name]
    model, broken = make(), x.astype("float32")
    broken[0] = np.nan
    methods = ("encode", "embed", "features", "reconstruct", "score", "reconstruction_error", "log_prob")
    if isinstance(model, AutoEncoder):
        methods = tuple(method for method in methods if method != "features")  # of the parts of inputs
    for method in filter(None, (getattr(model, method, None) for method in methods)):
        message(method, None)
        assert "must be finite" in message(method, broken)
        with pytest.raises(ValueError, match="shape"):
            method(x[..., 0])


@pytest.mark.parametrize("make", [auto_encoder, vae, discrete_vae])
def test_decode_refuses_none_and_nan(make):
    model = make()
    codes = np.array(model.embed(IMAGES))
    codes[0] = np.nan
    assert message(model.decode, None).startswith("codes must be an array")
    assert "codes must be finite" in message(model.decode, codes)


def test_two_levels_of_codes_are_decoded_together_only():
    model = two_level()
    assert 'codes must be {"top":, "bottom":}' in message(model.decode, None)
    assert 'codes["top"] must be an array' in message(model.decode, {"top": None, "bottom": CODES})


def test_an_embedding_that_is_scored_has_the_shape_of_the_models():
    model = deep_info_max()
    np.testing.assert_allclose(model.score(IMAGES, model.encode(IMAGES)), model.score(IMAGES), rtol=1e-5)
    assert "embedding must have the shape (batch, 2)" in message(model.score, IMAGES, np.ones((6, 3)))


def test_the_shortest_clip_is_sought_once():
    model, calls = contrastive_predictive_coding(), []
    shape_of = model.encoder.compute_output_shape
    object.__setattr__(
        model.encoder, "compute_output_shape", lambda shape: calls.append(1) or shape_of(shape)
    )
    model.check_batch(np.ones((3, 40), "float32"))
    sought = len(calls)
    model.check_batch(np.ones((3, 12), "float32"))
    assert sought > 0 and len(calls) == sought
