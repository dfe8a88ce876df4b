"""The examples run, each in a setting of seconds, and their pages show their code."""

import runpy
import sys

import pytest
import tensorflow as tf

from tools.example_pages import PAGES, cells, scripts, title

PRINTED = {
    "bottlenecks": "vector quantisation",
    "embedding_report": "The page: report.html",
    "generate": "80 samples: generate.png",
    "image_folder": "codes of an image: (4, 4) of 64 values",
    "onnx_edge": "64 bytes of pixels are 8 bytes",
    "sentence_search": "nats a neighbour",
    "speech_tokens": "tokens in use",
    "tabular_anomalies": "area under the ROC curve",
    "tf_serving": "equal to those of the model: True",
    "voice_conversion": "distance from the target",
}


def test_every_example_is_tested():
    assert sorted(PRINTED) == [script.stem for script in scripts()]


def test_the_pages_show_the_code_of_the_examples_and_the_index_lists_all():
    index = (PAGES / "index.md").read_text(encoding="utf-8")
    assert all(title(script) in index for script in scripts())
    for page in (page for page in PAGES.glob("*.md") if page.stem != "index"):
        shown = page.read_text(encoding="utf-8")
        parts = cells(PAGES.parents[1] / "examples" / f"{page.stem}.py")
        assert all(text in shown for kind, text in parts if kind == "code"), f"make examples: {page.name}"


@pytest.mark.parametrize("script", scripts(), ids=lambda script: script.stem)
def test_the_example_runs(script, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_AE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "argv", [str(script), "--tiny"])
    exports = "export." in script.read_text()  # which traces its functions
    tf.config.run_functions_eagerly(not exports)  # a few steps: tracing would take longer than they do
    try:
        runpy.run_path(str(script), run_name="__main__")
    finally:
        tf.config.run_functions_eagerly(False)
    assert PRINTED[script.stem] in capsys.readouterr().out
