"""Part of a model that is trained on a loss of its own."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Player:
    """Variables that are trained on a loss of their own.

    Attributes:
        name: its optimiser is `compile(<name>_optimizer=...)`; the first player of a
            model takes `compile(optimizer=...)`.
        variables: returns the variables it trains.
        updates: how often it is updated in one training step of a model without stages.
    """

    name: str
    variables: Callable[[], list]
    updates: int = 1
