"""The fused step against that of Keras, wherever an optimizer is used."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.optimizers import FusedAdam

SCHEDULE = keras.optimizers.schedules.CosineDecay(0.1, 6)
OPTIONS = [
    {},
    {"learning_rate": SCHEDULE, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3},
    {"weight_decay": 0.1, "global_clipnorm": 0.5},
    {"gradient_accumulation_steps": 2, "use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 3},
]


def trained(optimizer, steps=6, **options):
    """A small model, with its weights, optimizer state and losses."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.layers.Dense(3, activation="tanh", kernel_initializer=keras.initializers.HeNormal(seed=1)),
            keras.layers.Dense(2, kernel_initializer=keras.initializers.HeNormal(seed=2)),
        ]
    )
    model.compile(optimizer, "mse", **options)
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(4 * steps, width)).astype("float32") for width in (5, 2))
    losses = model.fit(x, y, batch_size=4, shuffle=False, verbose=0).history["loss"]
    return model, [*model.get_weights(), *(np.asarray(v) for v in optimizer.variables), np.array(losses)]


def assert_same(ours, theirs):
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        # 1 - beta_2 is rounded to float32, 5e-5 of v: 2e-5 of a step of 0.05, six times
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: ", ".join(options) or "plain")
def test_it_trains_the_weights_of_keras_adam(options):
    options, eager = {"learning_rate": 0.05} | options, {"run_eagerly": True}  # sooner made than traced
    _, ours = trained(FusedAdam(**options), **eager)
    assert_same(ours, trained(keras.optimizers.Adam(**options), **eager)[1])


@pytest.mark.parametrize("options", [{"jit_compile": False}, {"jit_compile": True}], ids=str)
def test_it_is_compiled_in_any_way(options):
    assert_same(trained(FusedAdam(0.05), **options)[1], trained(keras.optimizers.Adam(0.05))[1])


def test_a_step_is_that_of_the_paper():
    """Written out in NumPy, in float64."""
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=5), rng.normal(size=(4, 5))
    weight, optimizer = keras.Variable(start.astype("float32")), FusedAdam(0.1, 0.8, 0.95, 1e-4)
    m, v, w = np.zeros(5), np.zeros(5), start
    for t, g in enumerate(gradients, 1):
        optimizer.apply([tf.constant(g, "float32")], [weight])
        m, v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g**2
        # the paper's shorter form: its epsilon is that of the unbiased v, times a factor
        w = w - 0.1 * np.sqrt(1 - 0.95**t) / (1 - 0.8**t) * m / (np.sqrt(v) + 1e-4)
    np.testing.assert_allclose(weight, w, rtol=1e-5)


def test_a_row_that_is_read_twice_has_one_gradient():
    slices = tf.IndexedSlices(tf.constant([[1.0], [2.0], [4.0]]), tf.constant([2, 0, 2]), tf.constant([3, 1]))
    weights = []
    for gradient in (slices, tf.constant([[2.0], [0.0], [5.0]])):
        weights.append(keras.Variable(np.ones((3, 1), "float32")))
        optimizer = FusedAdam(0.1)
        optimizer.build([weights[-1]])
        optimizer.update_step(gradient, weights[-1].value, 0.1)
    np.testing.assert_array_equal(*weights)


def test_a_saved_model_goes_on_as_it_would_have(tmp_path):
    model, _ = trained(FusedAdam(0.05, weight_decay=0.1))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(again.optimizer, FusedAdam) and again.optimizer.weight_decay == 0.1
    x, y = np.arange(20.0).reshape(4, 5) % 7, np.ones((4, 2))
    for one in (model, again):
        one.train_on_batch(x, y)
    assert_same(again.get_weights(), model.get_weights())


def test_half_precision_scales_its_loss():
    optimizer = keras.optimizers.LossScaleOptimizer(FusedAdam(0.05), initial_scale=2.0**10)
    theirs = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.05), initial_scale=2.0**10)
    assert_same(trained(optimizer)[1], trained(theirs)[1])


def test_amsgrad_is_refused():
    with pytest.raises(ValueError, match="amsgrad must be False.*Use keras.optimizers.Adam"):
        FusedAdam(amsgrad=True)


REPLICAS = """
import sys
import keras, numpy as np, tensorflow as tf
from keras_ae.optimizers import FusedAdam

cpus = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2)
x, y = (np.random.default_rng(0).normal(size=(16, n)).astype("float32") for n in (3, 2))
weights = []
for strategy in (tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])):
    with strategy.scope():
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, kernel_initializer="ones")])
        model.compile(FusedAdam(0.05, weight_decay=0.1), "mse")
    model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    weights.append(model.get_weights())
for one, two in zip(*weights):
    np.testing.assert_allclose(two, one, atol=1e-6)
"""


def test_two_replicas_train_the_weights_of_one_device():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sys.path))}
    command = [sys.executable, "-c", REPLICAS]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
