"""How much a report measures."""

from dataclasses import dataclass

POOLS = ("auto", "none", "mean", "mean_and_deviation")
METHODS = ("auto", "umap", "tsne", "pca")
DEFAULT_BUDGET = "quick"  # the same on the command line and in Python
# a report of the demo in half a minute; the figures of a paper need "full"
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
    """Numbers of examples, seeds and steps of a report; all are printed in it.

    Attributes:
        pairs: whether `pair_discrimination` is measured at all: it takes most of the time.
        seeds: its repetitions.
        seed: of everything that is drawn.
        max_examples, max_test: examples to fit on and to read on, at most.
        test_fraction: share held out where no test is given.
        code_noise, num_candidates, max_steps, batch_size: of `pair_discrimination`.
        pair_side: pixels to which its images are shrunk where they are larger; `None`: not.
        num_trees: of `dci`.
        neighbours: shown of each query.
        method: of the map: auto, umap, tsne, pca.
        pool: of embeddings of sequences: none, mean, mean_and_deviation; auto: the last
            where the data have lengths.
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
            raise ValueError(f"pool is one of {', '.join(POOLS)}. Received: {self.pool!r}")
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}. Received: method={self.method!r}")
        counts = (self.seeds, self.max_examples, self.max_test, self.max_steps, self.neighbours)
        if min(counts) < 1:
            raise ValueError(
                f"seeds, max_examples, max_test, max_steps and neighbours are at least 1. Received: {counts}"
            )
        if not 0 < self.test_fraction < 1:
            raise ValueError(f"test_fraction is a share between 0 and 1. Received: {self.test_fraction}")


def settings_of(budget: str, given: dict) -> ReportSettings:
    """Settings of a budget, with what was given instead; `None` is not given.

    Example:

    >>> settings_of("quick", {"seeds": 2, "max_steps": None}).seeds
    2
    """
    if budget not in BUDGETS:
        raise ValueError(f"budget is {' or '.join(BUDGETS)}. Received: {budget!r}")
    given = {name: value for name, value in given.items() if value is not None}
    return ReportSettings(**{**BUDGETS[budget], **given})
