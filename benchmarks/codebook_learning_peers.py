"""One codebook of another library, trained and scored, as one JSON line.

    python benchmarks/codebook_learning_peers.py faiss toy SEED
    python benchmarks/codebook_learning_peers.py vqp toy SEED SETTINGS
    python benchmarks/codebook_learning_peers.py vqp mnist SEED SETTINGS DATA
    python benchmarks/codebook_learning_peers.py vqp check SEED SETTINGS DATA

SETTINGS are the arguments of `VectorQuantize` as JSON. On MNIST the search of
`VectorQuantize` is replaced by an equal one without tables of vectors x codes, 2 to 10
times as fast; its k-means start, EMA, expiry, gradient and losses are its own. `check`
compares the first steps of both.
"""

import json
import sys
import time

import numpy as np
from parts.codebook_learning_data import MNIST, TOY, Mnist, Toy, usage


def faiss_toy(seed):
    """k-means on all training vectors."""
    import faiss

    faiss.omp_set_num_threads(1)
    toy = Toy(seed)
    kmeans = faiss.Kmeans(TOY["dim"], TOY["codes"], niter=25, seed=seed)
    kmeans.train(toy.train)
    return toy.scores(kmeans.centroids)


def vqp_toy(seed, settings):
    """`VectorQuantize` on the batches, without an encoder."""
    import torch
    from vector_quantize_pytorch import VectorQuantize

    start(seed)
    toy = Toy(seed)
    layer = VectorQuantize(TOY["dim"], TOY["codes"], **settings).train()
    with torch.no_grad():
        for batch in toy.batches():
            layer(torch.from_numpy(batch)[None])
    return toy.scores(layer.codebook.numpy())


def vqp_mnist(seed, settings, path):
    """`VectorQuantize` in the small VQ-VAE, trained for an epoch."""
    start(seed)
    data = Mnist(path, seed)
    model = networks(settings)
    replace_search(model[1])
    train(model, channels_first(data.train))
    return score(model.eval(), data)


def train(model, images) -> list:
    """One epoch; the loss of each step."""
    import torch

    encoder, layer, decoder = model.train()
    adam = torch.optim.Adam(model.parameters(), MNIST["learning_rate"], eps=MNIST["adam_epsilon"])
    losses = []
    for x in images.split(MNIST["batch"]):
        adam.zero_grad(set_to_none=True)
        quantized, _, loss = layer(encoder(x))
        total = torch.nn.functional.mse_loss(decoder(quantized), x) + loss
        total.backward()
        adam.step()
        losses.append(float(total.detach()))
    return losses


def vqp_check(seed, settings, path, steps=8):
    """The largest relative difference of the losses with the search replaced, and the codes' differences."""
    import torch

    images = channels_first(Mnist(path, seed).train[: steps * MNIST["batch"]])
    losses, codebooks = [], []
    for replaced in (False, True):
        start(seed)
        model = networks(settings)
        if replaced:
            replace_search(model[1])
        losses.append(torch.tensor(train(model, images)))
        codebooks.append(model[1].codebook.clone())
    return {
        "losses": float(((losses[1] - losses[0]).abs() / losses[0]).max()),
        "codes": float((codebooks[1] - codebooks[0]).norm() / codebooks[0].norm()),
    }


def replace_search(layer):
    """Give `VectorQuantize` a search and batch sums without tables of vectors x codes."""
    import torch
    from vector_quantize_pytorch.vector_quantize_pytorch import ema_inplace

    book = layer._codebook

    def forward(x, **options):
        flat = x.float().reshape(1, -1, x.shape[-1])
        book.init_embed_(flat)
        codes = book.embed[0].detach()
        index = (flat[0].detach() @ codes.T).sub_(0.5 * codes.square().sum(1)).argmax(1)
        quantized = codes[index].reshape(x.shape)
        if book.training:
            counts = torch.bincount(index, minlength=len(codes)).float()
            sums = torch.zeros_like(codes).index_add_(0, index, flat[0].detach())
            ema_inplace(book.cluster_size, counts[None], book.decay)
            ema_inplace(book.embed_avg, sums[None], book.decay)
            book.update_ema()
            book.expire_codes_(flat.detach())
        return quantized, index.reshape(x.shape[:-1]), None

    book.forward = forward


def score(model, data) -> dict:
    """Errors of the validation and test images, usage over the test images."""
    results = {}
    for part in ("validation", "test"):
        error, codes = reconstruct(model, channels_first(getattr(data, part)))
        results[f"{part}_mse"] = error
    return {**results, **usage(codes, model[1].codebook_size)}


def reconstruct(model, images):
    """`(mean squared error, codes)`, the codes as the layer would choose them, in less memory and time."""
    import torch

    encoder, layer, decoder = model
    codebook = layer.codebook
    bias = 0.5 * codebook.square().sum(1)
    errors, codes = [], []
    with torch.no_grad():
        for x in images.split(MNIST["batch"]):
            z = encoder(x).permute(0, 2, 3, 1)
            if layer.use_cosine_sim:
                z = torch.nn.functional.normalize(z, dim=-1)
            index = (z @ codebook.T - bias).argmax(-1)
            errors.append((decoder(codebook[index].permute(0, 3, 1, 2)) - x).square().mean((1, 2, 3)))
            codes.append(index.flatten())
    return float(torch.cat(errors).mean()), torch.cat(codes).numpy()


def start(seed):
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(seed)


def channels_first(images):
    import torch

    return torch.from_numpy(np.moveaxis(images, -1, 1).copy())


def networks(settings):
    """`[encoder, quantiser, decoder]`; the networks start as those of Keras do."""
    from torch import nn
    from vector_quantize_pytorch import VectorQuantize

    encoder = nn.Sequential(
        *(nn.Conv2d(1, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 4, 2, 1)),
        *(residual(), residual(), nn.ReLU(), nn.Conv2d(64, MNIST["dim"], 1)),
    )
    decoder = nn.Sequential(
        *(nn.Conv2d(MNIST["dim"], 64, 3, 1, 1), residual(), residual(), nn.ReLU()),
        *(nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(32, 1, 4, 2, 1)),
    )
    for module in [*encoder.modules(), *decoder.modules()]:
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    return nn.ModuleList([encoder, VectorQuantize(MNIST["dim"], accept_image_fmap=True, **settings), decoder])


def residual():
    from torch import nn

    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            inner, outer = nn.Conv2d(64, 32, 3, padding=1), nn.Conv2d(32, 64, 1)
            self.branch = nn.Sequential(nn.ReLU(), inner, nn.ReLU(), outer)

        def forward(self, x):
            return x + self.branch(x)

    return Residual()


CELLS = {
    ("faiss", "toy"): faiss_toy,
    ("vqp", "toy"): vqp_toy,
    ("vqp", "mnist"): vqp_mnist,
    ("vqp", "check"): vqp_check,
}


def main(peer, task, seed, settings="{}", *data):
    begin = time.process_time()
    arguments = [json.loads(settings)] if peer == "vqp" else []
    row = CELLS[peer, task](int(seed), *arguments, *data)
    print(json.dumps({**row, "minutes": (time.process_time() - begin) / 60}))


if __name__ == "__main__":
    main(*sys.argv[1:])
