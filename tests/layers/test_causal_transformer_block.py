import keras
import numpy as np

from keras_ae.layers import CausalTransformerBlock


def numpy_block(x, visible, weights, heads):
    """The equations, one head of one example at a time, in float64."""
    gain_1, shift_1, qkv, qkv_bias, out, out_bias, gain_2, shift_2, w_1, b_1, w_2, b_2 = (
        np.asarray(w, "float64") for w in weights
    )

    def norm(x, gain, shift):
        return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-3) * gain + shift

    def gelu(x):
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))

    length, dim = x.shape
    joint = norm(x, gain_1, shift_1) @ qkv + qkv_bias
    attended = np.zeros_like(x, "float64")
    for head in range(heads):
        part = slice(head * dim // heads, (head + 1) * dim // heads)
        q, k, v = (joint[:, i * dim : (i + 1) * dim][:, part] for i in range(3))
        scores = np.where(visible, q @ k.T / np.sqrt(dim // heads), -np.inf)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        attended[:, part] = weights / weights.sum(-1, keepdims=True) @ v
    h = x + attended @ out + out_bias
    return h + gelu(norm(h, gain_2, shift_2) @ w_1 + b_1) @ w_2 + b_2


def random_block():
    keras.utils.set_random_seed(0)
    block = CausalTransformerBlock(8, num_heads=2)
    block.build()
    rng = np.random.default_rng(0)
    block.set_weights([w + 0.3 * rng.standard_normal(w.shape) for w in block.get_weights()])
    return block, rng.standard_normal((3, 5, 8)).astype("float32")


def test_equals_the_equations():
    block, x = random_block()
    visible = np.tril(np.ones((5, 5), bool))
    y, _ = block(x, keras.ops.convert_to_tensor(visible))
    names = [f"{w.path.split('/')[-2]}/{w.name}" for w in block.weights]
    assert names[2:6] == [
        "queries_keys_values/kernel",
        "queries_keys_values/bias",
        "attention_output/kernel",
        "attention_output/bias",
    ]
    for i in range(3):
        expected = numpy_block(x[i].astype("float64"), visible, block.get_weights(), heads=2)
        np.testing.assert_allclose(y[i], expected, atol=1e-5)  # float32


def test_steps_with_a_cache_equal_all_positions_at_once():
    block, x = random_block()
    visible = keras.ops.convert_to_tensor(np.tril(np.ones((5, 5), bool)))
    whole, (keys, values) = block(x, visible)
    cache = (keras.ops.zeros_like(keys), keras.ops.zeros_like(values))
    for position in range(5):
        y, cache = block.step(keras.ops.convert_to_tensor(x[:, position : position + 1]), cache, position)
        np.testing.assert_allclose(y[:, 0], whole[:, position], atol=1e-5)  # float32
    np.testing.assert_allclose(cache[0], keys, atol=1e-5)
    np.testing.assert_allclose(cache[1], values, atol=1e-5)


def test_softmax_of_huge_scores_is_finite_in_half_precision():
    block = CausalTransformerBlock(8, num_heads=2, dtype="mixed_float16")
    x = keras.ops.cast(100 * np.random.default_rng(0).standard_normal((2, 4, 8)), "float16")
    y, _ = block(x, keras.ops.convert_to_tensor(np.tril(np.ones((4, 4), bool))))
    assert y.dtype == "float16" and np.isfinite(np.asarray(y, "float32")).all()


def test_config_makes_the_same_block():
    block = CausalTransformerBlock(8, num_heads=2, dropout=0.1)
    again = CausalTransformerBlock.from_config(block.get_config())
    assert again.get_config() == block.get_config()
