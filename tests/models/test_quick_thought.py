"""Quick-Thought: its objective, its gradients in parts, and what it learns of neighbours."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae import InputError
from keras_ae.models import QuickThought
from keras_ae.networks import bag_of_words_encoder, recurrent_sentence_encoder
from keras_ae.text import Vocabulary, tokenize

RNG = np.random.default_rng(0)


def block(examples=12, words=20):
    lengths = RNG.integers(1, 7, examples).astype("int32")
    numbers = np.arange(examples, dtype="int32")
    return {
        "ids": np.where(np.arange(7) < lengths[:, None], RNG.integers(1, words, (examples, 7)), 0),
        "lengths": lengths,
        "document": numbers // 5,
        "position": numbers,
        "sentence": numbers % 10,  # the last two are equal to the first two
    }


def bags(**kwargs):
    keras.utils.set_random_seed(0)
    return QuickThought(bag_of_words_encoder(20, 4), bag_of_words_encoder(20, 4), **kwargs)


def loss_of(model, x, mask):
    """The mean cross-entropy of the neighbours, sentence by sentence."""
    first, second = (
        np.asarray(encoder(x["ids"]), "float64") for encoder in (model.encoder, model.context_encoder)
    )
    place = list(zip(x["document"], x["position"], strict=True))
    losses, chances = [], []
    for i, (document, position) in enumerate(place):
        near = [k for k, other in enumerate(place) if other in [(document, position + d) for d in (-1, 1)]]
        if not near:
            continue
        copies = {x["sentence"][j] for j in near}
        others = [k for k in range(len(place)) if k not in (*near, i) and x["sentence"][k] not in copies]
        scores = [first[i] @ second[k] for k in (*near, *others)] + ([0.0] if mask == "zero" else [])
        log_total = np.log(np.sum(np.exp(scores)))
        losses.append(log_total - np.mean(scores[: len(near)]))
        chances.append(np.log(len(scores)))
    return np.mean(losses), np.mean(chances)


@pytest.mark.parametrize("mask", ["exclude", "zero"])
def test_loss_is_that_of_the_equations(mask):
    model, x = bags(self_mask=mask), block()
    for encoder in (model.encoder, model.context_encoder):
        encoder.set_weights([RNG.normal(size=weight.shape) for weight in encoder.get_weights()])
    expected, chance = loss_of(model, x, mask)
    model.compile()
    logs = model.evaluate(x, batch_size=12, verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)
    assert logs["gain"] == pytest.approx(chance - expected, abs=1e-4)


def test_vector_is_that_of_both_encoders():
    model, x = bags(), block()
    expected = np.concatenate([model.encoder(x["ids"]), model.context_encoder(x["ids"])], axis=1)
    np.testing.assert_array_equal(model.encode(x), expected)
    np.testing.assert_array_equal(model(x), expected)


def noisy_encoder():
    recurrent = recurrent_sentence_encoder(20, 6, embedding_dim=4, word_dropout=0.2, seed=1)
    options = {"seed": 2, "name": "dropout"}
    return keras.Sequential([recurrent, keras.layers.Dropout(0.3, **options)])


def gradients(sub_batches, x):
    """Of a model with dropout; also what the generators of random numbers go on with."""
    keras.utils.set_random_seed(0)
    model = QuickThought(noisy_encoder(), noisy_encoder(), sub_batches=sub_batches)
    regularizer = keras.regularizers.L2(0.1)
    model.encoder.layers[0].get_layer("words").embeddings_regularizer = regularizer

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            terms = model.compute_terms(x, None, None, training=True, player="model")
        return terms["loss"], tape.gradient(terms["loss"], model.trainable_variables)

    loss, found = step()
    states = [v for v in model.encoder.non_trainable_variables if v.dtype != "float32"]
    return [loss, *map(tf.convert_to_tensor, found)], [np.asarray(state) for state in states]


@pytest.mark.slow
def test_one_part_has_the_same_noise_and_gradients():
    x = {name: tf.constant(values) for name, values in block().items()}
    (whole, states), (part, states_of_part) = (gradients(parts, x) for parts in (None, 1))
    for ours, expected in zip(part, whole, strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-6)
    for ours, expected in zip(states_of_part, states, strict=True):
        np.testing.assert_array_equal(ours, expected)  # the next step draws the same


@pytest.mark.slow
@pytest.mark.parametrize("parts", [5, 20])
def test_parts_have_the_gradients_of_the_whole(parts):
    """Also where the parts are of unequal sizes, or empty."""
    x = {name: tf.constant(values) for name, values in block().items()}
    results = []
    for sub_batches in (None, parts):
        keras.utils.set_random_seed(0)
        encoders = [recurrent_sentence_encoder(20, 6, embedding_dim=4) for _ in range(2)]
        model = QuickThought(*encoders, sub_batches=sub_batches)
        with tf.GradientTape() as tape:
            loss = model.compute_terms(x, None, None, training=True, player="model")["loss"]
        found = tape.gradient(loss, model.trainable_variables)
        results.append([loss, *map(tf.convert_to_tensor, found)])
    for ours, expected in zip(*results, strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-6)  # sums over parts in another order


def conversation(turns, seed, phrases):
    """Sentences in numbers of words: each phrase is followed by one of its answers."""
    rng = np.random.default_rng(seed)
    sentences = []
    for _ in range(turns):
        questions, answers = phrases[rng.integers(len(phrases))]
        sentences += [rng.choice(questions), rng.choice(answers)]
    return sentences


def blocks_of(sentences, vocabulary, size):
    """Batches as `sentence_blocks` makes them, of one document."""
    tokens = [tokenize(sentence) for sentence in sentences]
    ids = np.zeros((len(tokens), max(map(len, tokens))), "int32")
    for row, words in zip(ids, tokens, strict=True):
        row[: len(words)] = vocabulary.ids(words)
    numbers = np.arange(len(tokens), dtype="int32")
    distinct = np.unique(sentences, return_inverse=True)[1].astype("int32")
    lengths = np.array([len(words) for words in tokens], "int32")
    x = {"ids": ids, "lengths": lengths, "document": 0 * numbers, "position": numbers, "sentence": distinct}
    return tf.data.Dataset.from_tensor_slices(x).batch(size, drop_remainder=True).cache()


PHRASES = [
    (["how much is this?", "what does it cost?"], ["ten euros.", "it is ten euros."]),
    (["where is the station?", "how do i get to the train?"], ["turn left there.", "go left."]),
    (["who is she?", "do you know that woman?"], ["my sister.", "she is my sister."]),
    (["how old are you?", "when were you born?"], ["i am thirty.", "thirty years ago."]),
]
CHINESE = [
    (["这个东西多少钱？", "这个东西多贵？"], ["10元。", "要10元。"]),
    (["车站在哪里？", "火车怎么走？"], ["往左走。", "左边。"]),
    (["她是谁？", "你认识那位女士吗？"], ["我妹妹。", "是我妹妹。"]),
    (["你几岁？", "您今年多大？"], ["三十。", "我三十岁。"]),
]


def trained_on(sentences, phrases, epochs=6):
    vocabulary = Vocabulary.of([tokenize(s) for questions in phrases for part in questions for s in part])
    keras.utils.set_random_seed(0)
    encoders = [bag_of_words_encoder(len(vocabulary), 8) for _ in range(2)]
    model = QuickThought(*encoders, vocabulary=vocabulary)
    model.compile(keras.optimizers.Adam(0.03))
    history = model.fit(blocks_of(sentences, vocabulary, 32), epochs=epochs, verbose=0, shuffle=False)
    return model, history.history


def cosine(model, one, other):
    return float(np.dot(*model.encode([one, other], normalize=True)))


@pytest.mark.parametrize("phrases", [PHRASES, CHINESE], ids=["english", "chinese"])
def test_questions_with_the_same_answer_come_close(phrases):
    """Of two questions nothing but their neighbours is alike."""
    model, history = trained_on(conversation(320, 0, phrases), phrases)
    assert history["gain"][-1] > 0.5
    # two neighbours among 31 candidates: a question's best candidate would be one by chance 6 % of the time
    assert history["context_accuracy"][-1] > 0.25
    questions = [pair for pair, _ in phrases]
    same = [cosine(model, *pair) for pair in questions]
    others = [cosine(model, a[0], b[1]) for a in questions for b in questions if a is not b]
    assert min(same) > max(others)


def test_shuffled_sentences_teach_nothing():
    """The order of sentences is all there is to learn from."""
    sentences = conversation(320, 0, PHRASES)
    np.random.default_rng(1).shuffle(sentences)
    assert trained_on(sentences, PHRASES)[1]["gain"][-1] < 0.1


def test_sentences_without_weight_take_no_part():
    model, x = bags(), block()
    model.compile()
    some = {name: values[:9] for name, values in x.items()}
    weights = np.repeat([1.0, 0.0], [9, 3]).astype("float32")
    ours = model.evaluate(x, sample_weight=weights, batch_size=12, verbose=0, return_dict=True)
    expected = model.evaluate(some, batch_size=9, verbose=0, return_dict=True)
    assert ours == pytest.approx(expected, rel=1e-5)


def test_batch_without_neighbours_has_no_loss():
    model, x = bags(), block()
    model.compile()
    alone = {**x, "document": x["position"]}
    terms = model.compute_terms(alone, None, None, training=False, player="model")
    assert {name: float(term) for name, term in terms.items()} == {
        "loss": 0,
        "gain": 0,
        "context_accuracy": 0,
    }


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"self_mask": "none"}, ValueError, "'exclude', 'zero'"),
        ({"sub_batches": 0}, ValueError, "at least 1"),
        ({"context_encoder": bag_of_words_encoder(20, 5)}, InputError, "vectors of the same size"),
        ({"encoder": keras.Sequential([keras.layers.Embedding(20, 4)])}, InputError, "vectors"),
    ],
)
def test_impossible_models(arguments, error, message):
    encoders = {name: bag_of_words_encoder(20, 4) for name in ("encoder", "context_encoder")}
    with pytest.raises(error, match=message):
        QuickThought(**encoders | arguments).build()


def test_a_batch_that_does_not_say_who_is_next_to_whom():
    model, x = bags(), block()
    model.compile()
    with pytest.raises(InputError, match='without "position"'):
        model.fit({name: x[name] for name in ("ids", "lengths", "document")}, verbose=0)
