"""Two processes never write one run."""

import errno
import json
import os
import socket
import subprocess
import sys
import threading

import pytest

from keras_ae import InputError
from keras_ae.training.run_directory import lock as run_lock
from keras_ae.training.run_directory.lock import RunLock

DEAD = 2**22 + 1  # no process has this number


def lock_file(folder, **about):
    content = {"process": DEAD, "host": socket.gethostname(), "work": "trained", "started": "today", **about}
    (folder / "training.lock").write_text(json.dumps(content))


def test_a_second_process_is_refused_with_the_first_named(tmp_path):
    with RunLock(tmp_path):
        assert RunLock.holder(tmp_path)["process"] == os.getpid()
        with pytest.raises(
            InputError, match=f"is being trained by process {os.getpid()} on .* since 20.*wait"
        ):
            RunLock(tmp_path).__enter__()
    assert RunLock.holder(tmp_path) is None and not list(tmp_path.iterdir())


def test_a_lock_of_a_killed_process_is_taken_over(tmp_path, capsys):
    program = (
        "import fcntl, json, os, socket, sys; file = open(sys.argv[1], 'w');"
        "fcntl.flock(file, fcntl.LOCK_EX);"
        "json.dump({'process': os.getpid(), 'host': socket.gethostname()}, file); file.flush();"
        "print(flush=True); input()"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "training.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        with pytest.raises(InputError, match=f"process {process.pid} on"):
            RunLock(tmp_path).__enter__()
        process.kill()
    with RunLock(tmp_path):
        assert f"of process {process.pid}, which has ended, is taken over" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["", "{cut sho"])
def test_a_lock_file_that_was_cut_short_is_taken_over(tmp_path, content):
    (tmp_path / "training.lock").write_text(content)
    with RunLock(tmp_path):
        pass


@pytest.mark.parametrize("process", [DEAD, os.getpid()], ids=["dead", "alive"])
def test_a_file_system_without_flock_asks_for_the_process(tmp_path, monkeypatch, process):
    def unsupported(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(run_lock.fcntl, "flock", unsupported)
    lock_file(tmp_path, process=process)
    if process == DEAD:
        with RunLock(tmp_path):
            assert RunLock.holder(tmp_path)["process"] == os.getpid()
    else:
        with pytest.raises(InputError, match="is being trained by process"):
            RunLock(tmp_path).__enter__()
        assert RunLock.holder(tmp_path)["started"] == "today"


@pytest.mark.parametrize("beating", [False, True])
def test_the_lock_of_another_host_is_watched_for_a_sign_of_life(tmp_path, monkeypatch, capsys, beating):
    lock_file(tmp_path, host="elsewhere")
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        if beating:
            os.utime(tmp_path / "training.lock", ns=(1, 1))

    monkeypatch.setattr(run_lock.time, "sleep", sleep)
    if beating:
        with pytest.raises(InputError, match=f"process {DEAD} on elsewhere since today"):
            RunLock(tmp_path).__enter__()
    else:
        with RunLock(tmp_path):
            pass
    assert slept == [3 * run_lock.BEAT] and "waiting to see if it is still running" in capsys.readouterr().out


def test_a_holder_shows_that_it_lives(tmp_path, monkeypatch):
    shown = threading.Event()
    monkeypatch.setattr(run_lock, "BEAT", 0.01)
    monkeypatch.setattr(run_lock.os, "utime", lambda path: shown.set())
    with RunLock(tmp_path):
        assert shown.wait(10)


def test_a_read_only_run_is_one_clear_line(tmp_path, monkeypatch):
    def refuse(path, *_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)

    monkeypatch.setattr(run_lock.os, "open", refuse)
    with pytest.raises(InputError, match=r"cannot be written to \(Read-only file system\): make it writable"):
        RunLock(tmp_path).__enter__()
