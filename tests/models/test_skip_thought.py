"""Skip-Thought: its objective word by word, what its decoders share, what it learns, and how it writes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae import InputError
from keras_ae.models import SkipThought
from keras_ae.networks import bag_of_words_encoder, recurrent_sentence_encoder

RNG = np.random.default_rng(0)
LETTERS = list("abcdefgh")
NUM_WORDS = 2 + len(LETTERS)
MAX_WORDS = 5
LENGTHS = {"lengths": [4, 1, 6], "previous_lengths": [2, 5, 3], "next_lengths": [6, 1, 4]}
TRIPLES = {
    **{name: RNG.integers(1, NUM_WORDS, (3, 7)).astype("int32") for name in ("ids", "previous", "next")},
    **{name: np.array(lengths, "int32") for name, lengths in LENGTHS.items()},
}


def made(dim=6, vocabulary=LETTERS, **options):
    keras.utils.set_random_seed(0)
    encoder = recurrent_sentence_encoder(NUM_WORDS, dim, embedding_dim=3)
    model = SkipThought(encoder, vocabulary, max_target_words=MAX_WORDS, **options)
    for weight in model.trainable_variables:  # far from zero, so that every part is seen
        weight.assign(RNG.normal(size=weight.shape) / 2)
    if model.normalization is not None:
        model.normalization.moving_mean.assign(RNG.normal(size=dim))
        model.normalization.moving_variance.assign(RNG.uniform(0.5, 2, dim))
    return model


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def next_state(layer, x, h, vector):
    z, r, c = np.split(x @ np.asarray(layer.kernel) + np.asarray(layer.bias), 3)
    if layer.condition is not None:
        z, r, c = np.split(np.concatenate([z, r, c]) + vector @ np.asarray(layer.condition), 3)
    u_z, u_r, u_c = np.split(np.asarray(layer.cell.recurrent_kernel), 3, axis=1)
    z, r = sigmoid(z + h @ u_z), sigmoid(r + h @ u_r)
    return z * h + (1 - z) * np.tanh(c + r * (h @ u_c))


def log_probabilities(model, name, vector, words):
    """Of every word after those before it, `(words + 1, vocabulary)`, in float64."""
    layer, table = model.decoders[name], np.asarray(model.word_vectors().embeddings, "float64")
    kernel, bias = np.asarray(model.softmax.kernel, "float64"), np.asarray(model.softmax.bias)
    if layer.condition is not None:
        h = np.zeros(layer.units)
    elif layer.projection is None:
        h = vector
    else:
        weights, offset = layer.projection.get_weights()
        h = np.tanh(vector @ weights + offset)
    rows = []
    for x in [np.zeros(3), *table[list(words)]]:
        h = next_state(layer, x, h, vector)
        logits = kernel @ h + bias
        rows.append(logits - np.log(np.exp(logits).sum()))
    return np.array(rows)


def condition_by_hand(model, vectors):
    if not model.use_vector:
        return np.zeros_like(vectors)
    if model.normalization is None:
        return vectors
    mean, variance = model.normalization.get_weights()
    return (vectors - mean) / np.sqrt(variance + 0.001)


def by_hand(model, name, triples=TRIPLES):
    """Nats of each predicted word of the sentences `name`, a list for each triple."""
    key = {"previous": "previous", "next": "next", "this": "ids"}[name]
    lengths = triples["lengths" if name == "this" else f"{name}_lengths"]
    vectors = np.asarray(model.encode({"ids": triples["ids"], "lengths": triples["lengths"]}), "float64")
    vectors = condition_by_hand(model, vectors)
    result = []
    for vector, ids, length in zip(vectors, triples[key], lengths, strict=True):
        words = list(ids[: min(length, MAX_WORDS)])
        rows = log_probabilities(model, name, vector, words)
        targets = [*words, 0] if length < MAX_WORDS else words  # a cut sentence has no end
        result.append([-rows[t, word] for t, word in enumerate(targets)])
    return result


OPTIONS = [
    {},
    {"conditioning": "every_step"},
    {"units": 4},
    {"units": 4, "conditioning": "every_step", "decoders": ("this",)},
    {"batch_normalization": False},
    {"use_vector": False},
]


def terms_of(model, weights=None, triples=TRIPLES):
    for metric in model.perplexities.values():
        metric.reset_state()
    return model.compute_terms(triples, None, weights, training=False, player="model")


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_loss_is_that_of_every_word_written_out(options):
    model = made(**options)
    terms, total = terms_of(model), 0
    for name in model.decoders:
        nats = by_hand(model, name)
        total += sum(np.concatenate(nats)) / 3
        np.testing.assert_allclose(terms[f"{name}_loss"], sum(np.concatenate(nats)) / 3, rtol=1e-4)
        perplexity = np.exp(np.mean(np.concatenate(nats)))
        np.testing.assert_allclose(model.perplexities[name].result(), perplexity, rtol=1e-4)
    np.testing.assert_allclose(terms["loss"], total, rtol=1e-4)
    assert set(terms) == {"loss", *(f"{name}_loss" for name in model.decoders)}


def test_what_the_vectors_of_a_batch_have_in_common_is_no_part_of_the_condition():
    model, weights = made(), np.float32([1, 1, 1, 0])
    vectors = RNG.normal(size=(4, 6)).astype("float32")
    condition = np.asarray(model.condition(vectors, weights, training=True))
    np.testing.assert_allclose(condition[:3].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(model.condition(vectors + 3, weights, training=True), condition, atol=1e-5)
    with tf.GradientTape() as tape:  # the gradient of one bias for all
        bias = tf.Variable(tf.zeros((6,)))
        loss = tf.reduce_sum(tf.sin(model.condition(vectors + bias, weights, training=True)[:3]))
    np.testing.assert_allclose(tape.gradient(loss, bias), 0, atol=1e-5)


def test_the_former_name_of_condition_works_and_warns():
    model, vectors = made(), RNG.normal(size=(4, 6)).astype("float32")
    with pytest.warns(DeprecationWarning, match="is now SkipThought.condition"):
        found = model.told(vectors)
    np.testing.assert_array_equal(found, model.condition(vectors))


def test_sample_weights_weight_the_triples():
    model, weights = made(), np.float32([0.5, 2, 0])
    terms = terms_of(model, weights)
    nats = by_hand(model, "next")
    expected = np.average([sum(words) for words in nats], weights=weights)
    np.testing.assert_allclose(terms["next_loss"], expected, rtol=1e-4)
    words = np.repeat(weights, [len(words) for words in nats])
    perplexity = np.exp(np.average(np.concatenate(nats), weights=words))
    np.testing.assert_allclose(model.perplexities["next"].result(), perplexity, rtol=1e-4)


def test_padding_is_not_read_wherever_it_comes_from():
    model = made()
    longer = {
        name: np.pad(value, ((0, 0), (0, 3)), constant_values=7) if value.ndim == 2 else value
        for name, value in TRIPLES.items()
    }
    np.testing.assert_allclose(terms_of(model, triples=longer)["loss"], terms_of(model)["loss"], rtol=1e-6)
    without = {name: value.copy() for name, value in TRIPLES.items() if value.ndim == 2}
    for name in without:
        lengths = TRIPLES["lengths" if name == "ids" else f"{name}_lengths"]
        without[name][np.arange(7) >= lengths[:, None]] = 0
    np.testing.assert_allclose(terms_of(model, triples=without)["loss"], terms_of(model)["loss"], rtol=1e-6)


@pytest.mark.slow
def test_perplexity_of_an_evaluation_does_not_depend_on_the_batches():
    model = made(decoders=("next",))
    model.compile()
    one, three = (model.evaluate(TRIPLES, batch_size=size, verbose=0, return_dict=True) for size in (1, 3))
    for name in ("next_perplexity", "loss"):
        assert one[name] == pytest.approx(three[name], rel=1e-5)


def test_encoder_and_decoders_share_word_vectors_and_softmax():
    model = made()
    sizes = sorted(tuple(weight.shape) for weight in model.trainable_variables)
    assert sizes.count((NUM_WORDS, 3)) == 1  # word vectors
    assert sizes.count((NUM_WORDS, 6)) == 1  # softmax
    assert len({id(weight) for weight in model.trainable_variables}) == len(sizes)


# what it learns


def chain(count=240):
    """Each of four sentences is followed by the next one, the last by the first."""
    sentences = np.array([[2, 3, 4, 0], [5, 2, 0, 0], [6, 7, 3, 2], [8, 0, 0, 0]], "int32")
    lengths = np.array([3, 2, 4, 1], "int32")
    this = np.random.default_rng(0).integers(0, 4, count)
    triples = {}
    for name, shift in (("", 0), ("previous_", -1), ("next_", 1)):
        rows = (this + shift) % 4
        triples |= {name.rstrip("_") or "ids": sentences[rows], f"{name}lengths": lengths[rows]}
    return triples


TEXTS = ["a b c", "d a", "e f b a", "g"]


def trained(epochs=12, **options):
    keras.utils.set_random_seed(0)
    encoder = recurrent_sentence_encoder(NUM_WORDS, 16, embedding_dim=8)
    model = SkipThought(encoder, LETTERS, max_target_words=MAX_WORDS, **options)
    model.compile(keras.optimizers.Adam(0.02))
    triples = chain()
    history = model.fit(triples, batch_size=20, epochs=epochs, validation_data=(triples,), verbose=0)
    return model, {name: values[-1] for name, values in history.history.items()}


@pytest.fixture(scope="module")
def writer():
    return trained(decoders=("previous", "this", "next"))


@pytest.mark.slow
def test_the_neighbours_are_written(writer):
    model, results = writer
    assert results["val_next_perplexity"] < 1.05 and results["val_previous_perplexity"] < 1.05
    vectors = model.encode(TEXTS)
    for beam_size in (1, 3):
        options = {"beam_size": beam_size}
        assert model.decode(vectors, **options) == [*TEXTS[1:], TEXTS[0]]
        assert model.decode(vectors, decoder="previous", **options) == [TEXTS[-1], *TEXTS[:-1]]
        assert model.decode(vectors, decoder="this", **options) == TEXTS
    assert model.decode(vectors[0]) == TEXTS[1]
    assert model.decode(vectors, max_words=1) == ["d", "e", "g", "a"]


@pytest.mark.slow
def test_without_the_vector_the_choice_of_the_sentence_is_open(tmp_path):
    """Each of four sentences is as likely to come next: log 4 nats."""
    model, results = trained(use_vector=False, decoders=("next",))
    assert results["val_next_loss"] == pytest.approx(np.log(4), abs=0.1)
    assert len(set(model.decode(model.encode(TEXTS)))) == 1
    keras.utils.set_random_seed(0)
    start = recurrent_sentence_encoder(NUM_WORDS, 16, embedding_dim=8)
    for before, after in zip(start.weights, model.encoder.weights, strict=True):
        same = np.array_equal(before, after)
        assert same != (after is model.word_vectors().embeddings)  # word vectors alone are trained
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for ours, theirs in zip(model.optimizer.variables, loaded.optimizer.variables, strict=True):
        np.testing.assert_array_equal(theirs, ours)


@pytest.mark.slow
def test_told_at_every_step_and_with_sampled_words_it_learns_the_same():
    model, results = trained(num_sampled=6, seed=0, conditioning="every_step", decoders=("next",))
    assert results["val_next_perplexity"] < 1.1
    assert model.decode(model.encode(TEXTS)) == [*TEXTS[1:], TEXTS[0]]


@pytest.mark.slow
def test_shuffled_sentences_teach_nothing_of_the_next():
    triples = chain()
    other = np.random.default_rng(1).permutation(len(triples["ids"]))
    for name in ("next", "next_lengths"):
        triples[name] = triples[name][other]
    encoder = recurrent_sentence_encoder(NUM_WORDS, 16, embedding_dim=8)
    model = SkipThought(encoder, LETTERS, max_target_words=MAX_WORDS, decoders=("next",))
    model.compile(keras.optimizers.Adam(0.02))
    history = model.fit(triples, batch_size=20, epochs=8, verbose=0)
    assert history.history["loss"][-1] > 0.9 * np.log(4)


# writing


def test_greedy_words_are_the_most_probable_known_ones():
    model = made()
    vectors = model.encode(["a b", "c", ""])
    found = np.asarray(model.decode_ids(vectors, decoder="previous")["ids"])
    for vector, ids in zip(condition_by_hand(model, vectors), found, strict=True):
        words = []
        while len(words) < MAX_WORDS:
            row = log_probabilities(model, "previous", vector, words)[-1]
            row[1] = -np.inf  # the unknown word is never written
            if not row.argmax():
                break
            words.append(int(row.argmax()))
        assert ids.tolist() == words + [0] * (MAX_WORDS - len(words))


def test_the_score_is_the_log_probability_of_what_is_written():
    model = made()
    vectors = model.encode(["a b", "c"])
    found = model.decode_ids(vectors, beam_size=4)
    for i, vector in enumerate(condition_by_hand(model, vectors)):
        words = np.asarray(found["ids"][i])[: int(found["lengths"][i])].tolist()
        rows = log_probabilities(model, "next", vector, words)
        rows -= np.log1p(-np.exp(rows[:, 1:2]))  # among the known words
        targets = [*words, 0][:MAX_WORDS]
        expected = sum(rows[t, word] for t, word in enumerate(targets))
        np.testing.assert_allclose(found["score"][i], expected, rtol=1e-4)


def test_interpolation_goes_from_one_sentence_to_the_other(writer):
    model, _ = writer
    texts = model.interpolate("a b c", "g", steps=4, decoder="this")
    assert len(texts) == 4 and texts[0] == "a b c" and texts[-1] == "g"
    middle = (model.encode("a b c") + model.encode("g")) / 2
    assert model.interpolate("a b c", "g", steps=3)[1] == model.decode(middle)


def test_many_vectors_are_decoded_in_parts(writer):
    model, _ = writer
    vectors = model.encode(TEXTS)
    assert model.decode(np.tile(vectors, (40, 1))) == 40 * model.decode(vectors)
    assert model.decode(vectors[:0]) == []


# what cannot be


@pytest.mark.parametrize(
    "options, message",
    [
        ({"decoders": ()}, "decoders"),
        ({"decoders": ("next", "after")}, "after"),
        ({"decoders": ("next", "next")}, "decoders"),
        ({"max_target_words": 0}, "max_target_words"),
        ({"conditioning": "once"}, "conditioning"),
        ({"units": -1}, "units"),
        ({"word_layer": "other"}, "word_layer"),
        ({"vocabulary": ["a"]}, "word vector for each"),
    ],
    ids=str,
)
def test_impossible_arguments(options, message):
    encoder = recurrent_sentence_encoder(NUM_WORDS, 6, embedding_dim=3)
    with pytest.raises(ValueError, match=message):
        SkipThought(encoder, **{"vocabulary": LETTERS, **options})


def test_impossible_decoding():
    model, unnamed = made(), made(vocabulary=None)
    vector = np.zeros(6)
    for call, message in (
        (lambda: model.decode(vector, decoder="this"), "this"),
        (lambda: unnamed.decode(vector), "vocabulary"),
        (lambda: model.decode(vector, beam_size=0), "beam_size"),
        (lambda: model.decode(vector, max_words=-1), "max_words"),
        (lambda: model.decode(np.zeros((2, 5))), "dim"),
        (lambda: model.interpolate("a", "b", steps=1), "steps"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_triples_are_needed():
    model = made()
    with pytest.raises(InputError, match="sentence_triples"):
        model.compute_terms({"ids": TRIPLES["ids"]}, None, None, training=False, player="model")


def test_any_encoder_with_word_vectors_will_do():
    encoder = bag_of_words_encoder(NUM_WORDS, 4)
    model = SkipThought(encoder, LETTERS, max_target_words=MAX_WORDS)
    assert model.encode(TEXTS).shape == (4, 4)
    assert np.isfinite(terms_of(model)["loss"])
