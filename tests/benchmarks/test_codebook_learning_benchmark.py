"""The benchmark of codebook learning: the same data for both sides, right scores, right records."""

import json

import numpy as np
import pytest

MINUTES = {"minutes": 0.5}


@pytest.fixture
def data(benchmark_module):
    return benchmark_module("parts.codebook_learning_data")


@pytest.fixture
def benchmark(benchmark_module):
    return benchmark_module("codebook_learning")


@pytest.fixture
def mnist_file(tmp_path):
    """An .npz file of 24 training images, each of one grey value of its own, and 4 test images."""
    images = np.broadcast_to(np.arange(28, dtype="uint8")[:, None, None], (28, 28, 28))
    np.savez(tmp_path / "mnist.npz", x_train=images[:24], x_test=images[24:])
    return tmp_path / "mnist.npz"


@pytest.fixture
def small(data, monkeypatch):
    """Both tasks in miniature."""
    toy = {"codes": 4, "batch": 64, "steps": 6, "train": 256, "held_out": 32}
    monkeypatch.setattr(data, "TOY", {**data.TOY, **toy})
    monkeypatch.setattr(data, "MNIST", {**data.MNIST, "batch": 4, "validation": 6})


def row(value):
    scores = ("mse", "usage", "perplexity", "validation_mse", "test_mse")
    return dict.fromkeys(scores, value)


class Fake:
    """Cells whose scores are given, by a part of their name."""

    pythons = {"faiss": "python", "vqp": "python"}
    versions = {"faiss": "faiss-cpu 1", "vqp": "vector-quantize-pytorch 1"}

    def __init__(self, **values):
        self.values, self.names = values, []

    def run(self, name, *arguments):
        self.names.append(name)
        return row(next((value for part, value in self.values.items() if part in name), 0.5))


def test_nearest_code_and_usage_agree_with_their_definitions(data, monkeypatch):
    monkeypatch.setattr(data, "SEARCH_ROWS", 7)
    rng = np.random.default_rng(0)
    x, codebook = rng.standard_normal((20, 3)), rng.standard_normal((5, 3))
    distances = np.linalg.norm(x[:, None] - codebook, axis=-1)
    np.testing.assert_array_equal(data.nearest(x, codebook), distances.argmin(1))
    assert data.usage([[0, 0], [1, 1]], 8) == {"usage": 0.25, "perplexity": pytest.approx(2.0)}


def test_toy_data_are_those_of_the_seed_and_scored_by_error_over_variance(data, small):
    toy, same, other = data.Toy(3), data.Toy(3), data.Toy(4)
    np.testing.assert_array_equal(toy.train, same.train)
    assert not np.array_equal(toy.train, other.train)
    assert toy.train.shape == (256, 64) and toy.held_out.shape == (32, 64)
    assert abs(toy.train.mean() - 1.0) < 0.1
    batches, again = list(toy.batches()), list(same.batches())
    assert len(batches) == 6
    np.testing.assert_array_equal(batches, again)
    assert toy.scores(toy.held_out) == {
        "mse": 0.0,
        "usage": 1.0,
        "perplexity": pytest.approx(32.0),
    }
    centre = toy.held_out.mean(0, keepdims=True)
    assert toy.scores(centre)["mse"] == pytest.approx(1.0, rel=1e-4)  # float32 sums


def test_mnist_parts_are_disjoint_and_the_validation_part_is_the_same_for_all_seeds(data, small, mnist_file):
    first, second = data.Mnist(mnist_file, 0), data.Mnist(mnist_file, 1)
    values = [np.rint(255 * part[:, 0, 0, 0]) for part in (first.train, first.validation, first.test)]
    assert [len(part) for part in values] == [16, 6, 4]  # 18 left, of which 16 fill batches of 4
    assert len(np.unique(np.concatenate(values))) == 26
    np.testing.assert_array_equal(first.validation, second.validation)
    assert not np.array_equal(first.train, second.train)


def test_our_cells_train_and_score(benchmark_module, data, small, mnist_file, monkeypatch):
    cells = benchmark_module("codebook_learning_cells")
    monkeypatch.setattr(cells, "TOY", data.TOY)
    monkeypatch.setattr(cells, "MNIST", data.MNIST)
    scores = cells.mnist("0", "4", str(mnist_file))
    assert 0 < scores["test_mse"] < 1 and 0 < scores["usage"] <= 1
    assert {"validation_mse", "perplexity"} < set(scores)
    assert cells.toy("0")["usage"] > 0


def test_settings_of_the_peer_are_chosen_on_validation_and_carried_to_larger_codebooks(benchmark):
    scores = {"ste_cosine_decay0.8_commitment0.25": 0.1, "ste_cosine_decay0.8": 0.2, "ste_cosine": 0.3}
    cells = Fake(**{"_dead0.5": 0.9, **scores})
    rows = benchmark.mnist(cells, range(2), (512, 2048), "mnist.npz")
    chosen = {**benchmark.SETTINGS["ste_cosine"], "decay": 0.8, "commitment_weight": 0.25}
    assert rows[512]["settings"] == rows[2048]["settings"] == chosen
    assert len(rows[2048]["vqp"]) == len(rows[2048]["vq"]) == 2
    assert "mnist.k2048.vq.1" in cells.names
    cells = Fake(_dead0=0.05)
    rows = benchmark.mnist(cells, range(1), (8192,), "mnist.npz", peers_only=True)
    assert rows[8192]["settings"]["threshold_ema_dead_code"] == 0.125
    assert "vq" not in rows[8192]


def test_records_compare_ours_with_the_peer(benchmark, benchmark_module, tmp_path):
    records = benchmark_module("parts.codebook_learning_records")
    settings = benchmark.SETTINGS["ste"]
    rows = {512: {"vq": [row(0.3), row(0.5)], "vqp": [row(0.6), row(0.7)], "settings": settings}}
    made = records.mnist_records(rows, Fake.versions, command="python a.py", minutes=2.04)
    assert made["vq.mnist.k512.mse"]["mean"] == 0.4
    assert made["vq.mnist.k512.mse"]["goal"] == "< 0.65"
    assert made["vq.mnist.k512.usage"]["goal"] == ">= 0.95"
    assert made["vqp.mnist.k512.mse"]["goal"] == "" and "decay=0.99" in made["vqp.mnist.k512.mse"]["note"]
    assert made["vq.mnist.k512.mse"]["n"] == 2 and made["vq.mnist.k512.mse"]["minutes"] == 2.0
    toy = records.toy_records(
        benchmark.toy(Fake(), range(3)), Fake.versions, command="python a.py", minutes=2.04
    )
    assert {"vq.defaults.mse", "vq.defaults.usage", "vqp.best.toy.mse", "faiss.kmeans.toy.mse"} < set(toy)
    benchmark_module("parts.records").write_records(tmp_path / "a.json", {**made, **toy})


def test_the_best_settings_on_the_toy_are_the_recorded_ones(benchmark, benchmark_module):
    rows = benchmark.toy(Fake(start_decay0=0.4, **{"start_decay0.8_dead1": 0.3}), range(1))
    rows["start_decay0.8_dead1"] = [row(0.3)]
    toy = benchmark_module("parts.codebook_learning_records").toy_records(
        rows, Fake.versions, command="a", minutes=1.0
    )
    assert toy["vqp.best.toy.mse"]["mean"] == 0.3
    assert "start_decay0.8_dead1" in toy["vqp.best.toy.mse"]["note"]


def test_without_the_peers_ours_alone_is_recorded(benchmark, benchmark_module):
    cells = Fake()
    cells.pythons = cells.versions = {"faiss": None, "vqp": None}
    rows = benchmark.mnist(cells, range(1), (512,), "mnist.npz")
    made = benchmark_module("parts.codebook_learning_records").mnist_records(
        rows, cells.versions, command="a", minutes=1.0
    )
    assert set(made) == {f"vq.mnist.k512.{score}" for score in ("mse", "usage", "perplexity")}
    assert set(benchmark.toy(cells, range(1))) == {"vq"}


def test_a_finished_cell_is_not_measured_again(benchmark, tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark, "find_peer", lambda peer, pythons: ("python", "a 1"))
    monkeypatch.setattr(
        benchmark, "_row", lambda command: {"words": [str(word) for word in command[2:]], **MINUTES}
    )
    cells = benchmark.Cells(tmp_path / "runs", None)
    assert cells.run("toy.faiss.0", "faiss", "toy", 0) == {"words": ["faiss", "toy", "0"], **MINUTES}
    (tmp_path / "runs" / "toy.faiss.0.json").write_text(json.dumps({"mse": 1.0, **MINUTES}))
    assert cells.run("toy.faiss.0", "faiss", "toy", 0) == {"mse": 1.0, **MINUTES}
    assert cells.run("toy.vq.0", "vq", "toy", 0) == {"words": ["toy", "0"], **MINUTES}
    assert cells.minutes == {"toy.faiss.0": 0.5, "toy.vq.0": 0.5}


@pytest.mark.parametrize("arguments", [["mnist"], ["mnist", "--data", "none.npz"], ["toy", "--seeds", "0"]])
def test_bad_settings_are_refused(benchmark, arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        benchmark.parse(arguments)
    assert stop.value.code == 2


def test_the_command_of_a_record_names_no_machine(benchmark, mnist_file):
    options = ["--record", f"{mnist_file}.json", "--peer-python", "python3"]
    settings = benchmark.parse(["mnist", "--data", str(mnist_file), *options])
    assert benchmark.typed(settings) == (
        "python benchmarks/codebook_learning.py mnist --data mnist.npz --peer-python PYTHON "
        "--record docs/results/mnist.npz.json"
    )
