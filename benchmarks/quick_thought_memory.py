"""Memory of large blocks of Quick-Thought, all at once and in parts.

    python benchmarks/quick_thought_memory.py

Blocks of 4,000 sentences of 30 words, a vocabulary of 2,000 words, two bi-GRUs of 256 numbers: the peak of
the resident memory during two training steps above that before them, in fresh processes of one
thread. Writes `docs/results/quick_thought_memory.json`.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from parts.measuring import one_thread, peak_extra_mb
from parts.records import record, write_records

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results" / "quick_thought_memory.json"
COMMAND = "python benchmarks/quick_thought_memory.py"
SENTENCES, WORDS, VOCABULARY, DIM = 4000, 30, 2000, 256
PARTS = 8
ROUNDS = 3


def measured(parts: int | None, sentences: int = SENTENCES) -> dict:
    """`{"extra_mb", "loss"}` of training in so many parts, in this process."""
    import keras

    from keras_ae.models import QuickThought
    from keras_ae.networks import recurrent_sentence_encoder

    keras.utils.set_random_seed(0)
    encoders = [recurrent_sentence_encoder(VOCABULARY, DIM) for _ in range(2)]
    model = QuickThought(*encoders, sub_batches=parts)
    model.compile("adam")
    rng = np.random.default_rng(0)
    rows = np.arange(sentences, dtype="int32")
    block = {"ids": rng.integers(2, VOCABULARY, (sentences, WORDS)).astype("int32")}
    block |= {"lengths": np.full(sentences, WORDS, "int32"), "document": 0 * rows, "position": rows}
    small = {name: values[: 4 * PARTS] for name, values in block.items()}
    model.train_on_batch(small)  # what is made once is no memory of a block
    losses = []
    extra = peak_extra_mb(lambda: losses.append(float(model.train_on_batch(block, return_dict=True)["loss"])))
    return {"extra_mb": extra, "loss": losses[0]}


def run(parts: int | None) -> dict:
    """`measured` in a fresh process."""
    command = [sys.executable, __file__, "--one", str(parts or 0)]
    done = subprocess.run(command, env=one_thread(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{parts} parts failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def records_of(whole, in_parts, minutes) -> dict:
    """The records of the results of each round."""
    what = f"{SENTENCES} sentences of {WORDS} words, bi-GRU of {DIM} numbers"
    shares = [a["extra_mb"] / b["extra_mb"] for a, b in zip(in_parts, whole, strict=True)]
    megabytes = {"whole": whole, f"in_{PARTS}": in_parts}
    found = {
        f"qt.memory.{name}_mb": record(
            [one["extra_mb"] for one in rounds], COMMAND, minutes, f"peak of a training step, MiB; {what}"
        )
        for name, rounds in megabytes.items()
    }
    note = f"memory of a training step in {PARTS} parts over that of one at once; {what}"
    return found | {"qt.memory.share": record(shares, COMMAND, minutes, note)}


def main(rounds: int, results: Path) -> None:
    """Measure and write the records."""
    start = time.perf_counter()
    pairs = [(run(None), run(PARTS)) for _ in range(rounds)]
    for whole, in_parts in pairs:
        print(whole, in_parts, flush=True)
        if not np.isclose(whole["loss"], in_parts["loss"], rtol=1e-4):
            raise RuntimeError(f"The losses differ: {whole['loss']} and {in_parts['loss']}")
    whole, in_parts = zip(*pairs, strict=True)
    found = records_of(whole, in_parts, (time.perf_counter() - start) / 60)
    write_records(results, found)
    for name, row in found.items():
        print(f"{name} {row['mean']:.3g} +- {row['sd']:.2g}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--results", type=Path, default=RESULTS, help="the file of records")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one is not None:
        print(json.dumps(measured(arguments.one or None)))
    else:
        main(arguments.rounds, arguments.results)
