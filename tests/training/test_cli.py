"""The command line: what it prints, and one clear line with exit code 2 for bad input."""

import errno
import json
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae import InputError, export
from keras_ae.models import AutoEncoder
from keras_ae.training import run as run_module
from keras_ae.training.cli import main
from keras_ae.training.command_line import parsing
from keras_ae.training.command_line.training import train_command
from keras_ae.training.recipes import RECIPES

QUICK = ("--epochs", "1", "--filters", "8", "--no-baselines", "--no-probe")
RECIPE_NAMES = tuple(RECIPES)
LISTED = ", ".join(RECIPE_NAMES)


def tree(folder):
    """Everything below a folder, with the time it was written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.fixture
def complaint(capsys, tmp_path):
    """The one line about the given arguments, without which nothing is written."""

    def call(*arguments):
        before = tree(tmp_path)
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert code == 2 and out == ""
        assert err.startswith("keras-ae: ") and err.endswith("\n") and len(err.splitlines()) == 1
        assert "Traceback" not in err and "None" not in err
        assert tree(tmp_path) == before
        return err

    return call


@pytest.fixture
def write_png(tmp_path):
    """Writes an image below the folder `images` and returns the folder."""

    def write(name, image):
        path = tmp_path / "images" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(image if isinstance(image, bytes) else tf.io.encode_png(image).numpy())
        return path.parent

    return write


# what is listed and explained


def test_recipes_are_listed_with_what_they_are(capsys):
    assert main(["recipes"]) == 0
    out = capsys.readouterr().out
    assert tuple(line.split()[0] for line in out.splitlines()[: len(RECIPE_NAMES)]) == RECIPE_NAMES
    assert all(recipe.summary in out for recipe in RECIPES.values())


@pytest.mark.parametrize("arguments", [["--help"], []], ids=str)
def test_help_names_every_verb(capsys, arguments):
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert all(verb in out for verb in ("recipes", "train", "report", "export", "encode", "demo"))


@pytest.mark.parametrize("recipe", RECIPE_NAMES)
def test_help_of_a_recipe_explains_every_setting(capsys, recipe):
    assert main(["train", recipe, "--help"]) == 0
    out = capsys.readouterr().out
    for setting in RECIPES[recipe]().settings():
        assert f"--{setting.replace('_', '-')}" in out
    assert "--resume RUN" in out and "--runs PATH" in out


def test_completion_of_a_shell_contains_commands_recipes_and_options(capsys):
    assert main(["--tyro-print-completion", "bash"]) == 0
    out = capsys.readouterr().out
    assert "complete -F" in out and all(word in out for word in ("compare", "vqvae2", "num-embeddings"))


def test_help_is_wrapped_where_the_terminal_ends_and_not_where_the_source_does(capsys):
    assert main(["train", "vae", "--help"]) == 0
    words = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "finished training, which continues up to a larger --epochs. If the data were moved" in words
    lines = parsing._postponed(train_command).__doc__.splitlines()
    assert [line for line in lines if line.startswith("    resume: ") and line.endswith("pass --data.")]


def test_help_of_encode_names_what_goes_in_and_comes_out(capsys):
    assert main(["encode", "--help"]) == 0
    assert "RUN DATA OUTPUT" in capsys.readouterr().out


# bad options


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nope"], "Unrecognized options: nope. See: keras-ae --help"),
        (["train"], f"Missing from keras-ae train: one of {{{LISTED}}}. See: keras-ae train --help"),
        (["train", "nope"], f"RECIPE must be one of {LISTED}. Received: nope"),
        (["train", "vae", "--nope", "3"], "Unrecognized options: --nope, 3. See: keras-ae train vae --help"),
        (["train", "vae", "--epoch", "3"], "--epoch, 3. Perhaps you meant --epochs. See"),
        (["train", "vae", "--no-prob"], "Unrecognized options: --no-prob. Perhaps you meant --no-probe. See"),
        (["train", "--epochs", "3"], "Unrecognized or misplaced options: --epochs, 3. See: keras-ae train -"),
        (
            ["train", "vae", "--epochs", "0"],
            "--epochs must be at least 1. Received: 0. See: keras-ae train vae --help",
        ),
        (["train", "vae", "--epochs", "-3"], "--epochs must be at least 1. Received: -3."),
        (["train", "vae", "--epochs", "three"], "--epochs must be a whole number. Received: 'three'."),
        (["train", "vae", "--noise", "much"], "--noise must be a number. Received: 'much'."),
        (["train", "vae", "--batch-size", "0"], "--batch-size must be at least 1. Received: 0."),
        (
            ["train", "vae", "--learning-rate", "0"],
            "--learning-rate must be a positive number. Received: 0.0",
        ),
        (["train", "vae", "--epochs"], "--epochs must have a value. Received: none. See"),
        (
            ["train", "vae", "--likelihood", "nope"],
            "--likelihood must be one of 'bernoulli', 'gaussian'. Received: 'nope'. See",
        ),
        (["train", "vae", "--channels", "2"], "--channels must be one of '1', '3'. Received: '2'. See"),
        (
            ["train", "quick-thought", "--sub-batches", "x"],
            "must be a whole number. Received: 'x'. See",
        ),
        (["train", "vae", "--warm-up", "3"], "--warm-up must be from 0 to 1. Received: 3.0"),
        (["train", "vqvae", "--ema-decay", "2"], "--ema-decay must be at least 0 and below 1. Received: 2.0"),
        (
            ["train", "vae", "--image-size", "32"],
            "--image-size must be two whole numbers, a height and a width. Received: '32'.",
        ),
        (
            ["train", "vae", "--image-size", "0", "8"],
            "--image-size must be a height and a width of at least 1",
        ),
        (["train", "deep-infomax", "--downsampling", "0"], "--downsampling must be at least 1. Received: 0"),
        (["train", "quick-thought", "--batch-size", "1"], "--batch-size must be at least 2 sentences"),
        (
            ["train", "cpc", "--first-step", "20"],
            "--first-step must be at most --steps. Received: --first-step 20, --steps 12",
        ),
        (["train", "adain-voice-conversion", "--strides", "0"], "--strides must be numbers of at least 1"),
        (["train", "fsq", "--levels", "5", "x"], "--levels must be whole numbers. Received: '5', 'x'. See"),
        (["encode", "run", "images"], "Missing from keras-ae encode: OUTPUT. See"),
        (
            ["export", "run", "--to", "tflite"],
            "--to must be one of 'saved-model', 'onnx'. Received: 'tflite'. See",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_option_is_one_line(complaint, arguments, expected):
    assert expected in complaint(*arguments)


@pytest.mark.parametrize("broken", ["no hook", "unknown event"])
def test_errors_that_tyro_does_not_hand_over_are_reported_by_tyro(capsys, monkeypatch, broken):
    if broken == "no hook":
        monkeypatch.setitem(sys.modules, "tyro._errors", None)
        monkeypatch.setattr(parsing, "_unrecognized", None)
    else:
        monkeypatch.setattr(parsing, "_unrecognized", lambda *_: None)
    assert main(["nope"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "Unrecognized options: nope" in err and "Traceback" not in err


# bad data


@pytest.mark.parametrize("name", ["missing.npz", "missing/"])
def test_missing_data_is_named(complaint, tmp_path, name):
    line = complaint("train", "vqvae", "--data", tmp_path / name, "--runs", tmp_path / "runs", *QUICK)
    assert f"{tmp_path / name} does not exist: the source must be" in line


def test_broken_image_is_named(complaint, tmp_path, write_png):
    write_png("a.png", np.zeros((8, 8, 1), "uint8"))
    folder = write_png("b.png", b"\x89PNG\r\n\x1a\n and then nothing")
    line = complaint("train", "vqvae", "--data", folder, "--runs", tmp_path / "runs", *QUICK)
    assert f"{folder / 'b.png'} is not a readable image, perhaps cut short" in line


def test_more_halvings_than_the_images_have_are_refused(complaint, tmp_path, small_npz):
    options = ["--data", small_npz, "--downsampling", "9", "--runs", tmp_path / "runs"]
    line = complaint("train", "vqvae", *options)
    assert "--downsampling must be at most 3 for images of 8x8 pixels. Received: 9" in line


def test_words_that_are_too_rare_are_told_by_the_option(complaint, tmp_path):
    (tmp_path / "text.txt").write_text("one two three\nfour five six\n" * 30)
    options = ["--data", tmp_path / "text.txt", "--sentence-per-line", "--runs", tmp_path / "runs"]
    line = complaint("train", "skip-thought", *options, "--min-count", "100")
    assert "--min-count must be lower: no word of the training text occurs 100 times." in line


def test_arguments_of_layers_are_told_as_options(complaint, tmp_path, small_npz, monkeypatch):
    def refuse(*_):
        raise ValueError("ema_decay must be positive. Received: ema_decay=0, seed=1")

    monkeypatch.setattr(RECIPES["vqvae"], "build_model", refuse)
    line = complaint("train", "vqvae", "--data", small_npz, "--runs", tmp_path / "runs")
    assert (
        "These settings do not give a valid model for (8, 8, 1) images: --ema-decay must be positive" in line
    )
    assert "Received: --ema-decay=0, --seed=1" in line


def test_damaged_npz_is_named(complaint, tmp_path, small_npz):
    path = tmp_path / "cut.npz"
    path.write_bytes(small_npz.read_bytes()[:1000])
    line = complaint("train", "vqvae", "--data", path, "--runs", tmp_path / "runs", *QUICK)
    assert f"{path} is not a readable .npz file" in line


def test_wrong_channel_count_is_named(complaint, tmp_path, trained_run, write_png):
    folder = write_png("a.png", np.zeros((8, 8, 3), "uint8"))
    line = complaint("encode", trained_run, folder, tmp_path / "codes.npz")
    assert f"Images must have 1 channels. Received: {folder / 'a.png'} with 3" in line


# bad places


def test_run_directory_that_cannot_be_made_is_named(complaint, tmp_path, small_npz):
    (tmp_path / "file").touch()
    line = complaint("train", "vqvae", "--data", small_npz, "--runs", tmp_path / "file" / "runs", *QUICK)
    assert str(tmp_path / "file" / "runs") in line and "choose another with --runs" in line


def test_runs_are_not_made_in_the_folder_of_the_data(complaint, tmp_path, write_png):
    folder = write_png("a.png", np.zeros((8, 8, 1), "uint8"))
    line = complaint("train", "vqvae", "--data", folder, "--runs", folder / "runs", *QUICK)
    assert f"must not lie in {folder}, whose files are inputs" in line and "Pass it with --runs" in line


def test_trainings_of_one_second_have_directories_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(run_module.time, "strftime", lambda form: "20260101-120000")
    recipe = RECIPES["vqvae"]()
    names = [run_module.Run.create(recipe, tmp_path).directory.name for _ in range(3)]
    assert names == ["20260101-120000", "20260101-120000-2", "20260101-120000-3"]


@pytest.mark.parametrize("verb", [["report"], ["export"], ["train", "vqvae", "--resume"]], ids=" ".join)
def test_what_is_not_a_run_directory_is_refused(complaint, tmp_path, verb):
    assert f"{tmp_path} is not a run directory: it has no config.json." in complaint(*verb, tmp_path)


@pytest.mark.parametrize("verb", ["export", "encode"])
def test_truncated_model_is_named(complaint, tmp_path, trained_run, small_npz, verb):
    broken = shutil.copytree(trained_run, tmp_path / "broken")
    path = broken / "model.keras"
    path.write_bytes(path.read_bytes()[:-500])
    rest = [small_npz, tmp_path / "codes.npz"] if verb == "encode" else []
    expected = f"{path} is not a readable Keras model: it is damaged or cut short"
    assert expected in complaint(verb, broken, *rest)


def test_run_without_a_model_is_not_exported(complaint, tmp_path, trained_run):
    stopped = shutil.copytree(trained_run, tmp_path / "stopped")
    (stopped / "model.keras").unlink()
    state = f"{stopped} has no best model yet: its training has not progressed far enough."
    expected = f"{state} Finish it with: keras-ae train --resume {stopped}\n"
    assert expected in complaint("export", stopped)


@pytest.mark.parametrize("shard", ["3", "2/2", "-1/2", "a/b", "1/2/3"])
def test_bad_shard_is_refused(complaint, tmp_path, trained_run, small_npz, shard):
    line = complaint("encode", trained_run, small_npz, tmp_path / "codes.npz", f"--shard={shard}")
    assert f"--shard must be i/n with 0 <= i < n, such as 0/4. Received: --shard {shard}" in line


@pytest.mark.parametrize("output", ["codes.txt", "codes", "folder.npz", "file/codes.npz"])
def test_output_that_cannot_be_written_is_refused(complaint, tmp_path, trained_run, small_npz, output):
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "file").touch()
    assert str((tmp_path / output).parent) in complaint("encode", trained_run, small_npz, tmp_path / output)


def test_batch_of_nothing_is_refused(complaint, tmp_path, trained_run, small_npz):
    line = complaint("encode", trained_run, small_npz, tmp_path / "codes.npz", "--batch-size", "0")
    assert "The batch size must be at least 1. Received: 0" in line


# what goes wrong on the way


@pytest.mark.parametrize(
    ("error", "code", "expected"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "runs/model.keras"),
            2,
            "runs/model.keras: No space left",
        ),
        (KeyboardInterrupt(), 130, "stopped. Nothing was written. Run it again with: keras-ae train vqvae"),
        (ImportError("This needs the package `matplotlib`."), 2, "This needs the package `matplotlib`."),
        (
            tf.errors.ResourceExhaustedError(None, None, "OOM when allocating\n a tensor"),
            2,
            "the memory is full: lower --batch-size or the size of the model. TensorFlow says: "
            "OOM when allocating a tensor\n",
        ),
        (
            tf.errors.PermissionDeniedError(None, None, "runs; not allowed"),
            2,
            "keras-ae: runs; not allowed\n",
        ),
        (
            tf.errors.UnknownError(None, None, "logs; No space left on device"),
            2,
            "keras-ae: logs; No space left on device\n",
        ),
    ],
    ids=["full disk", "Ctrl-C", "missing package", "memory", "rights", "full disk of TensorFlow"],
)
def test_interrupted_training_is_one_line(monkeypatch, capsys, error, code, expected):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(run_module, "train", fail)
    assert main(["train", "vqvae"]) == code
    err = capsys.readouterr().err
    assert expected in err and len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "error", [RuntimeError("a bug"), tf.errors.InvalidArgumentError(None, None, "shapes")], ids=repr
)
def test_errors_of_the_program_keep_their_traceback(monkeypatch, error):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(run_module, "train", fail)
    with pytest.raises(type(error)) as caught:
        main(["train", "vqvae"])
    assert caught.value is error


@pytest.fixture
def demo(trained_run, tmp_path, monkeypatch):
    """`keras-ae demo` of a run that is trained already, with exports that have a manifest only."""
    run = shutil.copytree(trained_run, tmp_path / "run")
    row = {"endpoint": "encode", "output": "codes", "batch": 3, "length": None, "ties": 0, "ok": True}

    def write(directory, format):
        manifest = {"format_version": 1, "format": format, "endpoints": {}}
        manifest["verification"] = [{**row, "format": format, "difference": 0.0, "relative": 0.0}]
        directory.mkdir(parents=True)
        (directory / "manifest.json").write_text(json.dumps(manifest))
        return directory

    def call(*options, failed=()):
        measured = []
        monkeypatch.setattr(run_module, "train", lambda *_, **__: run_module.Run(run))
        monkeypatch.setattr(
            "keras_ae.training.commands.report.report",
            lambda directory, budget: measured.append((directory, budget)) or (None, dict(failed)),
        )
        monkeypatch.setattr(export, "to_saved_model", lambda _, to, **__: write(to / "1", "saved_model"))
        monkeypatch.setattr(
            export, "to_onnx", lambda _, to, **__: {"encode": write(to / "1", "onnx") / "e.onnx"}
        )
        return main(["demo", *options]), run, measured

    return call


def test_the_demo_names_the_page_the_exports_and_the_next_command(demo, capsys):
    code, run, measured = demo()
    out = capsys.readouterr().out
    assert code == 0 and measured == [(run, "quick")]
    listed = dict(
        line.split() for line in out.splitlines() if line.startswith(("report ", "SavedM", "ONNX "))
    )
    expected = {"report": "report.html", "SavedModel": "export/saved_model", "ONNX": "export/onnx"}
    assert listed == {name: str(run / path) for name, path in expected.items()}
    assert all((run / path).exists() for path in expected.values())
    assert out.endswith(
        f"encode your own images: keras-ae encode {run} IMAGES codes.npz --resize --channels 1\n"
    )
    numbers = ["encode", "codes", "3", "-", "0.0e+00", "0.0e+00", "0", "equal"]
    for artifact, format in (("saved_model/1", "saved_model"), ("onnx/1", "onnx")):
        _, table = out.split(f"\n{run / 'export' / artifact}\n")
        assert table.splitlines()[1].split() == [format, *numbers]


def test_the_demo_ends_with_1_if_a_measurement_failed(demo):
    assert demo(failed={"the map": "RuntimeError"})[0] == 1


def test_the_demo_without_an_embedding_measures_nothing(demo):
    code, _, measured = demo("--embedding", "nothing")
    assert code == 0 and measured == []


def test_failed_verification_shows_its_rows_and_ends_with_1(monkeypatch, capsys, trained_run):
    def fail(*args, **kwargs):
        raise export.VerificationError("The artifact differs from the model in 1 of 2 outputs.\nrow")

    monkeypatch.setattr(export, "to_saved_model", fail)
    assert main(["export", str(trained_run), "--to", "saved-model"]) == 1
    assert capsys.readouterr().err == (
        "keras-ae: The artifact differs from the model in 1 of 2 outputs.\nrow\n"
    )
    assert not (trained_run / "export").exists()


def test_decoder_whose_output_does_not_fit_is_named():
    encoder = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)])
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(7)])
    with pytest.raises(InputError) as caught:
        AutoEncoder(encoder, decoder)
    message = str(caught.value)
    assert "(None, 7)" in message and "(None, 8)" in message and len(message.splitlines()) == 1


# whole processes


@pytest.mark.parametrize("module", ["keras_ae_command", "keras_ae.training.cli"])
def test_bad_input_in_a_process_of_its_own_is_one_line(installed, module):
    program = (
        f"import runpy, sys; sys.path[:0] = {[installed, *sys.path]}; sys.argv[1:] = ['train', 'nope']; "
        f"runpy.run_module('{module}', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    expected = f"keras-ae: RECIPE must be one of {LISTED}. Received: nope\n"
    assert done.stderr == expected if module == "keras_ae_command" else done.stderr.endswith(expected)


def test_training_writes_the_whole_run_directory(trained_run):
    names = {path.name for path in trained_run.iterdir()}
    expected = {"config.json", "model.keras", "metrics.json", "history.csv", "logs", "figures", "report.html"}
    assert names >= expected | {"training.json"}
    assert "learning_rate" in (trained_run / "history.csv").read_text().splitlines()[0].split(",")
    assert json.loads((trained_run / "config.json").read_text())["settings"]["filters"] == 8
    assert not [name for name in names if name.startswith(".")]


IMPOSSIBLE = (
    ["vqvae", "--num-embeddings", "0"],
    ["vqvae", "--ema-decay", "2"],
    ["gumbel", "--temperature", "0"],
    ["binary", "--bits", "0"],
    ["vae", "--beta", "-1"],
    ["autoencoder", "--noise", "-1"],
    ["autoencoder", "--learning-rate", "nan"],
    ["vqvae-prior", "--dropout", "1.5"],
    ["vqvae-prior", "--num-attention-heads", "5"],
    ["vqvae-prior", "--autoencoder-epochs", "0"],
)


@pytest.mark.parametrize("arguments", IMPOSSIBLE, ids=" ".join)
def test_impossible_settings_are_one_line_and_leave_no_run(arguments, small_npz, tmp_path, capsys):
    runs = tmp_path / "runs"
    assert main(["train", *arguments, "--data", str(small_npz), "--runs", str(runs)]) == 2
    errors = capsys.readouterr().err.strip()
    assert errors.startswith("keras-ae: ") and "\n" not in errors
    assert not runs.exists()


def test_a_training_that_diverges_says_so(small_npz, tmp_path, capsys):
    arguments = ["--data", str(small_npz), "--epochs", "2", "--filters", "4", "--learning-rate", "1e30"]
    assert main(["train", "autoencoder", *arguments, "--runs", str(tmp_path)]) == 2
    assert "Lower --learning-rate" in capsys.readouterr().err
