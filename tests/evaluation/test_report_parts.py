"""The parts of a report against results derived by hand."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae import InputError
from keras_ae.evaluation.encoders.examples import Examples, log_mel_of
from keras_ae.evaluation.encoders.loading import LoadedEncoder
from keras_ae.evaluation.report.data import as_factors, gather
from keras_ae.evaluation.report.page._map import scatter
from keras_ae.evaluation.report.page.findings import cautions, findings
from keras_ae.evaluation.report.page.view import _codes
from keras_ae.evaluation.report.record import SHEET_COLUMNS
from keras_ae.evaluation.report.sections import pairs as pair_table
from keras_ae.evaluation.report.sections._projection import plane
from keras_ae.evaluation.report.sections.codes import code_use
from keras_ae.evaluation.report.sections.pairs import doubts, label_closed_form
from keras_ae.evaluation.report.sections.visual import sheet, thumbnails
from keras_ae.evaluation.report.settings import settings_of
from keras_ae.layers import LogMelSpectrogram
from keras_ae.models import Preprocessing
from keras_ae.pages.formats import format_percent


def test_kinds_of_examples():
    lengths = np.array([2, 3])
    for data, kind in (
        (np.zeros((2, 8, 8, 3)), "images"),
        (np.zeros((2, 8)), "vectors"),
        (np.zeros(2), "vectors"),
        ({"x": np.zeros((2, 3, 1)), "lengths": lengths}, "sequences"),
        ({"x": np.zeros((2, 3), "int32"), "lengths": lengths}, "tokens"),
        (["a b", "c"], "texts"),
        (tf.data.Dataset.from_tensor_slices((np.zeros((2, 8)), [0, 1])).batch(2), "vectors"),
    ):
        examples = Examples(data)
        assert (examples.kind, len(examples)) == (kind, 2)
        assert len(examples.take(np.array([1]))) == 1


class Batches(keras.utils.PyDataset):
    """Two batches of vectors with labels."""

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return np.full((2 + index, 3), index, "float32"), np.zeros(2 + index)


def test_batches_of_every_kind_become_all_their_examples():
    expected = [[0] * 3] * 2 + [[1] * 3] * 3
    assert Examples(Batches()).array.tolist() == expected
    assert Examples(batch for batch in (np.zeros((2, 3)), np.ones((3, 3)))).array.tolist() == expected
    texts = ["the cat", "a dög", "the end"]
    encoded = [text.encode() for text in texts]
    for data in (
        texts,
        encoded,
        np.array(texts),
        np.array(encoded),
        tf.data.Dataset.from_tensor_slices(texts).batch(2),
    ):
        assert Examples(data).data == texts


def test_batches_of_sequences_are_padded_to_the_longest():
    batches = [
        {"x": np.full((2, 2, 1), 1.0), "lengths": np.array([2, 1])},
        {"x": np.full((1, 4, 1), 2.0), "lengths": np.array([4])},
    ]
    examples = Examples(iter(batches))
    assert examples.kind == "sequences" and examples.lengths.tolist() == [2, 1, 4]
    assert examples.array[..., 0].tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [2, 2, 2, 2]]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros((0, 3)), "data must contain at least one example. Received: none"),
        ([], "data must contain at least one example. Received: none"),
        (iter([]), "data must contain at least one example. Received: no batch"),
        (7, "data must be an array, a dict of arrays, a list of strings, or batches of these. Received: int"),
        (
            "a",
            "data must be an array, a dict of arrays, a list of strings, or batches of these. Received: str",
        ),
        (
            {"x": [[1]], "length": [1]},
            """data must be {"x":, "lengths":} if it is a dict. Received: ['length', 'x']""",
        ),
    ],
)
def test_what_is_no_example_is_refused(data, message):
    with pytest.raises(InputError) as caught:
        Examples(data)
    assert str(caught.value) == message


def test_what_only_texts_or_waveforms_have_is_said():
    with pytest.raises(InputError, match="^vocabulary is required for texts. Received: vocabulary=None$"):
        Examples(["a b"]).pair_inputs()
    with pytest.raises(
        InputError, match="^data must be waveforms with lengths. Received: vectors without le"
    ):
        Examples(np.zeros((2, 8))).frames()


def test_texts_become_numbers_of_words():
    train, test = Examples(["the cat the", "a cat"]), Examples(["the dog"])
    vocabulary = train.vocabulary()
    assert vocabulary == {"cat": 1, "the": 2, "a": 3}
    inputs = test.pair_inputs(vocabulary)
    assert inputs["x"].tolist() == [[2, 0]] and inputs["lengths"].tolist() == [2]
    assert train.features(vocabulary)[0, :4].tolist() == pytest.approx([0, 1 / 3, 2 / 3, 0])


def test_padding_is_not_seen():
    x = np.array([[[1.0], [3.0], [77.0]]])
    examples = Examples({"x": x, "lengths": np.array([2])})
    assert examples.features().tolist() == [[2.0, 1.0]]
    assert thumbnails(examples, like=Examples(np.array([[[0.0], [3.0]]])))[0, 0, :, 0].tolist() == [
        85,
        255,
        0,
    ]


def test_pictures_lie_on_the_sheet_row_by_row():
    pictures = np.arange(SHEET_COLUMNS + 2, dtype="uint8").repeat(6).reshape(-1, 2, 3, 1)
    image = tf.io.decode_png(sheet(pictures)).numpy()
    assert image.shape == (4, SHEET_COLUMNS * 3, 1)
    assert image[0, ::3, 0].tolist() == list(range(SHEET_COLUMNS)) and image[2, 3, 0] == SHEET_COLUMNS + 1


def test_large_pictures_shrink_and_vectors_become_stripes():
    assert thumbnails(Examples(np.zeros((2, 200, 100, 3)))).shape == (2, 64, 32, 3)
    assert thumbnails(Examples(np.zeros((2, 784)))).shape == (2, 12, 64, 1)
    assert thumbnails(Examples(["a"])) is None


def test_closed_form_of_a_label_is_the_one_of_the_paper_for_equal_classes():
    for classes in (2, 4, 10, 100):
        expected = np.log(1 + 1 / classes) + np.log(1 + classes) / classes
        assert label_closed_form(np.arange(classes)) == pytest.approx(expected)
    # by brute force over all pairs: T* = log p(x, z) / p(x) p(z) of unequal classes
    labels = np.array([0, 0, 0, 1])
    ratio = (labels[:, None] == labels) / np.array([0.75, 0.75, 0.75, 0.25])
    expected = np.log1p(1 / np.diag(ratio)).mean() + np.log1p(ratio).mean()
    assert label_closed_form(labels) == pytest.approx(expected)


def test_controls_that_are_off_are_told():
    rows = [
        {"role": "noise", "name": "noise", "ld_star": 1.45},
        {"role": "label", "name": "digit", "ld_star": 0.9, "closed_form": 0.335},
    ]
    assert [text.split()[1] for text in doubts(rows)] == ["noise", "row"]
    assert doubts([{"role": "noise", "ld_star": 1.39}]) == []


@pytest.fixture
def measured_rows(monkeypatch):
    """The rows of pairs of some factors and settings; what is measured of each row is made up."""
    monkeypatch.setattr(pair_table, "pair_discrimination", lambda *_, **__: {"ld_star": 0.5})
    encoder = LoadedEncoder("function", "small", embed=lambda x: np.asarray(x)[:, :2])

    def rows(factors, **settings):
        chosen = settings_of("quick", settings)
        x = np.random.default_rng(0).normal(size=(12, 4)).astype("float32")
        return pair_table.measured_pairs(gather(encoder, x, factors, None, (x, factors), chosen), chosen)

    return rows


def test_the_label_beside_the_embedding_is_the_first_known_for_all(measured_rows):
    room = np.array(["a", None] * 6, object)
    found = measured_rows({"room": room, "slant": np.linspace(0, 1, 12), "half": np.arange(12) % 2})["rows"]
    assert [row["role"] for row in found] == ["embedding", "components", "label", "noise"]
    assert found[2]["name"] == "half, one-hot"
    assert found[2]["closed_form"] == pytest.approx(np.log(1.5) + np.log(3) / 2)
    found = measured_rows({"room": room, "slant": np.linspace(0, 1, 12), "one": np.zeros(12, int)})["rows"]
    assert [row["role"] for row in found] == ["embedding", "components", "noise"]
    assert found[-1]["closed_form"] == pytest.approx(1.3863, abs=1e-4)


def test_pairs_that_cannot_be_measured_are_left_out_with_the_reason(measured_rows, monkeypatch):
    def refuse(*_, **__):
        raise InputError("x must contain at least 8 examples to fit on. Received: 4")

    left_out = {"rows": [], "independent": pytest.approx(1.3863, abs=1e-4)}
    assert measured_rows({}, pairs=False) == {**left_out, "left_out": "it was not requested."}
    monkeypatch.setattr(pair_table, "pair_discrimination", refuse)
    reason = "x must contain at least 8 examples to fit on. Received: 4"
    assert measured_rows({}) == {**left_out, "left_out": reason}


@pytest.mark.parametrize(
    ("setting", "value", "rule"),
    [
        ("pool", "max", "one of auto, none, mean, mean_and_deviation. Received: pool='max'"),
        ("method", "mds", "one of auto, umap, tsne, pca. Received: method='mds'"),
        ("test_fraction", 1, "between 0 and 1. Received: test_fraction=1"),
        ("test_fraction", 0.0, "between 0 and 1. Received: test_fraction=0.0"),
        *[
            (name, value, f"at least 1. Received: {name}={value}")
            for name, value in (("seeds", 0), ("max_examples", 0), ("max_test", -1), ("neighbours", 0))
        ],
    ],
)
def test_settings_of_a_report_out_of_range_are_refused(setting, value, rule):
    with pytest.raises(ValueError) as caught:
        settings_of("quick", {setting: value})
    assert str(caught.value) == f"{setting} must be {rule}"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"data": {"equal_test_inputs": 3}},
            "Held-out inputs that equal another one: 3. Their mismatched pairs cannot be distinguished from "
            "matched ones, which raises L_D* and lowers retrieval.",
        ),
        (
            {"data": {"kind": "images", "shape": [64, 32, 3]}, "settings": {"pair_side": 16}},
            "The discriminator used images reduced to 16 pixels, which can only raise L_D*.",
        ),
        ({"pairs": {"left_out": "it was not requested."}}, "L_D* was left out: it was not requested."),
        (
            {"reconstruction": {"left_out": "it has the shape (4,), the input (6, 6, 1)"}},
            "The reconstruction was left out: it has the shape (4,), the input (6, 6, 1)",
        ),
    ],
    ids=["equal inputs", "reduced images", "no pairs", "no reconstruction"],
)
def test_reservations_about_the_results_are_cautions(embedding_record, changes, expected):
    results = embedding_record.results
    assert expected not in cautions(results)
    changed = {name: {**results[name], **change} for name, change in changes.items()}
    assert cautions({**results, **changed}).count(expected) == 1


def test_images_that_the_discriminator_sees_whole_are_no_caution(embedding_record):
    results = embedding_record.results
    assert results["settings"]["pair_side"] == 16 and results["data"]["shape"] == [6, 6, 1]
    assert not any("reduced" in text for text in cautions(results))


def test_an_embedding_like_noise_and_labels_of_bent_classes_are_told(embedding_record):
    results = embedding_record.results
    noise = {**results["pairs"]["rows"][0], "ld_star": 1.38}
    texts = {one.text: one.tone for one in findings({**results, "pairs": {"rows": [noise]}})}
    assert (
        texts[
            "The discriminator found almost no information about the input in the embedding: "
            "L_D* = 1.380 nats, where noise has 1.386."
        ]
        == "bad"
    )
    better = {"mlp": 0.9, "mlp_interval": [0.85, 0.95], "linear": 0.5, "interval": [0.4, 0.6]}
    probe = {**results["probes"]["digit"], **better}
    first, *_ = findings({**results, "probes": {"digit": probe}})
    assert first.text.endswith(
        "An MLP reaches 90.0\u202f%: part of the information is not linearly separable."
    )
    probe["mlp_interval"] = [0.55, 0.95]  # overlaps that of the linear probe
    first, *_ = findings({**results, "probes": {"digit": probe}})
    assert "MLP" not in first.text


def test_a_linear_probe_that_did_not_converge_is_a_caution(embedding_record):
    results = embedding_record.results
    (name, one), *_ = results["probes"].items()
    found = cautions({**results, "probes": {name: {**one, "unconverged": ["linear"]}}})
    assert f"The linear probe of {name} did not converge: its result may be too low." in found
    found = cautions({**results, "probes": {name: {**one, "unconverged": ["mlp"]}}})
    assert not any("converge" in text for text in found)


def test_use_of_codes_by_hand():
    codes = np.array([[0, 1], [0, 1], [2, 1], [2, 3]])
    use = code_use({"": codes}, {"": 8})["levels"][""]
    assert (use["usage"], use["bits"], use["positions"]) == (0.5, 6.0, 2)
    # position 0 carries 1 bit, position 1 the entropy of (3/4, 1/4)
    assert use["entropy"] == pytest.approx(1 - 0.75 * np.log2(0.75) - 0.25 * np.log2(0.25))
    shares = np.array([2, 3, 2, 1]) / 8
    assert use["perplexity"] == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))
    assert use["shares"] == [0.375, 0.25, 0.25, 0.125]


@pytest.mark.parametrize(
    "codes, values, unused, last",
    [
        (np.array([0, 1, 1, 5]), 8, 5, "8"),
        (np.arange(8), 8, 0, "8"),
        (np.arange(600), 1024, 0, "512 of 1,024"),  # 88 that were chosen are not listed
        (np.arange(6), 4096, 0, "6 of 4,096"),
        (np.array([0, 1]), 2, 0, "1"),  # a bit at one position
    ],
)
def test_the_axis_of_the_codes_has_those_that_were_never_chosen(codes, values, unused, last):
    (level,) = _codes(code_use({"": codes[:, None]}, {"": values}))
    assert (level["unused"], level["last"]) == (unused, last)
    if values == 8:
        assert level["top"] == format_percent(np.bincount(codes).max() / len(codes))
        assert level["equal_share"] == format_percent(1 / 8)


def test_padded_codes_are_left_out():
    use = code_use({"": np.array([[0, 1, 9], [1, 9, 9]])}, {"": 4}, lengths=np.array([2 / 3, 1 / 3]))
    assert use["usage"] == 0.5 and use["bits"] == 1.5 * 2


def test_bits_show_their_share_of_ones():
    assert code_use({"": np.array([[0, 1], [1, 1]])}, {"": 2})["levels"][""]["shares"] == [0.5, 1.0]


def test_two_numbers_are_their_own_map_and_few_points_get_components():
    z = np.random.default_rng(0).normal(size=(20, 2))
    found = plane(z)
    assert found["method"] == "the embedding itself" and found["trustworthiness"] == 1.0
    points = np.array(found["points"])
    np.testing.assert_allclose(np.corrcoef(points[:, 0], z[:, 0])[0, 1], 1, atol=1e-6)
    assert points.min() >= 0 and points.max() <= 1
    assert plane(np.random.default_rng(0).normal(size=(20, 5)))["method"] == "pca"


def test_groups_stay_groups_on_the_map():
    group = np.arange(60) % 3
    z = np.eye(3)[group] * 20 + np.random.default_rng(0).normal(size=(60, 3))
    first, again = plane(z, method="tsne"), plane(z, method="tsne")
    assert first == again and first["trustworthiness"] > 0.8
    points = np.array(first["points"])
    distances = np.linalg.norm(points[:, None] - points, axis=-1) + 9 * np.eye(60)
    assert (group[distances.argmin(axis=1)] == group).all()


def test_quantities_are_coloured_in_steps_and_rare_classes_together():
    values = {
        "x": np.linspace(0, 1, 40).tolist(),
        "name": [f"n{i % 20}" for i in range(40)],
        "d": [0, 1] * 20,
    }
    results = {"map": {"points": np.random.default_rng(0).uniform(size=(40, 2)).tolist(), "colours": values}}
    steps, names, classes = scatter(results)["colourings"]
    assert len(steps.entries) == 8 and steps.labels == []
    assert names.entries[-1] == ("11 others", "var(--other)") and len(names.entries) == 10
    assert [name for name, _ in classes.entries] == ["0", "1"] and len(classes.labels) == 2


def test_factors_that_do_not_fit_are_refused():
    assert list(as_factors(np.zeros((3, 2), int))) == ["factor 1", "factor 2"]
    with pytest.raises(InputError):
        as_factors({"a": np.zeros((3, 2))})


def test_umap_is_taken_where_it_is_installed(monkeypatch):
    class Umap:
        def __init__(self, random_state):
            self.seed = random_state

        def fit_transform(self, z):
            return z[:, :2] + self.seed

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=Umap))
    z = np.random.default_rng(0).normal(size=(40, 5))
    found = plane(z, seed=3)
    assert found["method"] == "umap"
    np.testing.assert_allclose(np.corrcoef(np.array(found["points"])[:, 0], z[:, 0])[0, 1], 1, atol=1e-6)


def test_waveforms_are_seen_as_log_mel_frames():
    """Two tones and their halves: the frames' mean tells the tone, padding does not count."""
    seconds = np.arange(8000) / 16_000
    tones = np.stack([np.sin(2 * np.pi * pitch * seconds) for pitch in (300, 300, 3000, 3000)])
    lengths = np.array([8000, 4000, 8000, 4000], "int32")
    tones[np.arange(8000) >= lengths[:, None]] = 7.0  # what padding holds is of no matter
    examples = Examples({"x": tones.astype("float32"), "lengths": lengths})
    assert examples.kind == "waveforms"
    frames = examples.frames()
    assert frames.kind == "sequences" and frames.lengths.tolist() == [51, 26, 51, 26]
    assert set(examples.pair_inputs()) == {"x", "lengths"}
    mean = examples.features()[:, :80]
    same, other = np.abs(mean[0] - mean[1]).mean(), np.abs(mean[0] - mean[2]).mean()
    assert same < other / 5  # they differ in the last frame, which is cut by the end
    assert thumbnails(examples).shape[0] == 4
    assert Examples(tones).kind == "vectors"
    assert Examples({"x": np.zeros((2, 5), "int32"), "lengths": lengths[:2] * 0 + 5}).kind == "tokens"


def test_frames_of_waveforms_have_the_settings_of_their_rate():
    time = np.arange(4000) / 8000
    tone = np.sin(2 * np.pi * 1000 * time).astype("float32")[None]
    given = Examples({"x": tone, "lengths": np.array([4000])}, sample_rate=8000)
    frames = given.take(np.array([0])).frames()
    assert frames.lengths.tolist() == [51]  # 10 ms each
    layer = log_mel_of(8000)
    assert (layer.sample_rate, layer.window_length, layer.hop) == (8000, 200, 80)
    np.testing.assert_allclose(frames.array, layer(tone).numpy())
    unknown = Examples(given.data).frames()
    assert unknown.lengths.tolist() == [26]  # of 16 kHz
    same = LogMelSpectrogram()
    assert log_mel_of(16_000).get_config() | {"name": ""} == same.get_config() | {"name": ""}


@pytest.mark.parametrize("where", ["data", "encoder"])
def test_a_report_takes_the_rate_of_the_data_or_else_of_the_encoder(where):
    waveforms = {"x": np.zeros((12, 800), "float32"), "lengths": np.full(12, 800)}
    encoder = LoadedEncoder("function", "small", embed=lambda batch: np.asarray(batch["x"])[:, :2])
    if where == "encoder":
        encoder = replace(encoder, preprocessing=Preprocessing(modality="speech", sample_rate=8000))
    data = Examples(waveforms, 8000 if where == "data" else None)
    material = gather(encoder, data, None, None, data, settings_of("quick", {}))
    assert [part["x"].shape[1] for part in material.inputs] == [11, 11]
