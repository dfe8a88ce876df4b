"""The benchmark of LFQ and FSQ measures, and makes the right records of its rows."""

import pytest


def row(seconds, extra_mb=10.0):
    return {"seconds": seconds, "reference_seconds": None, "extra_mb": extra_mb, "elsewhere": 0.0}


@pytest.fixture
def benchmark(benchmark_module):
    return benchmark_module("lookup_free_quantizer")


@pytest.mark.parametrize("name", ["lfq", "fsq"])
def test_a_tiny_cell_runs(benchmark_module, name):
    cells = benchmark_module("lookup_free_quantizer_cells")
    found = benchmark_module("parts.measuring").measure(cells.training_forward(name, 128), seconds=0.01)
    assert found["seconds"] > 0


def test_the_record_is_the_worst_size_round_by_round(benchmark, benchmark_module, tmp_path):
    rows = {
        ("lfq", "ours", 8192): [row(1.0), row(2.0), row(1.0)],
        ("lfq", "vqp", 8192): [row(60.0, 500.0), row(140.0, 500.0), row(300.0, None)],
        ("lfq", "ours", 65536): [row(1.0)],
        ("lfq", "vqp", 65536): [row(90.0)],
        ("fsq", "ours", 8192): [row(1.0)],
    }
    made = benchmark.make_records(rows, [8192, 65536], "peer 1", command="python a.py", minutes=1.26)
    assert set(made) == {"lfq.train.vs_vqp"}
    record = made["lfq.train.vs_vqp"]
    assert (record["mean"], record["n"], record["minutes"], record["goal"]) == (70.0, 3, 1.3, ">= 50")
    for part in ("worst cell: 8192 vectors", "peer 1", "65536 vectors 90x", "10 MB against 500 MB"):
        assert part in record["note"]
    benchmark_module("parts.records").write_records(tmp_path / "a.json", made)
    assert "peer 1" in benchmark.table(rows, "peer 1")


def test_a_size_whose_process_failed_makes_no_record(benchmark):
    rows = {("lfq", "ours", 8192): [row(1.0)], ("lfq", "vqp", 8192): [row(60.0)]}
    assert benchmark.make_records(rows, [8192, 65536], "peer 1", command="python a.py", minutes=1) == {}


def test_the_command_of_a_record_names_no_machine(benchmark, tmp_path):
    settings = benchmark.parse(["--record", f"{tmp_path}/a.json", "--peer-python", "python3"])
    assert benchmark.typed(settings) == (
        "python benchmarks/lookup_free_quantizer.py --cells all --processes 5 "
        "--peer-python PYTHON --record docs/results/a.json"
    )


@pytest.mark.parametrize("arguments", [["--peer-python", "no-such-python"], ["--processes", "0"]])
def test_bad_settings_are_refused(benchmark, arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        benchmark.parse(arguments)
    assert stop.value.code == 2
