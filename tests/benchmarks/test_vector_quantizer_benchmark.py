"""The benchmark of the vector quantiser measures, and makes the right records of its rows."""

import math
from types import SimpleNamespace

import pytest

SIZES = [(vectors, codes) for vectors in (8192, 65536) for codes in (512, 1024, 8192)]
PEERS = {"faiss": "faiss-cpu 1", "vqp": None}


@pytest.fixture
def cells(benchmark_module):
    return benchmark_module("vector_quantizer_cells")


@pytest.fixture
def make_records(benchmark_module):
    def make(rows, **peers):
        module = benchmark_module("parts.vector_quantizer_records")
        return module.make_records(rows, SIZES, {**PEERS, **peers}, command="python a.py", minutes=1.26)

    return make


def row(seconds, extra_mb=10.0, reference_seconds=1.0):
    return {
        "seconds": seconds,
        "reference_seconds": reference_seconds,
        "extra_mb": extra_mb,
        "elsewhere": 0.0,
    }


@pytest.mark.parametrize("name", ["search", "train", "step"])
def test_a_tiny_cell_runs(cells, name, tmp_path):
    layer = cells.VectorQuantizer(16, kmeans_samples=64)
    if name != "step":
        cells.start(16, tmp_path / "layer.keras")
        layer = cells.keras.saving.load_model(tmp_path / "layer.keras").layers[-1]
        assert float(layer.started) == 1
    found = cells.run_cell(name, layer, vectors=256, seconds=0.5)
    assert found["repetitions"] >= 3
    assert found["seconds"] > 0 and found["reference_seconds"] > 0
    assert found["extra_mb"] is None or math.isfinite(found["extra_mb"])


def test_the_record_of_a_grid_is_the_median_of_its_worst_cell(make_records, benchmark_module, tmp_path):
    rows = {("search", *size): [row(1.5), row(1.6), row(1.4)] for size in SIZES}
    rows["search", 65536, 512] = [row(1.8, 90.0), row(9.0, 70.0), row(1.9, 80.0)]
    made = make_records(rows)
    assert set(made) == {"vq.search.times_matmul", "vq.search.extra_mb"}
    worst = made["vq.search.times_matmul"]
    assert (worst["mean"], worst["n"], worst["minutes"]) == (1.9, 3, 1.3)
    assert "65536 x 512" in worst["note"]
    assert made["vq.search.extra_mb"]["mean"] == 80.0
    benchmark_module("parts.records").write_records(tmp_path / "a.json", made)


def test_a_grid_with_a_missing_cell_has_no_record(make_records):
    rows = {("train", *size): [row(2.0, None)] for size in SIZES}
    assert set(make_records(rows)) == {"vq.train.times_matmul", "vq.train.times_matmul_k512"}
    del rows["train", 65536, 8192]
    assert set(make_records(rows)) == {"vq.train.times_matmul_k512"}


def test_peers_are_compared_round_by_round(make_records):
    rows = {
        ("search", 65536, 1024): [row(1.0), row(2.0), row(1.0)],
        ("faiss", 65536, 1024): [row(1.3, 1.0, None), row(2.8, 1.0, None), row(1.5, 1.0, None)],
        ("step", 6272, 512): [row(1.1)],
    }
    made = make_records(rows)
    assert set(made) == {"vq.search.vs_faiss", "vqvae.step.vs_plain"}
    assert made["vq.search.vs_faiss"]["mean"] == 1.4
    assert "faiss-cpu 1" in made["vq.search.vs_faiss"]["note"]


def test_the_tables_name_a_peer_that_is_not_installed(benchmark_module):
    rows = {
        ("search", 8192, 512): [row(0.01)],
        ("train", 8192, 512): [row(0.02)],
        ("step", 6272, 512): [row(1.1)],
    }
    text = benchmark_module("parts.vector_quantizer_tables").tables(rows, PEERS)
    assert "not installed" in text and "not measured" in text  # vector-quantize-pytorch; faiss without a row
    assert "819,000" in text and "1.100x" in text


@pytest.mark.parametrize("arguments, sizes", [([], {(65536, 1024)}), (["--every-peer-cell"], set(SIZES))])
def test_peers_are_measured_where_they_are_compared(benchmark_module, arguments, sizes):
    module = benchmark_module("vector_quantizer")
    processes = SimpleNamespace(has=lambda cell: True)
    work = module.cells_of(SIZES, processes, module.parse(["--cells", "all", *arguments]))
    assert {cell[1:3] for cell in work if cell[0] == "vqp_train"} == sizes
    assert {cell[1:3] for cell in work if cell[0] == "train"} == set(SIZES)


def test_the_command_of_a_record_names_no_machine(benchmark_module, tmp_path):
    module = benchmark_module("vector_quantizer")
    settings = module.parse(["--cells", "all", "--record", f"{tmp_path}/a.json", "--peer-python", "python3"])
    assert module.typed(settings) == (
        "python benchmarks/vector_quantizer.py --cells all --processes 5 "
        "--peer-python PYTHON --record docs/results/a.json"
    )


@pytest.mark.parametrize("arguments", [["--peer-python", "no-such-python"], ["--processes", "0"]])
def test_bad_settings_are_refused(benchmark_module, arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        benchmark_module("vector_quantizer").parse(arguments)
    assert stop.value.code == 2


def test_a_cell_whose_process_fails_gives_no_row(benchmark_module, tmp_path, capsys):
    processes = benchmark_module("parts.vector_quantizer_processes")
    script = tmp_path / "broken.py"
    script.write_text("raise SystemExit('out of memory')")
    assert processes._row([processes.sys.executable, script, "search", 8192]) is None
    assert capsys.readouterr().err == "failed: search 8192: out of memory\n"


@pytest.mark.parametrize("times, seconds", [([2.0, 1.0, 3.0], 1.0), ([0.4] + [1.0, 1.5] * 5, 1.0)])
def test_a_call_that_was_counted_short_is_not_the_time(benchmark_module, times, seconds):
    assert benchmark_module("parts.measuring").typical_least(times) == seconds
