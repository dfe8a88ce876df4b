"""Files: whole or absent, named where they fail, and never written over an input."""

import errno
import os
import stat

import pytest

from keras_ae import InputError, files
from keras_ae.files import named_errors, output_paths, page_outputs, replacing, write_atomically


def test_replaces_the_file_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "folder" / "a.txt"
    write_atomically(path, "old")
    write_atomically(path, "new, ü")
    assert path.read_text(encoding="utf-8") == "new, ü"
    assert os.listdir(path.parent) == ["a.txt"]


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    write_atomically(path, b"old")

    def fail(*_):
        raise OSError("no space")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_the_file_has_the_rights_of_any_new_file(tmp_path):
    (tmp_path / "usual").write_text("")
    write_atomically(tmp_path / "ours", "")
    usual, ours = (stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("usual", "ours"))
    assert ours == usual


def test_a_full_disk_names_the_file():
    with (
        pytest.raises(OSError, match="No space left on device: 'a.txt'") as caught,
        named_errors("a.txt"),
        open("/dev/full", "wb", buffering=0) as full,
    ):
        full.write(b"x")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, "a.txt")


def test_a_short_write_of_numpy_names_the_file(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(OSError, match="a.npz") as caught, replacing(path):
        raise OSError("4096 requested and 0 written")  # as ndarray.tofile does, without a number
    assert caught.value.filename == str(path) and "4096 requested" in caught.value.strerror
    assert not list(tmp_path.iterdir())


# outputs


@pytest.fixture
def inputs(tmp_path):
    """A folder `in` with `a.wav` and `more/b.wav`."""
    for name in ("in/a.wav", "in/more/b.wav"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"recording")
    return tmp_path / "in"


def test_outputs_elsewhere_are_accepted(inputs, tmp_path):
    names = ["a.wav", "more/b.wav"]
    assert output_paths(names, inputs=[inputs], folder=tmp_path / "out") == [
        tmp_path / "out" / name for name in names
    ]
    assert output_paths([tmp_path / "in.npz"], inputs=[inputs, tmp_path / "missing"]) == [tmp_path / "in.npz"]


@pytest.mark.parametrize("name", ["in/a.wav", "in/../in/a.wav", "link/a.wav", "hard.wav", "symlink.wav"])
def test_an_output_that_is_an_input_is_refused_by_any_name(inputs, tmp_path, name):
    (tmp_path / "link").symlink_to(inputs)
    (tmp_path / "hard.wav").hardlink_to(inputs / "a.wav")
    (tmp_path / "symlink.wav").symlink_to(inputs / "a.wav")
    with pytest.raises(InputError, match="must not be an input"):
        output_paths([tmp_path / name], inputs=[inputs / "a.wav"])


@pytest.mark.parametrize("name", ["in/a.wav", "in/new.wav", "in/more/new/c.wav", "link/c.wav"])
def test_an_output_in_an_input_folder_is_refused(inputs, tmp_path, name):
    (tmp_path / "link").symlink_to(inputs / "more")
    with pytest.raises(InputError, match="must not lie in .*in, whose files are inputs"):
        output_paths([tmp_path / name], inputs=[inputs])


@pytest.mark.parametrize("name", ["../a.wav", "b/../../a.wav", "/a.wav", "out/a.wav"])
def test_an_output_outside_of_the_output_folder_is_refused(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "out").symlink_to(tmp_path)
    with pytest.raises(InputError, match=f"must lie in the output folder .*folder. Received: {name}"):
        output_paths([name], folder=tmp_path / "folder")


def test_outputs_that_coincide_are_refused_with_their_sources(tmp_path):
    sources = ["a.flac", "b.wav", "a.ogg"]
    with pytest.raises(InputError, match="a.flac and a.ogg, which would both be written to .*a.wav"):
        output_paths(["a.wav", "b.wav", "a.wav"], folder=tmp_path, sources=sources)


def test_outputs_that_coincide_where_case_is_ignored(tmp_path, monkeypatch):
    names = ["Ann.wav", "ann.wav"]
    assert len(output_paths(names, folder=tmp_path)) == 2
    monkeypatch.setattr(files, "ignores_case", lambda path: True)
    with pytest.raises(InputError, match="Ann.wav and ann.wav, which would both"):
        output_paths(names, folder=tmp_path)


@pytest.mark.parametrize(("output", "kind"), [("in", "a directory"), ("/dev/null", "not a regular file")])
def test_an_output_that_is_no_file_is_refused(inputs, tmp_path, output, kind):
    with pytest.raises(InputError, match=f"must be a file. Received: {kind}. Pass the name of a file"):
        output_paths([tmp_path / output])


def test_a_page_does_not_replace_results_that_come_from_elsewhere(tmp_path):
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(InputError, match="a.json, which must not exist without the page"):
        page_outputs(tmp_path / "a.html")
    (tmp_path / "a.html").write_text("")  # written together before
    assert page_outputs(tmp_path / "a.html") == (tmp_path / "a.html", tmp_path / "a.json")
    with pytest.raises(InputError, match="a.json must not be an input"):
        page_outputs(tmp_path / "a.html", [tmp_path / "a.json"])
    with pytest.raises(InputError, match="must be an .html file"):
        page_outputs(tmp_path / "a.json")


def test_a_folder_that_cannot_be_written_to_names_the_file(tmp_path, monkeypatch):
    def refuse(dir, prefix, suffix):
        raise PermissionError(errno.EACCES, "Permission denied", f"{dir}/{prefix}x7{suffix}")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(PermissionError) as caught:
        write_atomically(tmp_path / "a.json", "{}")
    assert caught.value.filename == str(tmp_path / "a.json")
