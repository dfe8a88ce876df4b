"""Encoders of every kind give the embedding that their maker meant."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae import InputError
from keras_ae.evaluation import embedding_report, load_encoder
from keras_ae.evaluation.encoders.examples import Examples
from keras_ae.evaluation.encoders.loading import embeddings_of, in_batches
from keras_ae.layers import VectorQuantizer
from keras_ae.models import AutoEncoder
from onnx_graphs import save_onnx
from small_models import two_level

X = np.random.default_rng(0).normal(size=(7, 4)).astype("float32")
W = np.random.default_rng(1).normal(size=(4, 2)).astype("float32")


def embedding_of(encoder, data=X, **options):
    return embeddings_of(load_encoder(encoder, **options), Examples(data))


def auto_encoder():
    parts = keras.layers.Dense(2), keras.layers.Dense(4)
    encoder, decoder = (
        keras.Sequential([keras.Input((size,)), part]) for size, part in zip((4, 2), parts, strict=True)
    )
    return AutoEncoder(encoder, decoder, VectorQuantizer(8))


def functional():
    x = keras.Input((4,))
    h = keras.layers.Dense(2, name="narrow")(x)
    return keras.Model(x, keras.layers.Dense(4)(VectorQuantizer(8)(h)))


def write_onnx(path, batch):
    helper = pytest.importorskip("onnx", exc_type=Exception).helper
    import onnx

    graph = helper.make_graph(
        [helper.make_node("MatMul", ["pixels", "w"], ["z"])],
        "g",
        [helper.make_tensor_value_info("pixels", onnx.TensorProto.FLOAT, [batch, 4])],
        [helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, [batch, 2])],
        [helper.make_tensor("w", onnx.TensorProto.FLOAT, W.shape, W.ravel())],
    )
    opset = [helper.make_opsetid("", 13)]
    path.write_bytes(helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString())
    return path


def write_saved_model(path, **functions):
    """Each function takes float vectors `x`, or what its `signature` says."""
    x = [tf.TensorSpec((None, 4), tf.float32, name="x")]
    signatures = {
        name: tf.function(function, input_signature=getattr(function, "signature", x))
        for name, function in functions.items()
    }
    tf.saved_model.save(tf.Module(), str(path), signatures=signatures)
    return path


def taking(spec, function):
    function.signature = [spec]
    return function


def test_a_function_is_called():
    np.testing.assert_allclose(embedding_of(lambda x: x @ W), X @ W, rtol=1e-6)


def test_a_model_of_ours_embeds_and_has_codes_and_a_decoder():
    model = auto_encoder()
    loaded = load_encoder(model)
    np.testing.assert_allclose(embedding_of(model), np.asarray(model.embed(X)), rtol=1e-6)
    np.testing.assert_array_equal(in_batches(loaded.codes, Examples(X))[0][""], model.encode(X))
    assert loaded.num_values == {"": 8}
    np.testing.assert_allclose(loaded.reconstruct(X), model.reconstruct(X), rtol=1e-6)
    assert load_encoder(loaded) is loaded


def test_each_level_of_a_model_has_codes_of_its_own():
    loaded, images = load_encoder(two_level()), np.zeros((3, 8, 8, 1), "float32")
    assert loaded.num_values == {"top": 4, "bottom": 4}
    shapes = {level: codes.shape for level, codes in loaded.codes(images).items()}
    assert shapes == {"top": (3, 1, 1), "bottom": (3, 2, 2)}  # an eighth and a quarter of the side


def test_a_functional_model_is_cut_at_its_bottleneck_or_at_a_layer():
    model = functional()
    loaded = load_encoder(model)
    h = keras.Model(model.input, model.get_layer("narrow").output)(X)
    bottleneck = model.layers[2]
    np.testing.assert_allclose(embedding_of(model), bottleneck(h), rtol=1e-6)
    np.testing.assert_array_equal(loaded.codes(X)[""], bottleneck.encode(h))
    np.testing.assert_allclose(loaded.reconstruct(X), model(X), rtol=1e-6)
    np.testing.assert_allclose(embedding_of(model, layer="narrow"), h, rtol=1e-6)
    with pytest.raises(InputError, match="layer must be a layer"):
        load_encoder(model, layer="wide")


def test_a_keras_file_and_the_directory_of_one_are_loaded(tmp_path):
    model = auto_encoder()
    model.save(tmp_path / "model.keras")
    for path in (tmp_path / "model.keras", tmp_path):
        np.testing.assert_allclose(embedding_of(path), np.asarray(model.embed(X)), rtol=1e-6)


def test_anybodys_onnx_file_works_with_batches_of_any_size_or_of_one(tmp_path):
    for name, batch in (("free", "batch"), ("fixed", 3)):
        path = write_onnx(tmp_path / f"{name}.onnx", batch)
        np.testing.assert_allclose(embedding_of(path), X @ W, rtol=1e-5)
    with pytest.raises(InputError, match="must have an endpoint `encode`"):
        load_encoder(tmp_path)
    np.testing.assert_allclose(embedding_of(tmp_path, endpoint="free"), X @ W, rtol=1e-5)


def test_a_saved_model_is_read_at_encode_and_decoded(tmp_path):
    folder = tmp_path / "model" / "3"
    write_saved_model(
        folder,
        encode=lambda x: {"embedding": x, "codes": tf.cast(x > 0, tf.int32)},
        decode=lambda x: {"reconstruction": 2.0 * x},
        score=lambda x: {"score": x[:, 0]},
    )
    loaded = load_encoder(tmp_path / "model")
    assert loaded.kind == "SavedModel"
    np.testing.assert_array_equal(embedding_of(tmp_path / "model"), X)
    np.testing.assert_array_equal(loaded.codes(X)[""], X > 0)
    with pytest.raises(InputError) as caught:
        loaded.reconstruct(X)
    assert str(caught.value) == (
        "The inputs of `decode` must be outputs of the encoder, ['codes', 'embedding']. Received: ['x']. "
        "Pass decode=, a function from embeddings to reconstructions."
    )
    mirrored = load_encoder(tmp_path / "model", decode=lambda z: z[:, ::-1])
    np.testing.assert_array_equal(mirrored.reconstruct(X), X[:, ::-1])


def test_the_codes_of_a_saved_model_are_decoded(tmp_path):
    codes = tf.TensorSpec((None, 4), tf.int32, name="codes")
    write_saved_model(
        tmp_path,
        encode=lambda x: {"embedding": x, "codes": tf.cast(x > 0, tf.int32)},
        decode=taking(codes, lambda codes: {"reconstruction": 2.0 * tf.cast(codes, tf.float32) - 1.0}),
    )
    np.testing.assert_array_equal(load_encoder(tmp_path).reconstruct(X), np.where(X > 0, 1.0, -1.0))


def test_an_embedding_that_is_chosen_by_its_name_keeps_its_codes(tmp_path):
    codes = tf.TensorSpec((None, 4), tf.int32, name="codes")
    write_saved_model(
        tmp_path / "one",
        encode=lambda x: {"embedding": x, "codes": tf.cast(x > 0, tf.int32), "other": 2.0 * x},
        decode=taking(codes, lambda codes: {"reconstruction": 2.0 * tf.cast(codes, tf.float32) - 1.0}),
    )
    for name, factor in (("embedding", 1), ("other", 2)):
        loaded = load_encoder(tmp_path / "one", output_name=name)
        np.testing.assert_array_equal(loaded.embed(X), factor * X)
        np.testing.assert_array_equal(loaded.reconstruct(X), np.where(X > 0, 1.0, -1.0))
        assert (loaded.codes is None) == (name == "other")  # codes belong to the embedding alone
    np.testing.assert_array_equal(load_encoder(tmp_path / "one", output_name="embedding").codes(X)[""], X > 0)
    levels = {"top": 1, "bottom": -1}
    write_saved_model(
        tmp_path / "two",
        encode=lambda x: (
            {f"{level}_embedding": sign * x for level, sign in levels.items()}
            | {f"{level}_codes": tf.cast(sign * x > 0, tf.int32) for level, sign in levels.items()}
        ),
    )
    loaded = load_encoder(tmp_path / "two", output_name="bottom_embedding")
    np.testing.assert_array_equal(loaded.embed(X), -X)
    assert list(loaded.codes(X)) == ["bottom"]
    assert set(load_encoder(tmp_path / "two").codes(X)) == set(levels)


def test_the_reconstruction_is_found_by_its_name_among_several_outputs(tmp_path):
    embedding = tf.TensorSpec((None, 4), tf.float32, name="embedding")
    outputs = {"zeros": lambda z: 0.0 * z, "reconstruction": lambda z: 2.0 * z, "a": lambda z: 3.0 * z}
    write_saved_model(
        tmp_path / "named",
        encode=lambda x: {"embedding": x},
        decode=taking(embedding, lambda embedding: {name: f(embedding) for name, f in outputs.items()}),
    )
    np.testing.assert_array_equal(load_encoder(tmp_path / "named").reconstruct(X), 2.0 * X)
    write_saved_model(
        tmp_path / "unknown",
        encode=lambda x: {"embedding": x},
        decode=taking(embedding, lambda embedding: {"b": embedding, "a": -embedding}),
    )
    match = "must have an output `reconstruction`.*Received: a, b. Pass decode="
    with pytest.raises(InputError, match=match):
        load_encoder(tmp_path / "unknown").reconstruct(X)


def test_embeddings_of_several_levels_are_joined_and_outputs_without_a_name_are_refused(tmp_path):
    write_saved_model(
        tmp_path / "levels",
        encode=lambda x: {"top_embedding": x[:, :1], "bottom_embedding": tf.reshape(2.0 * x, (-1, 2, 2))},
    )
    np.testing.assert_array_equal(embedding_of(tmp_path / "levels"), np.hstack([X[:, :1], 2 * X]))
    write_saved_model(tmp_path / "unknown", encode=lambda x: {"a": x, "b": 2 * x})
    message = "must have an output `embedding`, or only one output. Received: a, b. Choose one by output_name"
    with pytest.raises(InputError, match=message):
        embedding_of(tmp_path / "unknown")


def test_a_saved_model_of_sentences_reads_strings_and_vectors_need_no_lengths(tmp_path):
    text = tf.TensorSpec((None,), tf.string, name="text")
    lengths = taking(text, lambda text: {"z": tf.cast(tf.strings.length(text), tf.float32)[:, None]})
    write_saved_model(tmp_path / "text", encode=lengths)
    for sentences in (["a", "dög", ""], [b"a", "dög".encode(), b""]):
        assert embedding_of(tmp_path / "text", sentences).tolist() == [[1], [4], [0]]  # bytes of UTF-8
    assert load_encoder(tmp_path / "text").embed(np.array(["a b"], object)).tolist() == [[3]]
    write_saved_model(tmp_path / "x", encode=lambda x: {"embedding": x})
    with pytest.raises(InputError, match=r"must be \['x'\]. Received: \['lengths', 'x'\]"):
        embedding_of(tmp_path / "x", {"x": X[..., None], "lengths": np.full(7, 4)})


def test_the_only_signature_of_a_saved_model_is_taken(tmp_path):
    write_saved_model(tmp_path / "one", serving_default=lambda x: {"z": x[:, :2]})
    np.testing.assert_array_equal(embedding_of(tmp_path / "one"), X[:, :2])
    write_saved_model(tmp_path / "serve", serve=lambda x: {"z": x}, serving_default=lambda x: {"z": 3 * x})
    np.testing.assert_array_equal(embedding_of(tmp_path / "serve"), 3 * X)  # as Keras exports
    write_saved_model(tmp_path / "two", a=lambda x: {"z": x}, b=lambda x: {"z": 2 * x})
    with pytest.raises(InputError, match="Received: a, b"):
        load_encoder(tmp_path / "two")


@pytest.mark.parametrize("names", [("encode", "serving_default"), ("decode", "encode", "serving_default")])
@pytest.mark.parametrize("kind", ["SavedModel", "ONNX file"])
def test_encode_is_taken_of_the_usual_endpoints(tmp_path, kind, names):
    """Also without another endpoint, as in the exports of functional models that end at a bottleneck."""
    if kind == "SavedModel":
        signs = {name: tf.constant(1.0 if name == "encode" else -1.0) for name in names}
        write_saved_model(tmp_path, **{n: lambda x, n=n: {"z": signs[n] * x} for n in names})
    else:
        spec = ("float32", (None, 4))
        for name in names:
            node = ("Identity" if name == "encode" else "Neg", ["x"], ["z"], {})
            save_onnx(tmp_path / f"{name}.onnx", [node], {"x": spec}, {"z": spec}, {})
    assert load_encoder(tmp_path).kind == kind
    np.testing.assert_array_equal(embedding_of(tmp_path), X)
    np.testing.assert_array_equal(embedding_of(tmp_path, endpoint="serving_default"), -X)


def test_what_is_no_encoder_is_refused(tmp_path):
    (tmp_path / "broken.keras").write_text("no")
    (tmp_path / "broken.onnx").write_text("no")
    for path in (tmp_path / "none", tmp_path, tmp_path / "broken.keras", tmp_path / "broken.onnx"):
        with pytest.raises(InputError, match="does not exist|is not a readable"):
            load_encoder(path)
    with pytest.raises(InputError, match="encoder must be a model"):
        load_encoder(3)


def test_options_without_a_meaning_for_an_encoder_are_refused(tmp_path):
    model = functional()
    model.save(tmp_path / "model.keras")
    saved = write_saved_model(tmp_path / "saved", encode=lambda x: {"embedding": x})
    file = write_onnx(tmp_path / "file.onnx", "batch")
    for encoder, kind in ((saved, "saved"), (file, "file.onnx"), (lambda x: x, "a function")):
        with pytest.raises(InputError, match=f"layer must be used only with .* Received: .*{kind}"):
            load_encoder(encoder, layer="narrow")
    for encoder in (model, tmp_path / "model.keras", file, lambda x: x):
        with pytest.raises(InputError, match="endpoint must be used only with a SavedModel or"):
            load_encoder(encoder, endpoint="encode")
    with pytest.raises(InputError, match="layer and output_name must not be given together. Received:"):
        load_encoder(model, layer="narrow", output_name="dense")


def test_data_of_another_scale_than_that_of_the_encoder_are_refused():
    model = auto_encoder()
    model.preprocessing = {"modality": "values", "value_range": (0, 1)}
    with pytest.raises(InputError, match=r"data must lie in \[0, 1\]. Received: values in \[-"):
        embedding_of(model)
    assert embedding_of(model, np.clip(X, 0, 1)).shape == (7, 2)


def test_stored_pixels_are_no_inputs_of_an_artifact(tmp_path):
    write_saved_model(tmp_path, encode=lambda x: {"embedding": x @ W})
    with pytest.raises(InputError, match="`x` of the encoder must be float32. Received: dtype uint8, as pix"):
        embedding_of(tmp_path, np.zeros((3, 4), "uint8"))


def test_an_artifact_tells_the_range_of_its_inputs(tmp_path):
    write_saved_model(tmp_path, encode=lambda x: {"embedding": x @ W})
    known = {"modality": "values", "value_range": [-1, 1]}
    (tmp_path / "manifest.json").write_text(json.dumps({"preprocessing": known}))
    assert load_encoder(tmp_path).preprocessing.value_range == (-1, 1)
    with pytest.raises(InputError, match=r"data must lie in \[-1, 1\]"):
        embedding_of(tmp_path, 10 * X)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(InputError, match="manifest.json is damaged"):
        load_encoder(tmp_path)


def test_a_report_states_how_the_data_reach_the_encoder(tmp_path):
    """In words, with the range that an exported encoder declares."""
    write_saved_model(tmp_path, encode=lambda x: {"embedding": x @ W})
    data = np.tile(np.clip(X, -1, 1), (6, 1))
    stated = embedding_report(tmp_path, data, path=None, pairs=False, verbose=False)["encoder"]["inputs"]
    assert stated == {"text": "The data are passed to the encoder as they are."}
    known = {"modality": "values", "value_range": [-1, 1]}
    (tmp_path / "manifest.json").write_text(json.dumps({"preprocessing": known}))
    stated = embedding_report(tmp_path, data, path=None, pairs=False, verbose=False)["encoder"]["inputs"]
    assert stated["text"].endswith("They lie in [-1, 1], the range that it declares.")
    assert stated["value_range"] == [-1, 1]


def test_a_model_of_keras_has_its_own_name_and_not_that_of_its_class(tmp_path):
    named = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="city_classifier")
    unnamed = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    for model, file in ((named, "a.keras"), (unnamed, "b.keras")):
        model.save(tmp_path / file)
    names = [load_encoder(encoder).name for encoder in (named, tmp_path / "a.keras", tmp_path / "b.keras")]
    assert names == ["city_classifier", "city_classifier (a.keras)", "b.keras"]
    assert load_encoder(auto_encoder()).name == "AutoEncoder"
