import os
import subprocess
import sys

import pytest

from keras_ae.quiet import without_chatter

NOTES = [
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n",
    b"I0000 00:00:1795368238.985508   21271 port.cc:153] oneDNN custom operations are on.\n",
    b"W0000 00:00:1795368238.985508   21271 gpu_device.cc:2342] Cannot dlopen some GPU libraries.\n",
    b"E0000 00:00:1795368242.8 21271 cuda_platform.cc:52] failed call to cuInit: UNKNOWN ERROR (303)\n",
    b"2026-11-22 17:24:29.719582: I tensorflow/core/util/port.cc:113] oneDNN custom operations are on.\n",
    b"2026-11-22 17:24:29.9: E external/cuda_fft.cc:479] Unable to register cuFFT factory: one is there\n",
]
ERRORS = [
    b"E0000 00:00:1795368242.8 21271 cuda_platform.cc:52] failed call to cuInit: SYSTEM_DRIVER_MISMATCH\n",
    b"F0000 00:00:1795368242.8 21271 cpu_feature_guard.cc:65] The library was compiled to use AVX\n",
    b"Segmentation fault\n",
    b"Information that is ours\n",
]
MISSING = b"keras-ae: nothing contains no measured embedding (embedding.json)."
# a command that loads TensorFlow, and what that might write after it, in the same process
PROGRAM = """
import os, sys
sys.path[:0] = {path}
sys.argv = ["keras-ae", "compare", "nothing"]
import keras_ae_command
assert keras_ae_command.main() == 2
import tensorflow as tf
tf.constant(1.0) + 1.0  # starts the runtime
os.write(2, {lines})
print("our own line", file=sys.stderr)
{end}
"""


@pytest.fixture
def run(installed):
    def call(lines, end="", **environment):
        program = PROGRAM.format(path=[installed, *sys.path], lines=lines, end=end)
        others = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
        return subprocess.run([sys.executable, "-c", program], capture_output=True, env=others | environment)

    return call


@pytest.mark.parametrize("line", NOTES)
def test_notes_are_left_out(line):
    assert without_chatter(b"before\n" + line + b"after\n") == b"before\nafter\n"


def test_errors_stay():
    assert without_chatter(b"".join(ERRORS)) == b"".join(ERRORS)


def test_command_line_shows_nothing_of_tensorflow_but_its_errors(run):
    done = run(NOTES[1] + ERRORS[1])
    assert done.returncode == 0
    error, complaint, own = sorted(done.stderr.splitlines(keepends=True))
    assert (error, own) == (ERRORS[1], b"our own line\n") and complaint.startswith(MISSING)


def test_what_a_crashing_process_says_is_shown(run):
    done = run(NOTES[1] + ERRORS[1], end="import faulthandler; faulthandler.enable(); os.abort()")
    assert done.returncode < 0
    assert ERRORS[1] in done.stderr and b"Fatal Python error: Aborted" in done.stderr
    assert b"oneDNN" not in done.stderr


def test_log_level_of_the_user_is_kept(run):
    assert NOTES[1] in run(NOTES[1], TF_CPP_MIN_LOG_LEVEL="0").stderr


def test_a_command_that_is_stopped_while_it_imports_says_one_line(installed):
    # Ctrl-C at the moment when TensorFlow is imported
    finder = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs ignore it
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'tensorflow': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    program = finder + PROGRAM.format(path=[installed, *sys.path], lines=b"", end="")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True)
    assert done.returncode == 130 and done.stdout == b""
    assert done.stderr == b"keras-ae: stopped before the work began. Nothing was written.\n"


def test_import_of_the_package_changes_nothing_of_the_process():
    program = (
        f"import os, signal, sys; sys.path[:0] = {sys.path}; sys.argv = ['/usr/bin/keras-ae']\n"
        "def state():\n"
        "    return signal.getsignal(signal.SIGINT), os.fstat(2).st_ino, sys.stderr, dict(os.environ)\n"
        "import tensorflow; before = state(); import keras_ae; assert state() == before"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
