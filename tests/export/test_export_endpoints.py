import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_ae.errors import InputError
from keras_ae.export import endpoints_of, to_onnx, to_saved_model
from keras_ae.export.cases import make_cases
from keras_ae.export.endpoints import select
from keras_ae.models.endpoint import Endpoint

X = tf.TensorSpec((None, 4), tf.float32)


def run(endpoint, **inputs):
    return {name: np.asarray(value) for name, value in endpoint.function(**inputs).items()}


def test_a_model_with_endpoints_says_itself(sequence_model):
    assert list(endpoints_of(sequence_model)) == ["encode"]


def test_a_functional_model_is_served_under_its_input_names(dense_model):
    endpoint = endpoints_of(dense_model)["serving_default"]
    x = np.random.default_rng(0).random((3, 4), "float32")
    np.testing.assert_array_equal(run(endpoint, x=x)["output"], dense_model(x))


def test_dicts_of_inputs_and_outputs_keep_their_names():
    b, a = keras.Input((3,), name="b"), keras.Input((4,), name="a")
    model = keras.Model({"b": b, "a": a}, {"q": keras.layers.Dense(1)(b), "p": keras.layers.Dense(2)(a)})
    endpoint = endpoints_of(model)["serving_default"]
    inputs = {"a": np.ones((2, 4), "float32"), "b": np.ones((2, 3), "float32")}
    expected = model(inputs)
    assert endpoint.inputs["a"].shape == (None, 4)
    outputs = run(endpoint, **inputs)
    np.testing.assert_array_equal(outputs["p"], expected["p"])
    np.testing.assert_array_equal(outputs["q"], expected["q"])


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["my image"], ["my_image"]),
        (["日本"], ["input"]),
        (["été"], ["ete"]),
        (["日本", "語"], ["input_1", "input_2"]),
        (["a b", "a-b"], ["a_b_0", "a_b_1"]),
        (["X", "x"], ["X_0", "x_1"]),
        (["2x", "lambda", "self", "_y"], ["input_2x", "input_lambda", "input_self", "y"]),
        (["a b", "a-b", "a_b_0"], ["input_1", "input_2", "input_3"]),
    ],
)
def test_names_of_inputs_are_those_that_every_format_accepts(names, expected):
    inputs = [keras.Input((i + 2,), name=name) for i, name in enumerate(names)]
    endpoint = endpoints_of(keras.Model(inputs, keras.layers.Concatenate()([*inputs, inputs[0]])))
    endpoint = endpoint["serving_default"]
    assert list(endpoint.inputs) == expected
    assert [spec.shape[1] for spec in endpoint.inputs.values()] == [i + 2 for i in range(len(names))]
    select(keras.Sequential(), {"serving_default": endpoint}, "saved_model")  # accepts the names


@pytest.mark.filterwarnings("ignore:When providing `inputs` as a dict")
def test_keys_of_a_dict_of_inputs_are_their_names():
    given = {"b": keras.Input((3,), name="first"), "a": keras.Input((4,), name="second")}
    model = keras.Model(given, keras.layers.Dense(1)(given["b"]) + keras.layers.Dense(1)(given["a"]))
    endpoint = endpoints_of(model)["serving_default"]
    inputs = {"a": np.ones((2, 4), "float32"), "b": np.ones((2, 3), "float32")}
    assert {name: spec.shape[1] for name, spec in endpoint.inputs.items()} == {"a": 4, "b": 3}
    np.testing.assert_array_equal(run(endpoint, **inputs)["output"], model(inputs))


def test_an_output_never_has_the_name_of_an_input():
    x = keras.Input((4,), name="output")
    endpoint = endpoints_of(keras.Model(x, keras.layers.Dense(2)(x)))["serving_default"]
    assert list(run(endpoint, output=np.ones((2, 4), "float32"))) == ["output_1"]


def nested(bottleneck, depth=1):
    """A functional model whose bottleneck lies in a Sequential, which lies in others."""
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4), bottleneck, keras.layers.Dense(5)])
    for _ in range(depth - 1):
        inner = keras.Sequential([keras.Input((4,)), inner, keras.layers.Dense(5)])
    x = keras.Input((6,), name="x")
    return keras.Model(x, keras.layers.Dense(2)(inner(keras.layers.Dense(4)(x))))


@pytest.mark.parametrize("depth", [1, 3])
def test_a_bottleneck_in_a_nested_model_splits_the_graph(nearest_layer, depth):
    bottleneck = nearest_layer()
    model = nested(bottleneck, depth)
    x = np.random.default_rng(0).random((5, 6), "float32")
    for _ in range(2):  # the second time gives the same
        table = endpoints_of(model)
        assert list(table) == ["serving_default", "encode", "decode"]
        encoded = run(table["encode"], x=x)
        inner = model.layers[2]
        while not isinstance(inner.layers[0], keras.layers.Dense):
            inner = inner.layers[0]
        features = inner.layers[0](model.layers[1](x))
        np.testing.assert_array_equal(encoded["codes"], bottleneck.encode(features))
        decoded = run(table["decode"], codes=encoded["codes"])["reconstruction"]
        np.testing.assert_allclose(decoded, model(x), atol=1e-6)
        np.testing.assert_array_equal(run(table["serving_default"], x=x)["output"], model(x))
        np.testing.assert_allclose(
            table["encode"].margin(x=x), bottleneck.margin(features), rtol=1e-3
        )  # float32 differences
    assert table["serving_default"].margin is not None


def test_codes_that_a_nested_model_returns_are_those_of_encode(nearest_layer):
    y = keras.Input((4,))
    inner = keras.Model(y, nearest_layer()(y, return_codes=True))
    x = keras.Input((4,), name="x")
    embedding, codes = inner(x)
    model = keras.Model(x, [keras.layers.Dense(2)(embedding), codes])
    table = endpoints_of(model)
    inputs = np.random.default_rng(0).random((5, 4), "float32")
    reconstruction, codes = model(inputs)
    np.testing.assert_array_equal(run(table["encode"], x=inputs)["codes"], codes)
    np.testing.assert_array_equal(run(table["decode"], codes=codes)["reconstruction"], reconstruction)


def test_a_bottleneck_that_is_called_twice_does_not_split_the_graph(nearest_layer):
    bottleneck = nearest_layer()
    x, y = keras.Input((4,), name="x"), keras.Input((4,), name="y")
    assert list(endpoints_of(keras.Model([x, y], bottleneck(x) + bottleneck(y)))) == ["serving_default"]
    inner = keras.Sequential([keras.Input((4,)), nearest_layer()])
    assert list(endpoints_of(keras.Model([x, y], inner(x) + inner(y)))) == ["serving_default"]


def test_looked_up_inputs_are_drawn_from_the_vocabulary():
    text, number = keras.Input((2,), dtype="string", name="text"), keras.Input((1,), dtype="int64", name="n")
    words = keras.layers.StringLookup(vocabulary=["red", "green"])(text)
    numbers = keras.layers.IntegerLookup(vocabulary=[30, 40])(number)
    model = keras.Model([text, number], keras.layers.Concatenate()([words, numbers]))
    (case,) = make_cases(endpoints_of(model), batch_sizes=(30,))
    assert set(case.inputs["text"].ravel()) == {b"red", b"green", b"word"}
    assert set(case.inputs["n"].ravel()) == {30, 40, 41}
    assert set(case.expected["output"][:, :2].ravel()) == {0, 1, 2}  # 0: not in the vocabulary


def test_several_outputs_are_named_after_their_layers():
    x = keras.Input((4,))
    model = keras.Model(x, [keras.layers.Dense(1, name="score")(x), keras.layers.Dense(2, name="a-b")(x)])
    endpoint = endpoints_of(model)["serving_default"]
    assert list(endpoint.inputs) == ["input"]  # an automatic name would differ in the next process
    assert {name: value.shape for name, value in run(endpoint, input=np.ones((2, 4))).items()} == {
        "score": (2, 1),
        "a_b": (2, 2),
    }


def test_a_sequential_model_built_by_a_call_takes_any_batch():
    model = keras.Sequential([keras.layers.Dense(2)])
    model(np.zeros((5, 4)))
    endpoint = endpoints_of(model)["serving_default"]
    assert endpoint.inputs["input"].shape == (None, 4)
    assert make_cases({"serving_default": endpoint})


def test_the_graph_splits_at_one_bottleneck(picture_model):
    table = endpoints_of(picture_model)
    assert list(table) == ["serving_default", "encode", "decode"]
    image = np.random.default_rng(0).random((3, 8, 8, 1), "float32")
    encoded = run(table["encode"], image=image)
    assert encoded["codes"].dtype == np.int32 and encoded["codes"].shape == (3, 2, 2)
    codebook = np.asarray(picture_model.get_layer("nearest").codebook)
    np.testing.assert_array_equal(encoded["embedding"], codebook[encoded["codes"]])
    assert table["decode"].inputs["codes"] == tf.TensorSpec((None, 2, 2), tf.int32, name="codes")
    decoded = run(table["decode"], codes=encoded["codes"])["reconstruction"]
    # float32 rounding of one transposed convolution
    np.testing.assert_allclose(decoded, picture_model(image), atol=1e-6)


def test_the_margin_is_the_smallest_of_an_example(picture_model):
    image = np.random.default_rng(0).random((3, 8, 8, 1), "float32")
    convolution, bottleneck = picture_model.layers[1:3]
    distance = np.square(np.asarray(convolution(image))[..., None, :] - np.asarray(bottleneck.codebook)).sum(
        -1
    )
    best = np.sort(distance, axis=-1)
    expected = ((best[..., 1] - best[..., 0]) / best[..., 1]).reshape(3, -1).min(1)
    for name in ("serving_default", "encode"):
        margin = endpoints_of(picture_model)[name].margin(image=image)
        np.testing.assert_allclose(margin, expected, rtol=1e-4)  # differences of float32 sums
    assert endpoints_of(picture_model)["decode"].margin is None


def test_samples_for_decode_are_codes_the_encoder_gives(picture_model):
    endpoint = endpoints_of(picture_model)["decode"]
    codes = endpoint.sample({"codes": np.zeros((6, 2, 2), "int32")})["codes"]
    assert codes.shape == (6, 2, 2) and codes.max() < 7 and len(np.unique(codes)) > 1


def test_no_decode_where_an_output_needs_the_inputs_too(nearest_layer):
    x = keras.Input((4,), name="x")
    model = keras.Model(x, keras.layers.Dense(4)(nearest_layer()(x)) + x)
    assert list(endpoints_of(model)) == ["serving_default", "encode"]


def test_encode_takes_only_the_inputs_the_bottleneck_needs(nearest_layer):
    x, condition = keras.Input((4,), name="x"), keras.Input((2,), name="condition")
    model = keras.Model([x, condition], keras.layers.Concatenate()([nearest_layer()(x), condition]))
    table = endpoints_of(model)
    assert list(table["serving_default"].inputs) == ["x", "condition"]
    assert list(table["encode"].inputs) == ["x"]
    assert "decode" not in table


def test_codes_among_the_outputs_and_in_the_decoder(nearest_layer):
    x = keras.Input((4,), name="x")
    embedding, codes = nearest_layer()(x, return_codes=True)
    scale = ops.expand_dims(ops.cast(codes, "float32"), -1)
    model = keras.Model(x, [embedding * scale, codes])
    table = endpoints_of(model)
    inputs = np.random.default_rng(0).random((5, 4), "float32")
    reconstruction, codes = model(inputs)
    np.testing.assert_array_equal(run(table["decode"], codes=codes)["reconstruction"], reconstruction)


def test_two_bottlenecks_are_served_with_the_smaller_margin(nearest_layer):
    x = keras.Input((4,), name="x")
    model = keras.Model(x, nearest_layer(name="one")(x) + nearest_layer(name="two")(x * 2))
    table = endpoints_of(model)
    assert list(table) == ["serving_default"]
    inputs = np.random.default_rng(0).random((5, 4), "float32")
    one, two = model.get_layer("one"), model.get_layer("two")
    expected = np.minimum(one.margin(inputs), two.margin(inputs * 2))
    np.testing.assert_allclose(table["serving_default"].margin(x=inputs), expected, rtol=1e-4)


def test_reading_the_graph_leaves_the_metrics_of_the_bottleneck_alone(nearest_layer):
    class Counted(nearest_layer):
        def observe(self, x, embedding, codes, weights):
            self.record_terms({}, ops.sum(x))

    x = keras.Input((4,), name="x")
    model = keras.Model(x, Counted()(x))
    make_cases(endpoints_of(model))
    assert not model.losses


def test_a_model_that_says_nothing_is_refused_in_one_line():
    class Plain(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(InputError, match="Received: Plain. Pass `endpoints="):
        endpoints_of(Plain())


def test_selection_puts_serving_default_first_and_keeps_the_format(dense_model, endpoint_of):
    def double(x):
        return {"y": 2 * x}

    table = {
        "score": endpoint_of(double),
        "texts": endpoint_of(double, formats=("saved_model",)),
        "serving_default": endpoint_of(double),
    }
    assert list(select(dense_model, table, "saved_model")[1]) == ["serving_default", "score", "texts"]
    assert list(select(dense_model, table, "onnx")[1]) == ["serving_default", "score"]
    assert list(select(dense_model, ["serving_default"], "onnx")[1]) == ["serving_default"]


@pytest.mark.parametrize(
    ("endpoints", "message"),
    [
        (["encode"], r"endpoints must be among \['serving_default'\]. Received: \['encode'\]"),
        ({}, "whose formats include 'onnx'. Received: none"),
        ({"a b": Endpoint(dict, {})}, "must be a Python identifier. Received: 'a b'"),
        ({"a": Endpoint(dict, {"n": tf.TensorSpec((), "int32")})}, "whose axis 0 is the batch"),
        ({"a": Endpoint(dict, {})}, "`a` must have at least one input"),
        ({"a": Endpoint(dict, {"my x": X})}, r"`a` must have names of ASCII letters.* Received: \['my x'\]"),
        ({"a": Endpoint(dict, {"日本": X})}, "names of ASCII letters"),
        ({"a": Endpoint(dict, {"self": X})}, "but not Python keywords, `self` or `endpoint`"),
        ({"a": Endpoint(dict, {"x": X, "X": X})}, r"differ in more than case.* Received: \['x', 'X'\]"),
        ({"a": dict}, "endpoints must be a dict of models.Endpoint. Received: 'a': type"),
        (5, "endpoints must be a sequence of at least one value. Received: endpoints=5"),
        ([], "endpoints must be a sequence of at least one value"),
        ([None], r"endpoints must be among \['serving_default'\]. Received: \[None\]"),
        ({"a": Endpoint(dict, {"x": tf.TensorSpec((2, 4))})}, "whose axis 0 is the batch"),
    ],
)
def test_unusable_endpoints_are_refused(dense_model, endpoints, message):
    with pytest.raises(InputError, match=message) as caught:
        select(dense_model, endpoints, "onnx")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("export", [to_onnx, to_saved_model])
@pytest.mark.parametrize(
    ("model", "shown"),
    [(None, "None"), ("model.keras", "'model.keras'"), ({}, "dict"), (keras.Model, "type")],
)
def test_only_a_model_can_be_exported(export, model, shown, tmp_path):
    with pytest.raises(InputError, match=f"model must be a keras.Model. Received: {shown}.$"):
        export(model, tmp_path / "new")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "given",
    [{"batch_sizes": ()}, {"batch_sizes": 3}, {"batch_sizes": (0,)}, {"batch_sizes": (2.5,)}, {"lengths": ()}]
    + [{"lengths": (True,)}, {"lengths": "58"}],
)
@pytest.mark.parametrize("export", [to_onnx, to_saved_model])
def test_sizes_to_verify_are_positive_integers(export, given, dense_model, tmp_path):
    (name,) = given
    with pytest.raises(InputError, match=f"{name} must be .* Received: {name}=") as caught:
        export(dense_model, tmp_path / "new", **given)
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x, "it must return a dict of tensors"),
        (lambda x: {"y": tf.reduce_mean(x)}, r"must have the batch, 1, as axis 0. Received: shape \(\)"),
        (lambda x: {"y": tf.cast(x, tf.bfloat16)}, "Received: bfloat16. Cast it to float32"),
        (lambda x: {"y": tf.matmul(x, x)}, r"fails on sample inputs x \(1, 4\) \(InvalidArgumentError"),
        (lambda x: {"y": x + tf.random.normal((4,))}, "is not deterministic: two calls .* differ in `y`"),
        (lambda x: {"y": keras.random.randint(ops.shape(x), 0, 1000)}, "is not deterministic"),
    ],
)
def test_endpoints_that_cannot_be_verified_are_refused(endpoint_of, function, message):
    with pytest.raises(InputError, match=message) as caught:
        make_cases({"bad": endpoint_of(function)})
    assert "\n" not in str(caught.value)


def test_cases_cover_two_batches_and_two_lengths(sequence_model):
    cases = make_cases(endpoints_of(sequence_model))
    assert [(case.batch, case.length) for case in cases] == [(1, 5), (1, 8), (3, 5), (3, 8)]
    assert [case.inputs["x"].shape for case in cases] == [(1, 5, 3), (1, 8, 3), (3, 5, 3), (3, 8, 3)]


def test_lengths_that_may_differ_do_differ():
    inputs = {
        "content": tf.TensorSpec((None, None, 2)),
        "style": tf.TensorSpec((None, None, 2)),
        "style_lengths": tf.TensorSpec((None,), tf.int32),
    }
    endpoint = Endpoint(lambda content, style, style_lengths: {"y": content}, inputs)
    shapes = [
        (c.inputs["content"].shape[1], c.inputs["style"].shape[1]) for c in make_cases({"convert": endpoint})
    ]
    assert shapes == [(5, 8), (8, 5), (5, 8), (8, 5)]
