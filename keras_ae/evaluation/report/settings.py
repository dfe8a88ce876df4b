"""Settings and budgets of a report."""

from dataclasses import dataclass

POOLS = ("auto", "none", "mean", "mean_and_deviation")
METHODS = ("auto", "umap", "tsne", "pca")
DEFAULT_BUDGET = "quick"  # the same on the command line and in Python
# "quick" takes half a minute for the demo; results for publication need "full"
BUDGETS = {
    "full": {},
    "quick": {
        "seeds": 1,
        "max_examples": 2_000,
        "max_test": 1_000,
        "max_steps": 400,
        "batch_size": 128,
        "code_noise": (1.0,),
        "pair_side": 16,
        "num_trees": 20,
    },
}


@dataclass(frozen=True)
class ReportSettings:
    """Settings of a report, all of which are printed in it.

    Attributes:
        pairs: whether to measure `pair_discrimination`, which takes most of the time.
        seeds: number of repetitions of `pair_discrimination`.
        seed: seed of all draws.
        max_examples, max_test: largest numbers of examples to fit on and to measure on.
        test_fraction: share of the examples that is held out if no test set is given.
        code_noise, num_candidates, max_steps, batch_size: arguments of `pair_discrimination`.
        pair_side: side in pixels to which larger images are shrunk for `pair_discrimination`; `None`: images
            are not shrunk.
        num_trees: argument of `dci`.
        neighbours: number of neighbours shown per query.
        method: projection method of the map: auto, umap, tsne, pca.
        pool: pooling of embeddings over positions: none, mean, mean_and_deviation; auto is
            mean_and_deviation if the data have lengths, and the mean for maps and tokens of encoders made
            elsewhere, see `load_encoder`.
    """

    pairs: bool = True
    seeds: int = 3
    seed: int = 0
    max_examples: int = 10_000
    max_test: int = 2_000
    test_fraction: float = 1 / 3
    code_noise: tuple[float, ...] = (0.3, 1.0)
    num_candidates: int = 256
    max_steps: int = 2_000
    batch_size: int = 256
    pair_side: int | None = None
    num_trees: int = 50
    neighbours: int = 8
    method: str = "auto"
    pool: str = "auto"

    def __post_init__(self):
        if self.pool not in POOLS:
            raise ValueError(f"pool must be one of {', '.join(POOLS)}. Received: pool={self.pool!r}")
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}. Received: method={self.method!r}")
        for name in ("seeds", "max_examples", "max_test", "max_steps", "neighbours"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1. Received: {name}={getattr(self, name)}")
        if not 0 < self.test_fraction < 1:
            raise ValueError(
                f"test_fraction must be between 0 and 1. Received: test_fraction={self.test_fraction}"
            )


def settings_of(budget: str, given: dict) -> ReportSettings:
    """Return the settings of a budget, overridden by the values in `given` that are not `None`.

    Example:

    >>> settings_of("quick", {"seeds": 2, "max_steps": None}).seeds
    2
    """
    if budget not in BUDGETS:
        raise ValueError(f"budget must be {' or '.join(BUDGETS)}. Received: {budget=}")
    given = {name: value for name, value in given.items() if value is not None}
    return ReportSettings(**{**BUDGETS[budget], **given})
