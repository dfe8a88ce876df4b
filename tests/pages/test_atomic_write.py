import os
import stat

import pytest

from keras_ae.pages.atomic_write import write_atomically


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
