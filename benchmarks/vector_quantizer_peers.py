"""One measurement of another library's quantiser, as one JSON line:

python benchmarks/vector_quantizer_peers.py {faiss,vqp_search,vqp_train} VECTORS CODES SECONDS
"""

import json
import sys

import numpy as np
from parts.measuring import measure

DIM = 64


def faiss(vectors, codes):
    """Exact search in `IndexFlatL2`."""
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatL2(DIM)
    index.add(random_normal(codes, seed=1))
    x = random_normal(vectors, seed=0)
    return lambda: index.search(x, 1)


def vqp_search(vectors, codes):
    """`VectorQuantize` of vector-quantize-pytorch at inference."""
    import torch

    layer, x = vector_quantize(vectors, codes)
    layer.eval()
    return torch.no_grad()(lambda: layer(x))


def vqp_train(vectors, codes):
    """Its training forward: EMA and straight-through; it has no k-means start, revival or mask to do."""
    layer, x = vector_quantize(vectors, codes)
    layer.train()
    x.requires_grad_()
    return lambda: layer(x)


def vector_quantize(vectors, codes):
    import torch
    from vector_quantize_pytorch import VectorQuantize

    torch.set_num_threads(1)
    torch.manual_seed(0)
    layer = VectorQuantize(
        dim=DIM, codebook_size=codes, decay=0.99, commitment_weight=0.25, rotation_trick=False
    )
    return layer, torch.from_numpy(random_normal(vectors, seed=0))[None]


def random_normal(rows, seed):
    return np.random.default_rng(seed).standard_normal((rows, DIM), dtype="float32")


CELLS = {"faiss": faiss, "vqp_search": vqp_search, "vqp_train": vqp_train}

if __name__ == "__main__":
    name, vectors, codes, seconds = sys.argv[1:]
    operation = CELLS[name](int(vectors), int(codes))
    print(json.dumps(measure(operation, seconds=float(seconds))))
