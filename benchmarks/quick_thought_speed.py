"""How fast Quick-Thought trains and encodes, against PyTorch on the same sentences.

    python benchmarks/quick_thought_speed.py --peer-python PYTHON [--text FOLDER]

Blocks of 400 consecutive sentences of at most 30 words, a vocabulary of 20,000 words of 300
numbers each, two encoders, Adam with gradients clipped: what a small program in PyTorch does,
`quick_thought_speed_torch.py`, with packed sequences. It encodes as sentence-transformers does:
sorted by length, in padded batches. Both work in turn, in fresh processes of one thread; times are
the seconds in which the process held a core. A ratio above 1: ours is faster. `--text` is a folder
of text files with one sentence a line; else the sentences are those of docstrings. Writes
`docs/results/quick_thought_speed.json`.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from parts.measuring import one_thread
from parts.records import record, write_records

from keras_ae.text import Vocabulary
from keras_ae.training.datasets import load_text, sentence_blocks

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "docs" / "results" / "quick_thought_speed.json"
COMMAND = "python benchmarks/quick_thought_speed.py --peer-python PYTHON"
BLOCK, MAX_WORDS, VOCABULARY = 400, 30, 20_000
BLOCKS, ENCODED = 16, 8000
ROUNDS = 5
GOALS = {"train.vs_torch": ">= 2", "encode.per_s": ">= 2000"}
NOTES = {
    "train": "sentences trained, bi-GRU of 2 x 128 units",
    "train_bow": "sentences trained, bags of words of 300 numbers",
    "encode": "strings encoded, bi-GRU of 2 x 128 units",
}


def prepare(text, folder: Path) -> None:
    """Write what both sides read: `blocks.npz`, `sentences.json`, `vocabulary.txt`."""
    data = load_text(text, sentence_per_line=True) if text else load_text()
    vocabulary = Vocabulary.of(data.train.tokens(), VOCABULARY)
    vocabulary.save(folder / "vocabulary.txt")
    stream = sentence_blocks(data.train, vocabulary, BLOCK, 0, max_words=MAX_WORDS)
    blocks = stream.dataset.take(BLOCKS).as_numpy_iterator()
    arrays = {f"{name}/{i}": values for i, block in enumerate(blocks) for name, values in block.items()}
    np.savez(folder / "blocks.npz", **arrays)
    some = np.linspace(0, len(data.train) - 1, min(ENCODED, len(data.train))).astype(int)
    (folder / "sentences.json").write_text(json.dumps(data.train.sentences(some)))


def run(python, script: str, folder: Path) -> dict[str, float]:
    """Sentences a second of each task, by one fresh process."""
    command = [python, str(HERE / script), str(folder)]
    done = subprocess.run(command, env=one_thread(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{script} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def records_of(rounds, text, minutes) -> dict:
    """The records of `[(ours, peer), ...]`, `{task: sentences a second}` each."""
    command = COMMAND + (" --text FOLDER" if text else "")
    found = {}
    for task, what in NOTES.items():
        ours, peer = ([side[task] for side in sides] for sides in zip(*rounds, strict=True))
        ratios = [one / other for one, other in zip(ours, peer, strict=True)]
        name = task.replace("_", ".")
        sides = f"PyTorch {statistics.median(peer):.0f} a second, ours {statistics.median(ours):.0f}"
        for measure, values, note in (
            ("vs_torch", ratios, f"{what}: sentences a second over those of PyTorch ({sides})"),
            ("per_s", ours, f"{what}: sentences a second of one core"),
        ):
            goal = GOALS.get(f"{name}.{measure}", "")
            found[f"qt.{name}.{measure}"] = record(
                values, command, minutes, f"{note}, {len(rounds)} rounds", goal
            )
    return found


def main(settings) -> None:
    """Measure and write the records."""
    start, rounds = time.perf_counter(), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(settings.text, folder)
        for _ in range(settings.rounds):
            ours = run(sys.executable, "quick_thought_speed_keras.py", folder)
            peer = run(settings.peer_python, "quick_thought_speed_torch.py", folder)
            print({task: (round(ours[task]), round(peer[task])) for task in NOTES}, flush=True)
            rounds.append((ours, peer))
    found = records_of(rounds, settings.text, (time.perf_counter() - start) / 60)
    write_records(settings.results, found)
    for name, row in found.items():
        print(f"{name} {row['mean']:.3g} +- {row['sd']:.2g}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--peer-python", required=True, help="an interpreter that has torch")
    parser.add_argument("--text", help="a folder of text files, a sentence a line")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--results", type=Path, default=RESULTS, help="the file of records")
    main(parser.parse_args())
