import base64

from keras_ae.training.report.examples import Listening, listening_view, read_listening, write_listening
from keras_ae.training.report.page import write_report

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def test_what_is_written_is_read(tmp_path):
    examples = [
        Listening("Ada: “one”", {"original": b"RIFF0", "reconstruction": b"RIFF1"}, PNG),
        Listening("Bo", {"original": b"RIFF2"}),
    ]
    write_listening(tmp_path, examples)
    problems = []
    assert read_listening(tmp_path, problems) == examples and not problems


def test_a_run_without_sounds_has_none_and_is_whole(tmp_path):
    problems = []
    assert read_listening(tmp_path, problems) == [] and not problems


def test_a_lost_recording_is_said(tmp_path):
    write_listening(tmp_path, [Listening("Ada", {"original": b"RIFF"})])
    (tmp_path / "listening" / "0-0.wav").unlink()
    problems = []
    assert read_listening(tmp_path, problems) == []
    assert "listening/ cannot be read whole" in problems[0] and "0-0.wav" in problems[0]


def test_the_report_plays_them(run_directory):
    write_listening(run_directory, [Listening("Ada: <b>", {"original": b"RIFF"}, PNG)])
    page = write_report(run_directory).read_text()
    assert f'src="data:audio/wav;base64,{base64.b64encode(b"RIFF").decode()}"' in page
    assert 'href="#listening"' in page and "Ada: &lt;b&gt;" in page
    view = listening_view(read_listening(run_directory, []))
    assert view[0]["players"][0]["label"] == "original" and view[0]["picture"] in page
