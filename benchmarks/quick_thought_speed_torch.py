"""The peer of `quick_thought_speed.py`, in PyTorch: `python quick_thought_speed_torch.py FOLDER`."""

import importlib.util
import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

WARM_UP, BATCH = 4, 256


class Encoder(nn.Module):
    """Word vectors, then a bi-GRU or a sum."""

    def __init__(self, words, units):
        super().__init__()
        self.words = nn.Embedding(words, 300, padding_idx=0)
        self.gru = nn.GRU(300, units, batch_first=True, bidirectional=True) if units else None

    def forward(self, ids, lengths):
        vectors = self.words(ids)
        if self.gru is None:
            return vectors.sum(1)
        packed = nn.utils.rnn.pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
        last = self.gru(packed)[1]
        return torch.cat([last[0], last[1]], 1)


def main(folder: Path) -> dict[str, float]:
    """Sentences a second of each task."""
    torch.set_num_threads(1)
    words = (folder / "vocabulary.txt").read_text(encoding="utf-8").split("\n")[1:-1]
    with np.load(folder / "blocks.npz") as file:
        count = sum(key.startswith("ids/") for key in file.files)
        blocks = [(file[f"ids/{i}"], file[f"lengths/{i}"]) for i in range(count)]
    recurrent = [Encoder(len(words) + 2, 128) for _ in range(2)]
    rates = {
        "train": training_rate(recurrent, blocks),
        "train_bow": training_rate([Encoder(len(words) + 2, 0) for _ in range(2)], blocks),
    }
    sentences = json.loads((folder / "sentences.json").read_text())
    numbers = {word: number for number, word in enumerate(words, 2)}
    encode(recurrent, sentences[:300], numbers)
    start = time.process_time()
    encode(recurrent, sentences, numbers)
    return {**rates, "encode": len(sentences) / (time.process_time() - start)}


def training_rate(encoders, blocks):
    """Sentences a second, by the median step."""
    parameters = [parameter for encoder in encoders for parameter in encoder.parameters()]
    optimizer = torch.optim.Adam(parameters, 5e-4)
    times = []
    for ids, lengths in blocks:
        start = time.process_time()
        step(encoders, torch.tensor(ids, dtype=torch.long), torch.tensor(lengths).clamp(min=1), optimizer)
        times.append((time.process_time() - start) / len(ids))
    return 1 / statistics.median(times[WARM_UP:] or times)


def step(encoders, ids, lengths, optimizer):
    """One training step on a block of one document."""
    scores = encoders[0](ids, lengths) @ encoders[1](ids, lengths).T
    rows = torch.arange(len(ids))
    near = ((rows[:, None] - rows).abs() == 1).float()
    scores = scores.masked_fill(torch.eye(len(ids), dtype=torch.bool), -1e9)
    loss = -(near / near.sum(1, keepdim=True) * scores.log_softmax(1)).sum(1).mean()
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_([p for encoder in encoders for p in encoder.parameters()], 5.0)
    optimizer.step()


@torch.inference_mode()
def encode(encoders, sentences, numbers):
    """The vectors of strings: sorted by length, in padded batches, back in order."""
    ids = [[numbers.get(token, 1) for token in tokenize(sentence)] for sentence in sentences]
    order = sorted(range(len(ids)), key=lambda row: -len(ids[row]))
    result = torch.zeros(len(ids), 512)
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        padded = torch.zeros(len(rows), max(1, len(ids[rows[0]])), dtype=torch.long)
        for row, own in zip(padded, rows, strict=True):
            row[: len(ids[own])] = torch.tensor(ids[own], dtype=torch.long)
        lengths = torch.tensor([max(1, len(ids[own])) for own in rows])
        result[rows] = torch.cat([encoder(padded, lengths) for encoder in encoders], 1)
    return result.numpy()


def _tokenizer():
    """Our tokenizer, by its file: it needs the standard library alone."""
    path = Path(__file__).resolve().parents[1] / "keras_ae" / "text" / "tokenizer.py"
    spec = importlib.util.spec_from_file_location("tokenizer", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.tokenize


tokenize = _tokenizer()

if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
