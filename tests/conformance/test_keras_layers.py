"""Every public layer under Keras' own harness for layers, and in the places where Keras users put layers."""

import inspect
import json
from dataclasses import dataclass

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.testing import TestCase

from keras_ae import layers

BASES = {"Bottleneck"}  # nobody makes one


@dataclass(frozen=True)
class Case:
    """Settings of a layer, and the shapes of what it takes.

    Attributes:
        shape: of the one input; of several, a dictionary by `<argument>_shape`.
        dtype: of the inputs, where it is not float32, in the structure of `shape`.
        data: the input of a layer that takes no numbers.
    """

    settings: dict
    shape: tuple | dict | None
    dtype: str | dict | None = None
    data: object = None

    def inputs(self, dtype="float32"):
        """Random arrays, one for each argument; `dtype` is that of the floating ones."""
        if self.data is not None:
            return [self.data]
        shapes, dtypes = self.shape, self.dtype
        if not isinstance(shapes, dict):
            shapes, dtypes = {"x": shapes}, {"x": dtypes}
        names = [(dtypes or {}).get(name) or dtype for name in shapes]
        random = np.random.default_rng(0)
        return [(3 * random.random(s)).astype(name) for s, name in zip(shapes.values(), names, strict=True)]


FRAMES = (2, 5, 4)
COLUMNS = [{"name": "size", "mean": 2.0}, {"name": "colour", "categories": ["b", "r"]}]
WAVES = (2, 64)

CASES = {
    "AdaIN": Case({}, {"content_shape": FRAMES, "style_shape": (2, 3)}),
    "AddCondition": Case({}, {"x_shape": FRAMES, "condition_shape": (2, 3)}),
    "AddChannel": Case({}, WAVES),
    "AugmentReinforceMerge": Case(
        {"seed": 0}, {"losses_shape": (2, 3), "logits_shape": (3, 4), "uniform_shape": (3, 4)}
    ),
    "BinaryBottleneck": Case({"seed": 0}, FRAMES),
    "CausalTransformerBlock": Case(
        {"dim": 4, "num_heads": 2},
        {"x_shape": FRAMES, "visible_shape": (5, 5)},
        {"x_shape": "float32", "visible_shape": "int32"},
    ),
    "CepstralCoefficients": Case({"num_coefficients": 3}, (2, 9, 4)),
    "DistinctWords": Case({}, (2, 5), "int32"),
    "FiniteScalarQuantizer": Case({"levels": [3, 5]}, FRAMES),
    "FrameNormalization": Case({}, FRAMES),
    "GaussianBottleneck": Case({"latent_dim": 3, "seed": 0}, FRAMES),
    "GlobalVariance": Case({}, FRAMES),
    "GradientReversal": Case({"weight": 0.5}, FRAMES),
    "GRUDecoder": Case({"units": 3}, {"inputs_shape": FRAMES, "vector_shape": (2, 6)}),
    "GRUStep": Case({"units": 4}, (2, 5, 12)),
    "GumbelOneHot": Case({"num_groups": 2, "seed": 0}, FRAMES),
    "InstanceNormalization": Case({}, FRAMES),
    "LinearDependence": Case(
        {}, {"z_shape": (6, 3), "labels_shape": (6,)}, {"z_shape": "float32", "labels_shape": "int32"}
    ),
    "LogMelSpectrogram": Case({"num_mels": 4, "window_length": 16, "hop": 8, "fft_length": 16}, WAVES),
    "LookupFreeQuantizer": Case({"bits": 4}, FRAMES),
    "MaskedAveragePooling1D": Case({"pool_size": 2}, FRAMES),
    "MaskedBatchNormalization": Case({}, FRAMES),
    "MaskedConv1D": Case({"filters": 3, "kernel_size": 3, "strides": 2}, FRAMES),
    "MaskedConv1DTranspose": Case({"filters": 3, "kernel_size": 3, "strides": 2}, FRAMES),
    "MFCC": Case(
        {"num_coefficients": 3, "num_mels": 4, "window_length": 16, "hop": 8, "fft_length": 16}, WAVES
    ),
    "MutualInformationNetwork": Case({"units": 3}, FRAMES),
    "PixelShuffle1D": Case({"factor": 2}, FRAMES),
    "RepeatFrames": Case({"times": 2}, FRAMES),
    "ResidualVectorQuantizer": Case({"num_embeddings": 3, "num_levels": 2, "seed": 0}, FRAMES),
    "ScoreFunction": Case({}, {"losses_shape": (2, 3), "log_probs_shape": (2, 3)}),
    "SegmentMeans": Case({"segments": 2}, FRAMES),
    "SentenceGRU": Case(
        {"units": 3},
        {"words_shape": (4, 3), "places_shape": (2, 5)},
        {"words_shape": "float32", "places_shape": "int32"},
    ),
    "SpatialBroadcast": Case({"filters": 2, "height": 3, "width": 4}, (2, 3)),
    "SpecAugment": Case({"time_width": 2, "frequency_width": 2, "seed": 0}, FRAMES),
    "SpectralPerturbation": Case({"seed": 0}, FRAMES),
    "StepPredictors": Case({"steps": 2, "dim": 3}, FRAMES),
    "TableFeatures": Case({"columns": COLUMNS}, (2, 2)),
    # a learned scale is trained by the likelihood, not by the output
    "TableLikelihood": Case({"columns": COLUMNS, "observation_scale": 1.0}, (2, 3)),
    "TimeJitter": Case({"seed": 0}, FRAMES),
    "VectorQuantizer": Case({"num_embeddings": 3, "seed": 0}, FRAMES),
    "VoicePerturbation": Case({"window": 16, "order": 4, "seed": 0}, WAVES),
    "WaveformNoise": Case({"seed": 0}, WAVES),
    "WordDropout": Case({"rate": 0.5, "seed": 0}, (2, 5), "int32"),
    "WordIds": Case({"vocabulary": ["a", "b"]}, None, data=tf.constant(["a b", "c"])),
    "WordPooling": Case({}, FRAMES),
    "WordSoftmax": Case({"vocabulary_size": 6}, FRAMES),
}


POLICIES = ("float32", "mixed_float16", "float64")
# a number for each example or step alone: what TimeDistributed can hand a layer
SEVERAL_OUTPUTS = {"DistinctWords", "WordIds"}
PER_EXAMPLE = [
    n for n, case in CASES.items() if not isinstance(case.shape, dict) and n not in SEVERAL_OUTPUTS
]
OF_SAMPLES = {"AugmentReinforceMerge", "ScoreFunction"}  # their first axis is no batch
several = [n for n, case in CASES.items() if isinstance(case.shape, dict) and n not in OF_SAMPLES]
every = pytest.mark.parametrize("name", CASES)


def test_no_public_layer_is_left_out():
    assert set(CASES) | BASES == set(layers.__all__)


@pytest.fixture
def policy():
    """Sets the dtype policy; it comes back."""
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def float64(policy):
    """Keras as after `set_floatx("float64")` before any layer is made."""
    keras.config.set_floatx("float64")
    policy("float64")
    yield
    keras.config.set_floatx("float32")


def make(name, **settings):
    if name == "GRUStep":  # a cell: what users make is the layer around it
        own = {key: settings.pop(key) for key in ("dtype",) if key in settings}
        return keras.layers.RNN(layers.GRUStep(**settings, **own), **own)
    return getattr(layers, name)(**settings)


def described(outputs):
    return [(tuple(y.shape), keras.backend.standardize_dtype(y.dtype)) for y in keras.tree.flatten(outputs)]


def training_options(layer, training):
    return {"training": training} if "training" in inspect.signature(layer.call).parameters else {}


@every
def test_a_layer_passes_the_harness_of_keras(name):
    case = CASES[name]
    inputs = {"input_shape": case.shape, "input_dtype": case.dtype}
    TestCase().run_layer_test(
        lambda **settings: make(name, **settings),
        init_kwargs=case.settings,
        # its model hands all inputs to the layer as one argument: those layers train in the next test
        run_training_check=not isinstance(case.shape, dict),
        **(inputs if case.data is None else {"input_data": case.data}),
    )


@pytest.mark.parametrize("name", several)
def test_a_layer_of_several_inputs_trains_in_a_functional_model(name):
    case = CASES[name]
    arrays = [x if len(x) == 2 else np.stack([x, x]) for x in case.inputs()]
    whole = [len(x) != 2 for x in case.inputs()]  # arguments without an axis of examples
    inputs = [keras.Input(x.shape[1:], dtype=x.dtype.name) for x in arrays]
    given = [x[0] if alone else x for x, alone in zip(inputs, whole, strict=True)]
    first = keras.tree.flatten(make(name, **case.settings)(*given))[0]
    outputs = first if first.shape else first + keras.ops.zeros_like(inputs[0][:, 0])
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse")
    target = np.zeros(model(arrays).shape, "float32")
    assert np.isfinite(model.fit(arrays, target, batch_size=2, verbose=0).history["loss"]).all()


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("training", [False, True])
def test_shapes_and_dtypes_are_those_that_a_layer_announces(name, training, policy):
    policy(name)
    for layer_name, case in CASES.items():
        layer, inputs = make(layer_name, **case.settings), case.inputs()
        options = training_options(layer, training)
        outputs = layer(*inputs, **options)
        specs = [keras.KerasTensor(x.shape, keras.backend.standardize_dtype(x.dtype)) for x in inputs]
        announced = layer.compute_output_spec(*specs, **options)
        shapes = layer.compute_output_shape(*(spec.shape for spec in specs))
        shapes = [spec.shape for spec in keras.tree.flatten(_as_specs(shapes))]
        assert shapes == [spec.shape for spec in keras.tree.flatten(announced)], layer_name
        for (shape, dtype), spec in zip(described(outputs), keras.tree.flatten(announced), strict=True):
            fits = [size in (None, real) for size, real in zip(spec.shape, shape, strict=True)]
            assert (dtype, all(fits)) == (spec.dtype, True), f"{layer_name}: {shape} {dtype}, {spec}"


def _as_specs(shapes):
    return keras.tree.map_shape_structure(keras.KerasTensor, shapes)


@pytest.mark.parametrize("name", PER_EXAMPLE)
def test_a_layer_works_in_time_distributed(name):
    case, layer = CASES[name], make(name, **CASES[name].settings)
    steps = np.stack([case.inputs()[0]] * 3, axis=1)
    steps[:, 1] = steps[::-1, 0]
    inputs = keras.Input(steps.shape[1:], dtype=steps.dtype.name)
    model = keras.Model(inputs, keras.layers.TimeDistributed(layer)(inputs))
    outputs = model(steps)
    assert tuple(outputs.shape[1:]) == model.output_shape[1:]
    for step in range(3):
        np.testing.assert_allclose(outputs[:, step], layer(steps[:, step]), rtol=1e-5, atol=1e-5)


def test_a_quantiser_in_time_distributed_trains_and_leaves_padding_out():
    inputs = keras.Input((4, 3))
    quantizer = layers.VectorQuantizer(4, kmeans_samples=0, seed=0)
    codes = keras.layers.TimeDistributed(quantizer)(keras.layers.Masking()(inputs))
    model = keras.Model(inputs, codes)
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).random((2, 4, 3), "float32")
    x[1, 2:] = 0.0
    model.fit(x, x, verbose=0)
    assert float(keras.ops.sum(quantizer.usage.counts)) == 6


@every
def test_a_layer_works_where_numbers_are_float64(name, float64):
    for training in (False, True):
        layer, inputs = make(name, **CASES[name].settings), CASES[name].inputs("float64")
        with tf.GradientTape() as tape:
            outputs = keras.tree.flatten(layer(*inputs, **training_options(layer, training)))
            loss = sum(tf.reduce_sum(tf.cast(y, "float64")) for y in outputs) + sum(layer.losses)
        assert all(g is None or np.isfinite(g).all() for g in tape.gradient(loss, layer.trainable_weights))
        if isinstance(layer, layers.Bottleneck):
            assert layer.decode(layer.encode(inputs[0])).dtype == "float64"


def _of_numpy(value):
    """`value` with NumPy scalars in place of Python ones."""
    if isinstance(value, (list, tuple)):
        return type(value)(_of_numpy(part) for part in value)
    kinds = {bool: np.bool_, int: np.int64, float: np.float32, str: np.str_}
    return kinds[type(value)](value) if type(value) in kinds else value


@every
def test_numpy_scalars_are_settings_like_python_numbers(name):
    made = getattr(layers, name)
    parameters = inspect.signature(made).parameters.values()
    of_keras = inspect.signature(keras.layers.Layer.__init__).parameters
    defaults = {
        p.name: p.default for p in parameters if p.name not in of_keras and p.default not in (p.empty, None)
    }
    settings = {**defaults, **CASES[name].settings}
    layer = made(**{key: _of_numpy(value) for key, value in settings.items()}, name="layer")
    config = layer.get_config()
    assert json.loads(json.dumps(config)) == config | {
        k: list(v) for k, v in config.items() if type(v) is tuple
    }
    scalars = [value for value in [*keras.tree.flatten(config), *vars(layer).values()] if np.isscalar(value)]
    assert not [value for value in scalars if isinstance(value, np.generic)]
    expected = made(**settings, name="layer").get_config()
    for key, value in config.items():
        if isinstance(value, float):
            assert value == pytest.approx(expected[key], rel=1e-6)
        else:
            assert value == expected[key]
