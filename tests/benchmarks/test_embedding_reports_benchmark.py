"""The records of embedding reports are those of the reports."""

import copy

import pytest


@pytest.fixture
def reports(embedding_record):
    """Two reports that differ in one result, with the rows and the factor of the digits."""
    first = copy.deepcopy(embedding_record.results)
    first["probes"] = {"label": first["probes"]["digit"]}
    first["pairs"]["rows"].append({**first["pairs"]["rows"][0], "role": "components"})
    second = copy.deepcopy(first)
    first["probes"]["label"]["linear"], second["probes"]["label"]["linear"] = 0.8, 0.9
    return [first, second]


def test_records_are_means_over_trainings(reports, benchmark_module, tmp_path):
    embedding_reports, records_file = benchmark_module("embedding_reports"), benchmark_module("parts.records")
    records = embedding_reports.records_of("vqvae", reports, "python benchmarks/embedding_reports.py", 3.0)
    path = tmp_path / "embedding_reports.json"
    records_file.write_records(path, records)
    read = records_file.read_records(path)
    linear = read["report.vqvae.linear"]
    assert (linear["mean"], linear["n"]) == (pytest.approx(0.85), 2)
    assert linear["sd"] == pytest.approx(0.1 / 2**0.5)
    assert read["report.vqvae.ld_star"]["mean"] == 0.2 and read["report.vqvae.ld_star_noise1"]["mean"] == 0.7
    assert read["report.vqvae.mse"]["mean"] == reports[0]["reconstruction"]["mse"]
    assert "a control" in read["report.vqvae.pca_linear"]["note"]
    assert "4 numbers" in linear["note"]
