"""The recipes of sentences, from text to report, export and encoding."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from keras_ae import InputError
from keras_ae.models import QuickThought, SkipThought
from keras_ae.text import Vocabulary, WordVectors, scaled_for_sums
from keras_ae.training.cli import main
from keras_ae.training.commands._run_embedding import measure_transfer
from keras_ae.training.datasets import SentenceData, load_text
from keras_ae.training.recipes import RECIPES, TextRecipe
from keras_ae.training.report.examples import read_reading
from keras_ae.training.report.page import write_report
from keras_ae.training.run import Run, train

# bags of words are traced fast; the other encoders are built below
SMALL = {"sentence_per_line": True, "embedding_dim": 6, "epochs": 2, "learning_rate": 1e-2}
BAG = {"encoder": "bag-of-words", **SMALL}


@pytest.fixture(scope="module")
def books(tmp_path_factory):
    """11 documents, in which a subject is kept for two sentences."""
    folder, rng = tmp_path_factory.mktemp("books"), np.random.default_rng(0)
    for number in range(11):
        lines = []
        for _ in range(12):
            subject = rng.choice(["the cat", "a dog", "my old uncle", "the captain"])
            lines += [f"{subject} sees the {rng.choice(['house', 'river'])}.", f"then {subject} goes home."]
        (folder / f"{number}.txt").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tasks")
    rows = [f"{word}\tthe {word} sees the river" for word in ("cat", "captain")] * 12
    (folder / "who.all.tsv").write_text("\n".join(rows))
    pairs = [f"{place % 5}.0\tthe cat goes\tthe dog goes{' home' * place}" for place in range(20)]
    (folder / "stsb.train.tsv").write_text("\n".join(pairs))
    return folder


@pytest.fixture(scope="module")
def run(books, tasks, tmp_path_factory):
    """A trained run with results of transfer; not to be changed."""
    pytest.importorskip("gensim")
    recipe = RECIPES["quick-thought"](data=str(books), batch_size=24, transfer=str(tasks), **BAG)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_AE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield train(recipe, runs=tmp_path_factory.mktemp("runs"), verbose=False)


def test_a_run_is_measured_beside_controls(run):
    model = run.load_model()
    assert isinstance(model, QuickThought) and model.encode("the cat sees").shape == (12,)
    metrics = json.loads((run.directory / "metrics.json").read_text())
    assert (
        list(metrics["test"])[0] == "gain"
        and metrics["test"]["gain"] > metrics["baselines"]["untrained"]["gain"]
    )
    rows = ["quick-thought", "majority", "bag of words", "mean of word vectors", "untrained encoder"]
    assert list(metrics["transfer"]) == rows
    assert metrics["transfer"]["bag of words"]["who"]["accuracy"] == 1.0
    # 12 of each class in 10 folds: the majority of training is once right in each, also where 3 are held out
    assert metrics["transfer"]["majority"]["who"]["accuracy"] == 10 / 24
    assert set(metrics["transfer"]["quick-thought"]) == {"who", "stsb"}


def test_the_page_shows_neighbours_and_tasks(run):
    page = (run.directory / "report.html").read_text()
    for part in ('id="transfer"', 'id="reading"', "mean of word vectors", "who", "stsb, cosine ρ", "95 %"):
        assert part in page
    reading = read_reading(run.directory, [])
    known = [
        sentence
        for document in load_text(run.recipe().data, sentence_per_line=True).train
        for sentence in document
    ]
    for query, near in reading.sentences:
        assert query in page and {text for text, _ in near} <= set(known) - {query}
    assert all(word in run.load_model().vocabulary for word, _ in reading.words)
    assert "figures/ contains no pictures" not in page


def test_vectors_start_from_those_of_the_same_text(run):
    recipe, data = run.recipe(), run.recipe().load_data()
    table = recipe.start_vectors(data)
    scaled = scaled_for_sums(table, data.train.tokens()).rows(data.vocabulary)
    model = recipe.build_model(data, 1)
    for encoder in (model.encoder, model.context_encoder):
        np.testing.assert_array_equal(encoder.get_layer("words").embeddings.numpy(), scaled)
    as_they_are = replace(recipe, encoder="gru").start_rows(data)  # a GRU has weights to scale them by
    np.testing.assert_array_equal(as_they_are, table.rows(data.vocabulary))
    assert data.vocabulary == Vocabulary.of(data.train.tokens(), 20_000, 2)


def test_the_command_line_measures_tasks_later(run, tasks, tmp_path, capsys, monkeypatch):
    copy = shutil.copytree(run.directory, tmp_path / "quick-thought" / "run")
    metrics = json.loads((copy / "metrics.json").read_text())
    rows = metrics.pop("transfer")
    (copy / "metrics.json").write_text(json.dumps(metrics))
    assert 'id="transfer"' not in write_report(copy).read_text()

    def transfer_rows(recipe, model, data, tasks, progress):
        progress(f"{type(model).__name__}: {tasks[0].name}")
        return rows

    monkeypatch.setattr(TextRecipe, "transfer_rows", transfer_rows)
    assert main(["report", str(copy), "--transfer", str(tasks)]) == 0
    said = capsys.readouterr().out
    assert "measuring: QuickThought: stsb" in said and "mean of word vectors" in said
    assert json.loads((copy / "metrics.json").read_text()) == {**metrics, "transfer": rows}
    assert 'id="transfer"' in (copy / "report.html").read_text()
    assert main(["report", str(copy), "--transfer", str(tmp_path)]) == 2
    assert "must contain files such as NAME.all.tsv" in capsys.readouterr().err


def test_lines_are_encoded_in_their_order(run, tmp_path, capsys):
    lines = ["the cat goes home.", "", "这多少钱？ 😀", "the " * 300, "a dog"]
    (tmp_path / "lines.txt").write_text("\n".join(lines), encoding="utf-8")
    output = tmp_path / "z.npz"
    assert (
        main(["encode", str(run.directory), str(tmp_path / "lines.txt"), str(output), "--batch-size", "2"])
        == 0
    )
    assert "5 sentences" in capsys.readouterr().out
    with np.load(output) as file:
        assert file["lines"].tolist() == [0, 1, 2, 3, 4]
        np.testing.assert_allclose(file["embedding"], run.load_model().encode(lines), atol=1e-6)
        assert not file["embedding"][1].any()


def test_the_embedding_report_reads_sentences(run, monkeypatch):
    from keras_ae.evaluation.encoders.loading import load_encoder
    from keras_ae.evaluation.report import measuring
    from keras_ae.evaluation.report.sections.pairs import INDEPENDENT
    from keras_ae.training.commands._run_embedding import measure_data

    monkeypatch.setattr(measuring, "measured_pairs", lambda *_: {"rows": [], "independent": INDEPENDENT})
    encoder, data = load_encoder(run.load_model()), run.recipe().load_data()
    results = measure_data(encoder, data, "sentences", "quick", 1, {}).results
    assert results["probes"]["words"]["linear"] > 0.5
    assert results["map"]["texts"][0] in [sentence for document in data.test for sentence in document]


def test_skip_thought_writes_the_sentences_around(books, tmp_path):
    recipe = RECIPES["skip-thought"](
        data=str(books), word_vectors="none", batch_size=16, decoders=("next",), **BAG
    )
    data = recipe.load_data()
    stream = recipe.training_batches(data)
    model = recipe.build(data, stream.steps_per_epoch)
    assert isinstance(model, SkipThought)
    before = recipe.losses(model, data)
    examples = recipe.pictures(model, data, tmp_path)
    model.fit(stream.dataset, epochs=1, callbacks=examples, shuffle=False, verbose=0)
    after = recipe.losses(model, data)
    assert list(after)[0] == "next_perplexity" and after["next_perplexity"] < before["next_perplexity"]
    known = [sentence for document in data.test for sentence in document]
    for first, second, way in read_reading(tmp_path, []).between:
        assert {first, second} <= set(known) and len(way) == 5


def test_options_make_the_encoder(books, tmp_path):
    table = WordVectors(["cat", "dog"], [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    path = table.save(tmp_path / "vectors.npz")
    recipe = RECIPES["quick-thought"](data=str(books), word_vectors=str(path), trainable_words=False, **BAG)
    data = recipe.load_data()
    model = recipe.build_model(data, 1)
    assert not model.encoder.trainable_weights
    np.testing.assert_allclose(model.encode("cat cat"), [2, 4, 6] * 2, rtol=1e-6)
    for encoder, size in (("bi-gru", 8), ("gru", 7)):
        settings = {"word_vectors": "none", "encoder": encoder, "dim": size, **SMALL}
        made = RECIPES["skip-thought"](data=str(books), **settings).sentence_encoder(data, None)
        assert made.output_shape == (None, size)
    with pytest.raises(InputError, match="--word-vectors must be train, none or a file"):
        RECIPES["quick-thought"](word_vectors="nowhere.vec").start_vectors(data)
    with pytest.raises(InputError, match="--word-dropout"):
        RECIPES["skip-thought"](word_dropout=1.0)


def test_tasks_that_are_not_there_are_told_before_the_training(books, tmp_path):
    recipe = RECIPES["quick-thought"](
        data=str(books), word_vectors="none", transfer=str(tmp_path / "no"), **SMALL
    )
    with pytest.raises(InputError, match="no such folder"):
        train(recipe, runs=tmp_path, verbose=False)
    assert not (tmp_path / "quick-thought").exists()


def test_text_that_is_too_short_is_told_before_the_training(tmp_path):
    (tmp_path / "short.txt").write_text("one .\ntwo .\nthree .\nfour .\nfive .\nsix .\n")
    recipe = RECIPES["skip-thought"](
        data=str(tmp_path / "short.txt"), word_vectors="none", min_count=1, **BAG
    )
    with pytest.raises(InputError, match="validation text is too short"):
        train(recipe, runs=tmp_path, verbose=False)
    assert not (tmp_path / "skip-thought").exists()


def test_transfer_is_of_sentences(run_directory, tasks):
    assert not isinstance(Run.open(run_directory).recipe(), TextRecipe)
    with pytest.raises(InputError, match="must be a run of sentences. Received: a run of vqvae"):
        measure_transfer(Run.open(run_directory), tasks)


def test_sentence_data_is_text_with_words(books):
    text = load_text(books, sentence_per_line=True)
    data = SentenceData.of(text, size=6)
    assert data.train is text.train and len(data.vocabulary) == data.description["vocabulary"] == 6
    assert "vocabulary" not in text.description
