"""Our side of `quick_thought_speed.py`: `python quick_thought_speed_keras.py FOLDER` prints its rates."""

import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np

from keras_ae.models import QuickThought
from keras_ae.networks import bag_of_words_encoder, recurrent_sentence_encoder
from keras_ae.optimizers import FusedAdam
from keras_ae.text import Vocabulary

WARM_UP = 4


def main(folder: Path) -> dict[str, float]:
    """Sentences a second of each task."""
    vocabulary = Vocabulary.load(folder / "vocabulary.txt")
    blocks = read_blocks(folder)
    recurrent = made([recurrent_sentence_encoder(len(vocabulary)) for _ in range(2)], vocabulary)
    bags = made([bag_of_words_encoder(len(vocabulary)) for _ in range(2)], vocabulary)
    sentences = json.loads((folder / "sentences.json").read_text())
    rates = {"train": training_rate(recurrent, blocks), "train_bow": training_rate(bags, blocks)}
    recurrent.encode(sentences[:300])
    start = time.process_time()
    recurrent.encode(sentences)
    return {**rates, "encode": len(sentences) / (time.process_time() - start)}


def read_blocks(folder):
    """The blocks, as the model takes them."""
    blocks: dict[int, dict] = {}
    with np.load(folder / "blocks.npz") as file:
        for key in file.files:
            name, number = key.split("/")
            blocks.setdefault(int(number), {})[name] = file[key]
    return [blocks[number] for number in sorted(blocks)]


def made(encoders, vocabulary):
    """A model of two encoders, ready to be trained."""
    model = QuickThought(*encoders, vocabulary=vocabulary)
    model.compile(FusedAdam(5e-4, global_clipnorm=5.0))
    return model


def training_rate(model, blocks):
    """Sentences a second, by the median step."""
    times = []
    for block in blocks:
        start = time.process_time()
        float(np.sum(model.train_on_batch(block)))
        times.append((time.process_time() - start) / len(block["ids"]))
    return 1 / statistics.median(times[WARM_UP:] or times)


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
