"""What the tests of several folders share."""

from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]

TESTS = Path(__file__).parent
# fixtures that take long to make: the tests that use them stay in one process
COSTLY = {"trained": "conformance", "trained_run": "run", "saved": "export", "onnx_files": "export"}
# left out by `make quick`: comparisons of all models, exports, whole runs, child processes
SLOW = ("benchmarks", "conformance", "export", "optimizers", "training", "test_examples.py")
SLOW += ("test_packaging.py", "test_quiet.py")
# begin with these, so that one process does not end with a long one while the other has nothing left
LONGEST = (
    "conformance",
    "test_replicas.py",
    "test_xla.py",
    "test_resume.py",
    "test_mixed_precision.py",
    "run",
)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items):
    """Under `--dist loadgroup --no-loadscope-reorder`: which tests run in the same process, and when.

    Without a costly fixture they are together file by file.
    """
    groups = {}
    for item in items:
        if item.path.relative_to(TESTS).parts[0] in SLOW:
            item.add_marker(pytest.mark.slow)
        own = [group for fixture, group in COSTLY.items() if fixture in item.fixturenames]
        groups[item] = (own or [item.path.name])[0]
        item.add_marker(pytest.mark.xdist_group(groups[item]))
    last = len(LONGEST)
    items.sort(key=lambda item: LONGEST.index(groups[item]) if groups[item] in LONGEST else last)


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """A folder for `sys.path` with links in the layout of an installed package, for processes."""
    folder = tmp_path_factory.mktemp("installed")
    (folder / "keras_ae_command.py").symlink_to(ROOT / "keras_ae_command.py")
    (folder / "keras_ae").mkdir()
    for path in [*(ROOT / "keras_ae").iterdir(), ROOT / "training", ROOT / "export"]:
        (folder / "keras_ae" / path.name).symlink_to(path)
    return str(folder)


@pytest.fixture(scope="session")
def tfd():
    """The distributions of TensorFlow Probability."""
    return pytest.importorskip("tensorflow_probability").distributions


@pytest.fixture(scope="session")
def embedding_record():
    """What was measured of a small embedding of images; the results of pairs are made up."""
    from keras_ae.evaluation.encoders.loading import LoadedEncoder
    from keras_ae.evaluation.report import measuring
    from keras_ae.evaluation.report.data import gather
    from keras_ae.evaluation.report.sections import pairs as pair_table
    from keras_ae.evaluation.report.settings import settings_of

    generator = np.random.default_rng(0)
    digit = np.arange(120) % 3
    images = np.clip(0.3 * generator.uniform(size=(120, 6, 6, 1)) + 0.3 * digit[:, None, None, None], 0, 1)
    encoder = LoadedEncoder(
        "Keras model",
        "Small",
        embed=lambda x: np.asarray(x).reshape(len(x), -1)[:, :4],
        codes=lambda x: {"": (np.asarray(x)[:, :2, 0, 0] > 0.5).astype(int)},
        num_values={"": 2},
        reconstruct=lambda x: np.asarray(x) * 0.9,
    )
    results = {"ld_star": 0.2, "auc": 0.99, "info_nce": 3.0, "retrieval": 0.9, "seeds": 1}
    results |= {"info_nce_candidates": 40, "noise": {"1.0": 0.7}}
    rows = [
        {"name": "embedding", "role": "embedding", "closed_form": None, **results},
        {"name": "digit, one-hot", "role": "label", "closed_form": 0.75, **results, "ld_star": 0.8},
        {"name": "noise", "role": "noise", "closed_form": pair_table.INDEPENDENT, **results, "ld_star": 1.38},
    ]
    settings = settings_of("quick", {})
    factors = {"digit": digit, "slant": generator.normal(size=120), "half": np.arange(120) // 60}
    material = gather(encoder, images.astype("float32"), factors, ["half"], None, settings)
    with pytest.MonkeyPatch.context() as patch:
        made_up = {"rows": rows, "independent": pair_table.INDEPENDENT}
        patch.setattr(measuring, "measured_pairs", lambda *_: made_up)
        return measuring.measure_embedding(material, settings, title="small")
