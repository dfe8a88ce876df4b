"""Manifests of recordings: their columns, cells and paths."""

import pytest

from keras_ae.errors import DataWarning
from keras_ae.training.datasets import load_speech


@pytest.mark.parametrize(("name", "separator"), [("manifest.csv", ","), ("manifest.tsv", "\t")])
@pytest.mark.filterwarnings("ignore:.*not in manifest")
def test_manifest(recordings, name, separator):
    rows = [("path", "speaker", "text", "split", "mood")]
    rows += [(f"no_ann_{take}.wav", "x", "No!", "train", "calm") for take in (0, 1)]
    rows += [
        ("yes_bob_0.wav", "y", "Yes yes", "test", "glad"),
        ("yes_cid_0.wav", "x", "Yes", "validation", "calm"),
    ]
    lines = "\n".join(separator.join(row) for row in rows)
    (recordings / name).write_text("\ufeff" + lines + "\n", encoding="utf-8")  # as spreadsheets write it
    data = load_speech(recordings, label="mood")
    assert (len(data.train), len(data.validation), len(data.test)) == (2, 1, 1)
    assert data.test.texts == ["Yes yes"]
    assert (data.speakers, data.labels) == (("x", "y"), ("calm", "glad"))
    assert data.test.label.tolist() == [1]
    assert data.description["test_split"] == "official"


@pytest.mark.filterwarnings("ignore:.*left out:UserWarning")
def test_commas_and_quotes_of_a_csv(recordings):
    (recordings / "manifest.csv").write_text(
        'path,text\nno_ann_0.wav,"No, ""never"""\n'
        + "".join(f"{w}_{s}_{t}.wav,Yes\n" for w in ("no", "yes") for s in ("bob", "cid") for t in (0, 1))
    )
    assert 'No, "never"' in sum(
        (load_speech(recordings).__dict__[s].texts for s in ("train", "validation", "test")), []
    )


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ("file,speaker\na.wav,x\n", "must have a header with the column path, and a row for each file"),
        ("path,speaker\n", "path, speaker; 0 rows"),
        ("path,speaker\na.wav\n", "line 2 must have 2 columns. Received: fewer"),
        ("path,speaker\na.wav,x,y\n", "line 2 must have 2 columns. Received: more"),
        (
            "path,split\nno_ann_0.wav,exam\n",
            "line 2: split must be one of train, training, val, valid, validation, dev, test, testing.",
        ),
    ],
)
def test_broken_manifests(recordings, complaint, contents, message):
    (recordings / "manifest.csv").write_text(contents)
    assert message in complaint(load_speech, recordings)


HEADER = "path,speaker,label,split\n"
ROWS = "no_ann_0.wav,ann,no,train\nno_ann_1.wav,ann,no,train\nyes_bob_0.wav,bob,yes,test\n"


@pytest.mark.parametrize(
    "text",
    [
        HEADER + ROWS,
        (HEADER + ROWS).replace(",", ", "),
        (HEADER + ROWS).replace(",", " , ").replace("train", "Training"),
        HEADER.upper().lower() + ROWS.replace("ann,", '"ann",'),
        HEADER + "\n,,,\n" + ROWS.replace("\n", "\r\n"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*not in manifest")
def test_blanks_quotes_and_empty_lines_of_a_manifest_change_nothing(recordings, text):
    (recordings / "manifest.csv").write_bytes(text.encode("utf-16"))  # as some spreadsheets write it
    data = load_speech(recordings, validation_fraction=0)
    assert (data.speakers, data.labels) == (("ann", "bob"), ("no", "yes"))
    assert (len(data.train), len(data.test)) == (2, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # two rows that end without the quote they begin with
        (
            'path,text\nno_ann_0.wav,"No\nno_ann_1.wav,No"\nyes_bob_0.wav,Yes\n',
            "line 2 must not have a line break within a cell. Received: a cell up to line 3; close its quote",
        ),
        ('path,text\nno_ann_0.wav,No\nno_ann_1.wav,"No\nyes_bob_0.wav,Yes\n', "line 3 must be cells"),
        ('path,text\nno_ann_0.wav,"No" she said\n', "line 2 must be cells with ',' between them"),
        ("", "Received: nothing; 0 rows"),
        ("\n\n", "Received: nothing; 0 rows"),
        ("path;speaker\nno_ann_0.wav;ann\n", "Received: path;speaker; 1 rows"),
        (
            HEADER + "no_ann_0.wav,,no,train\nno_ann_1.wav,,no,train\n",
            "a speaker in each row. Received: an empty cell in line 2, 3",
        ),
        (HEADER + "no_ann_0.wav,ann, ,train\n", "a label in each row. Received: an empty cell in line 2"),
        (HEADER + "no_ann_0.wav,ann,no,\n", "a split in each row"),
        (HEADER + ROWS + "{recordings}/no_ann_0.wav,ann,no,test\n", "Received: no_ann_0.wav in lines 2, 5"),
        (HEADER + ROWS + "./no_ann_0.wav,ann,no,test\n", "Received: no_ann_0.wav in lines 2, 5"),
        ("path,label,label\nno_ann_0.wav,a,b\n", "each column once. Received: label more than once"),
        (",path\n0,no_ann_0.wav\n", "column 1 must have a name"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*not in manifest")
def test_manifests_that_cannot_be_meant_are_refused(recordings, complaint, text, message):
    (recordings / "manifest.csv").write_text(text.replace("{recordings}", str(recordings)))
    assert message in complaint(load_speech, recordings)


def test_absolute_paths_of_a_manifest_are_those_of_the_folder(recordings, tmp_path_factory):
    link = tmp_path_factory.mktemp("link") / "speech"
    link.symlink_to(recordings)
    rows = [f"{recordings if take else link}/no_ann_{take}.wav,ann\n" for take in range(2)]
    (recordings / "manifest.csv").write_text("path,speaker\n" + "".join(rows))
    for other in recordings.glob("*.wav"):
        if not other.name.startswith("no_ann"):
            other.unlink()
    for source in (recordings, link):
        data = load_speech(source, validation_fraction=0, test_fraction=0)
        assert len(data.train) == 2 and data.description["left_out"]["count"] == 0


@pytest.mark.filterwarnings("ignore:.*not in manifest")
def test_empty_cells_of_other_columns_refuse_no_folder(recordings, complaint):
    lines = [f"{line},{note},\n" for line, note in zip(ROWS.split(), ("", "loud", ""), strict=True)]
    (recordings / "manifest.csv").write_text(HEADER.strip() + ",notes,text\n" + "".join(lines))
    data = load_speech(recordings, validation_fraction=0)
    assert data.labels == ("no", "yes") and set(data.train.factors()) == {"speaker", "label"}
    assert data.description["incomplete_columns"] == ["notes"]
    assert "must have a notes for each utterance" in complaint(load_speech, recordings, label="notes")


def test_recordings_that_a_manifest_does_not_list_are_named(recordings):
    (recordings / "manifest.csv").write_text(HEADER + ROWS)
    with pytest.warns(DataWarning, match=r"9 not in manifest.csv \(no_bob_0.wav, "):
        load_speech(recordings)
