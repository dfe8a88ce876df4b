"""One measurement of the training forward of vector-quantize-pytorch's LFQ or FSQ, as one JSON line.

python benchmarks/lookup_free_quantizer_peers.py {lfq,fsq} VECTORS SECONDS
"""

import json
import sys

import numpy as np
from parts.measuring import measure

DIM = 64


def training_forward(name, vectors):
    """As documented, LFQ with the commitment loss that ours has; nothing is masked."""
    import torch
    from vector_quantize_pytorch import FSQ, LFQ

    torch.set_num_threads(1)
    torch.manual_seed(0)
    if name == "lfq":
        layer = LFQ(dim=DIM, codebook_size=2**13, entropy_loss_weight=0.1, commitment_loss_weight=0.25)
    else:
        layer = FSQ(levels=[8, 8, 8, 4, 4], dim=DIM)
    layer.train()
    rows = np.random.default_rng(0).standard_normal((1, vectors, DIM), dtype="float32")
    x = torch.from_numpy(rows).requires_grad_()
    return lambda: layer(x)


if __name__ == "__main__":
    name, vectors, seconds = sys.argv[1:]
    print(json.dumps(measure(training_forward(name, int(vectors)), seconds=float(seconds))))
