"""What the tests of mask-aware layers share."""

import keras
import numpy as np
import pytest
import tensorflow as tf

TOLERANCE = 1e-5  # float32 sums of some tens of terms of size 1, in another order


@pytest.fixture
def check_padding():
    """An example alone and padded with garbage in a batch: same outputs, same gradients."""

    def check(layer, x, *others, real, extra, mask_name="mask", garbage=100.0):
        generator = np.random.default_rng(extra)
        length, channels = x.shape
        filler = np.full((extra, channels), garbage) * generator.normal(size=(extra, channels))
        longest = generator.normal(size=(length + extra, channels))
        batch = np.stack([np.concatenate([x, filler]), longest])
        mask = np.arange(length + extra) < np.array([[length], [length + extra]])
        cotangent = generator.normal(size=(real, *layer(x[None], *[o[None] for o in others]).shape[2:]))

        alone = _outputs_and_gradients(layer, [x[None], *[o[None] for o in others]], {}, cotangent)
        stacked = [np.stack([o, generator.normal(size=o.shape)]) for o in others]
        padded = _outputs_and_gradients(layer, [batch, *stacked], {mask_name: mask}, cotangent)

        for name in ("output", "weight_gradients", "other_gradients"):
            for expected, received in zip(alone[name], padded[name], strict=True):
                np.testing.assert_allclose(received, expected, atol=TOLERANCE, rtol=TOLERANCE, err_msg=name)
        gradient = padded["x_gradient"][0]
        np.testing.assert_allclose(gradient[:length], alone["x_gradient"][0], atol=TOLERANCE, rtol=TOLERANCE)
        np.testing.assert_array_equal(gradient[length:], 0)

    return check


def _outputs_and_gradients(layer, inputs, masks, cotangent):
    """Of the first example's first frames, as many as `cotangent` has."""
    inputs = [tf.constant(value, "float32") for value in inputs]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        y = layer(*inputs, **masks)[0, : len(cotangent)]
        loss = tf.reduce_sum(y * tf.constant(cotangent, y.dtype))
    x, others, weights = tape.gradient(loss, [inputs[0], inputs[1:], layer.trainable_variables])
    return {
        "output": [y.numpy()],
        "x_gradient": x.numpy(),
        "other_gradients": [gradient[0].numpy() for gradient in others],
        "weight_gradients": [gradient.numpy() for gradient in weights],
    }


@pytest.fixture
def check_exports(tmp_path):
    """Two batch sizes and lengths: the same numbers eagerly, by XLA, SavedModel and ONNX Runtime."""

    def check(function, *arguments):
        """`function(*numbers) -> tensor`; `arguments`: `(spec, make)`, where `make(batch, length)`."""
        traced = tf.function(function, input_signature=[spec for spec, _ in arguments], autograph=False)
        compiled = tf.function(function, jit_compile=True)
        saved = _saved_model(traced, tmp_path)
        cases = [[make(*sizes) for _, make in arguments] for sizes in ((1, 9), (3, 4))]
        # ONNX comes last: where its converter is missing, the others are compared nonetheless
        for make_runner in (lambda: compiled, lambda: saved, lambda: _onnx(traced, arguments)):
            run = make_runner()
            for values in cases:
                expected = function(*[tf.constant(value) for value in values])
                np.testing.assert_allclose(run(*values), expected, atol=TOLERANCE, rtol=TOLERANCE)

    return check


def _saved_model(traced, directory):
    archive = keras.export.ExportArchive()
    archive.add_endpoint("serving_default", traced, input_signature=traced.input_signature)
    archive.write_out(str(directory / "saved_model"), verbose=False)
    loaded = tf.saved_model.load(str(directory / "saved_model"))

    def call(*values):
        return loaded.serving_default(*[tf.constant(value) for value in values])

    return call


def _onnx(traced, arguments):
    try:
        import onnxruntime
        import tf2onnx
    except (ImportError, AttributeError) as error:  # onnx >= 1.19 on the ml_dtypes of TensorFlow 2.16
        pytest.skip(f"the other formats agree; no ONNX here: {error}")
    graph, _ = tf2onnx.convert.from_function(traced, [spec for spec, _ in arguments], opset=17)
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [spec.name for spec, _ in arguments]
    return lambda *values: session.run(None, dict(zip(names, values, strict=True)))[0]


@pytest.fixture
def frames_and_lengths():
    """Arguments of `check_exports` for `f(x, lengths)` with three channels."""
    generator = np.random.default_rng(0)
    return (
        (
            tf.TensorSpec((None, None, 3), "float32", "x"),
            lambda batch, length: generator.normal(size=(batch, length, 3)).astype("float32"),
        ),
        (
            tf.TensorSpec((None,), "int32", "lengths"),
            lambda batch, length: np.arange(length, length - batch, -1, dtype="int32"),
        ),
    )


@pytest.fixture
def check_round_trip():
    """Config, and weights through a `.keras` file, come back."""

    def check(layer, *inputs, path):
        config = layer.get_config()
        copy = type(layer).from_config(config)
        assert copy.get_config() == config
        tensors = [keras.Input(value.shape[1:]) for value in inputs]
        model = keras.Model(tensors if len(inputs) > 1 else tensors[0], layer(*tensors))
        model.save(path)
        loaded = keras.saving.load_model(path)
        values = list(inputs) if len(inputs) > 1 else inputs[0]
        np.testing.assert_array_equal(loaded(values), model(values))
        return copy

    return check
