"""Encoders of texts and of waveforms made by other tools: tokenizers, masks, sample rates."""

import keras
import numpy as np
import pytest

from keras_ae import InputError
from keras_ae.evaluation import load_encoder
from keras_ae.evaluation.encoders.examples import Examples
from keras_ae.evaluation.encoders.loading import embeddings_of
from loaded_embeddings import embedding_of
from onnx_graphs import save_onnx

GENERATOR = np.random.default_rng(0)
TABLE = GENERATOR.normal(size=(9, 3)).astype("float32")
WORDS = ["", "the", "cat", "sat", "on", "mat", "dog", "ran"]
TEXTS = ["the cat sat on the mat", "dog", "the dog ran"]


def numbers(text):
    return [WORDS.index(word) for word in text.split()]


def text_encoder(path, positions=None):
    """Vectors of tokens, and their sum with the first position twice."""
    return save_onnx(
        path,
        [
            ("Gather", ["table", "input_ids"], ["vectors"], {}),
            ("Cast", ["attention_mask"], ["real"], {"to": 1}),
            ("Unsqueeze", ["real", "two"], ["column"], {}),
            ("Mul", ["vectors", "column"], ["last_hidden_state"], {}),
            ("ReduceSum", ["last_hidden_state", "one"], ["pooler_output"], {"keepdims": 0}),
        ],
        {
            "input_ids": ("int64", ("batch", positions)),
            "attention_mask": ("int64", ("batch", positions)),
            "token_type_ids": ("int64", ("batch", positions)),
        },
        {
            "last_hidden_state": ("float32", ("batch", positions, 3)),
            "pooler_output": ("float32", ("batch", 3)),
        },
        {"table": TABLE, "one": np.array([1]), "two": np.array([2])},
    )


def test_texts_become_ids_and_a_mask_by_a_tokenizer(tmp_path):
    path = text_encoder(tmp_path / "model.onnx")
    rows = [TABLE[numbers(text)] for text in TEXTS]
    mean, total = np.array([row.mean(axis=0) for row in rows]), np.array([row.sum(axis=0) for row in rows])

    def as_lists(texts):
        return [numbers(text) for text in texts]

    def as_arrays(texts):
        ids = [numbers(text) for text in texts]
        longest = max(map(len, ids))
        mask = [[1] * len(row) + [0] * (longest - len(row)) for row in ids]
        padded = [row + [8] * (longest - len(row)) for row in ids]  # any number: it is masked
        return {"input_ids": padded, "attention_mask": mask, "special": mask}

    for tokenizer in (as_lists, as_arrays):
        options = {"tokenizer": tokenizer, "output_name": "last_hidden_state"}
        np.testing.assert_allclose(embedding_of(path, TEXTS, **options), mean, rtol=1e-5)
        options["output_name"] = "pooler_output"
        np.testing.assert_allclose(embedding_of(path, TEXTS, **options), total, rtol=1e-5)
    with pytest.raises(InputError, match="Received: last_hidden_state, pooler_output. Choose one by output"):
        embedding_of(path, TEXTS, tokenizer=as_lists)
    fixed = text_encoder(tmp_path / "fixed.onnx", 6)
    options = {"tokenizer": as_lists, "output_name": "pooler_output"}
    np.testing.assert_allclose(embedding_of(fixed, TEXTS, **options), total, rtol=1e-5)
    with pytest.raises(InputError, match="at most 6 ids for a text, .* Received: 8. Truncate them"):
        embedding_of(fixed, [TEXTS[0] + " dog ran"], **options)


def test_a_keras_model_gets_arrays_of_a_tokenizer_in_the_order_of_its_inputs():
    """Here the type ids, which the tokenizer leaves out, come before the mask."""
    names = ["input_ids", "token_type_ids", "attention_mask"]
    ids, types, mask = (keras.Input((None,), dtype="int32", name=name) for name in names)
    z = keras.ops.stack([keras.ops.sum(one, axis=1) for one in (ids, types, mask)], axis=1)
    model = keras.Model([ids, types, mask], z)
    arrays = {"attention_mask": [[1, 1, 0]], "input_ids": [[4, 5, 7]]}
    found = embedding_of(model, ["a b"], tokenizer=lambda texts: arrays)
    assert found.tolist() == [[16, 0, 2]]


PADDED = {"ids": [[3, 5, 8], [1, 8, 8]]}
MASK = [[1, 1, 0], [1, 0, 0]]


@pytest.mark.parametrize(
    ("inputs", "arrays"),
    [
        (["ids", "lengths"], {**PADDED, "lengths": [2, 1]}),
        (["ids", "lengths"], {**PADDED, "lengths": [2, 1], "special_tokens_mask": [[1, 0, 0], [0, 0, 1]]}),
        (["ids"], {**PADDED, "attention_mask": MASK, "special_tokens_mask": [[1, 0, 0], [0, 0, 1]]}),
        (["ids"], {**PADDED, "length": [2, 1]}),
        (["ids"], {"ids": [[3, 5], [1]]}),
    ],
    ids=["lengths", "lengths, not a mask of another kind", "other mask", "other lengths", "rows of ids"],
)
def test_padding_of_a_tokenizer_is_no_part_of_an_embedding(tmp_path, inputs, arrays):
    nodes = [("Gather", ["table", "ids"], ["vectors"], {})]
    nodes += [("Identity", ["lengths"], ["count"], {})] * (len(inputs) - 1)
    specs = {"ids": ("int64", (None, None)), "lengths": ("int64", (None,))}
    outputs = {"vectors": ("float32", (None, None, 3))}
    given = {name: specs[name] for name in inputs}
    path = save_onnx(tmp_path / "model.onnx", nodes, given, outputs, {"table": TABLE})
    expected = [TABLE[[3, 5]].mean(axis=0), TABLE[1]]
    found = embedding_of(path, ["a b", "c"], tokenizer=lambda texts: arrays)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("tokenizer", "message"),
    [
        (lambda texts: [[0.5]] * len(texts), "must return a list of integers for each text"),
        (lambda texts: [[1]], "must return a list of integers for each text, .* list of 1 for 3 texts"),
        (
            lambda texts: {"input_ids": [[1, 2]] * len(texts), "attention_mask": [[1]] * len(texts)},
            r"a mask with one number for each id. Received: attention_mask \(3, 1\) for ids \(3, 2\)",
        ),
        (lambda texts: {"ids": [[1]] * len(texts)}, "inputs of the encoder, input_ids, .* Received: ids"),
        ("words.txt", "must be a function from a list of str to ids, or the path of a tokenizer.json"),
        ("none.json", "tokenizer must be an existing file. Received: none.json"),
    ],
)
def test_bad_tokenizers_are_refused(tmp_path, tokenizer, message):
    path = text_encoder(tmp_path / "model.onnx")
    with pytest.raises(InputError, match=message):
        embedding_of(path, TEXTS, tokenizer=tokenizer, output_name="pooler_output")


def test_a_file_of_the_package_tokenizers_is_a_tokenizer(tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    words = {word or "[PAD]": number for number, word in enumerate(WORDS)}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[PAD]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.enable_padding(length=12)  # of no effect
    made.save(str(tmp_path / "tokenizer.json"))
    options = {"tokenizer": tmp_path / "tokenizer.json", "output_name": "last_hidden_state"}
    expected = [TABLE[numbers(text)].mean(axis=0) for text in TEXTS]
    path = text_encoder(tmp_path / "model.onnx")
    np.testing.assert_allclose(embedding_of(path, TEXTS, **options), expected, rtol=1e-5)
    assert "by the tokenizer tokenizer.json" in load_encoder(path, **options).conversion.describe()["text"]


def test_a_keras_model_of_ids_without_a_mask_reads_no_padding():
    ids = keras.Input((None,), dtype="int32")
    vectors = keras.layers.Embedding(9, 3)(ids)
    model = keras.Model(ids, keras.layers.GlobalAveragePooling1D()(vectors))
    table = model.layers[1].get_weights()[0]
    found = embedding_of(model, TEXTS, tokenizer=lambda texts: [numbers(text) for text in texts])
    np.testing.assert_allclose(found, [table[numbers(text)].mean(axis=0) for text in TEXTS], rtol=1e-5)


def waveform_encoder(path, nodes, inputs, outputs, **constants):
    filters = GENERATOR.normal(size=(2, 1, 4)).astype("float32")
    constants |= {"filters": filters, "one": np.array([1])}
    return save_onnx(path, nodes, inputs, outputs, constants), filters[:, 0]


CONVOLUTION = ("Conv", ["wave", "filters"], ["frames"], {"strides": [2]})


def frames_of(wave, filters):
    return np.array([filters @ wave[start : start + 4] for start in range(0, len(wave) - 3, 2)])


def waveforms(*lengths):
    parts = [GENERATOR.normal(size=length).astype("float32") for length in lengths]
    x = np.full((len(parts), max(lengths)), 9.0, "float32")  # padding that must not be read
    for row, part in zip(x, parts, strict=True):
        row[: len(part)] = part
    return parts, {"x": x, "lengths": np.array(lengths)}


def test_waveforms_are_read_without_padding_where_the_encoder_has_no_mask(tmp_path):
    path, filters = waveform_encoder(
        tmp_path / "model.onnx",
        [CONVOLUTION],
        {"wave": ("float32", ("batch", 1, None))},
        {"frames": ("float32", ("batch", 2, None))},
    )
    parts, data = waveforms(20, 12, 20, 31)
    frames = [frames_of(part, filters) for part in parts]
    expected = [np.concatenate([one.mean(axis=0), one.std(axis=0)]) for one in frames]
    found = embedding_of(path, data, sample_rate=8000)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    found = embedding_of(path, data, "mean", sample_rate=8000)
    np.testing.assert_allclose(found, np.array(expected)[:, :2], rtol=1e-4, atol=1e-5)
    loaded = load_encoder(path, sample_rate=8000)
    assert loaded.preprocessing.sample_rate == 8000
    assert loaded.conversion.describe()["text"].startswith("Waveforms at 8,000 Hz are passed without padding")
    with pytest.raises(InputError, match="sampled at 8000 Hz, the rate of the encoder. Received: 16000 Hz"):
        embeddings_of(loaded, Examples(data, 16_000))


@pytest.mark.parametrize("last", [False, True], ids=["features first", "features last"])
def test_frames_of_fixed_shape_are_pooled_over_time(tmp_path, last):
    nodes, shape = [CONVOLUTION, ("Relu", ["frames"], ["active"], {})], (1, 2, 9)
    if last:
        nodes += [("Transpose", ["active"], ["turned"], {"perm": [0, 2, 1]})]
        nodes += [("Add", ["turned", "shift"], ["z"], {})]
        shape = (1, 9, 2)
    outputs = {"z" if last else "active": ("float32", shape)}
    inputs = {"wave": ("float32", (1, 1, 20))}
    path, filters = waveform_encoder(
        tmp_path / "model.onnx", nodes, inputs, outputs, shift=np.zeros(2, "float32")
    )
    parts, data = waveforms(20, 20)
    expected = [np.maximum(frames_of(part, filters), 0).mean(axis=0) for part in parts]
    found = embedding_of(path, data, "mean", sample_rate=8000)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_waveforms_come_with_their_mask_or_in_a_fixed_length(tmp_path):
    both = {"input_values": ("float32", ("batch", None)), "attention_mask": ("int32", ("batch", None))}
    nodes = [
        ("Cast", ["attention_mask"], ["real"], {"to": 1}),
        ("Mul", ["input_values", "real"], ["kept"], {}),
        ("ReduceSum", ["kept", "one"], ["z"], {"keepdims": 1}),
    ]
    path, _ = waveform_encoder(tmp_path / "mask.onnx", nodes, both, {"z": ("float32", ("batch", 1))})
    parts, data = waveforms(5, 3)
    expected = [[part.sum()] for part in parts]
    np.testing.assert_allclose(embedding_of(path, data, sample_rate=8000), expected, rtol=1e-4)
    np.testing.assert_allclose(embedding_of(path, data), expected, rtol=1e-4)  # named by their meaning
    inputs = {"wave": ("float32", (None, 4))}
    nodes = [("ReduceSum", ["wave", "one"], ["z"], {"keepdims": 1})]
    path, _ = waveform_encoder(tmp_path / "fixed.onnx", nodes, inputs, {"z": ("float32", ("batch", 1))})
    cut = embedding_of(path, {**data, "x": np.where(data["x"] == 9, 0, data["x"])}, sample_rate=8000)
    np.testing.assert_allclose(cut, [[parts[0][:4].sum()], [parts[1].sum()]], rtol=1e-4)
    assert (
        "cut or padded with zeros to 4 samples"
        in load_encoder(path, sample_rate=8000).conversion.describe()["text"]
    )
