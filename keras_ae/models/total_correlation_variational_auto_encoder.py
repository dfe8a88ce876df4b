"""Variational auto-encoder with a penalty on dependence between the latent dimensions (beta-TC-VAE)."""

from typing import Any

import keras

from keras_ae.losses.divergences import KLDecomposition, check_sampling, kl_decomposition
from keras_ae.models.variational_auto_encoder import VariationalAutoEncoder
from keras_ae.ops.terms import LossTerm


@keras.saving.register_keras_serializable(package="keras_ae")
class TotalCorrelationVariationalAutoEncoder(VariationalAutoEncoder):
    """beta-TC-VAE: the KL of the evidence lower bound is split into three parts, each with a weight.

    ```
    loss = -E_q(z|x) log p(x|z)
           + beta * (a * I(x; z) + b * KL(q(z) || prod_d q(z_d)) + c * sum_d KL(q(z_d) || p(z_d)))
    a = index_code_weight,   b = total_correlation_weight,   c = dimension_wise_weight
    ```

    The loss is in nats per example. With `a = b = c = 1` the model is the `VariationalAutoEncoder`, with
    `a = b = c` the beta-VAE. The sum of the three parts is the exact KL. A weight of 1 counts the exact
    value; the excess of a weight over 1 multiplies the estimate of the part by `losses.kl_decomposition`
    from the batch, under replicas from the global batch: the larger the batch, the better.

    Args:
        encoder, decoder, latent_dim: as in `VariationalAutoEncoder`; the code of an example must be one
            vector.
        total_correlation_weight: weight `b`; 6 is the paper's value for dSprites.
        index_code_weight: weight `a`.
        dimension_wise_weight: weight `c`.
        sampling: `"weighted"` or `"stratified"`, see `losses.kl_decomposition`.
        dataset_size: number of training examples, for `"stratified"`.
        **kwargs: arguments of `VariationalAutoEncoder`: `beta` (1, or a schedule that warms up all three
            parts), `likelihood`, `observation_scale`, `num_labels`, `seed`; to the objective of `mmd_weight`,
            `num_samples` or `free_bits`, the surplus of the three weights is added.

    Metrics:
        `loss`, `reconstruction_loss`, `kl_loss`, `index_code_mi`, `total_correlation`,
        `dimension_wise_kl`, in nats per example.

    Raises:
        ValueError: the encoder returns a map or a sequence; an unknown `sampling`, or
            `"stratified"` without `dataset_size`.

    Example:

    >>> encoder = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, "relu")])
    >>> decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(8)])
    >>> model = TotalCorrelationVariationalAutoEncoder(encoder, decoder, 2)
    >>> model.encode(keras.ops.ones((3, 8))).shape
    TensorShape([3, 2])

    Reference:
        Chen et al., 2018, https://arxiv.org/abs/1802.04942.
    """

    term_names = ("reconstruction_loss", "index_code_mi", "total_correlation", "dimension_wise_kl")

    def __init__(
        self,
        encoder: keras.Layer,
        decoder: keras.Layer,
        latent_dim: int,
        *,
        total_correlation_weight: float = 6.0,
        index_code_weight: float = 1.0,
        dimension_wise_weight: float = 1.0,
        sampling: str = "weighted",
        dataset_size: int | None = None,
        **kwargs: Any,
    ):
        check_sampling(sampling, dataset_size)
        super().__init__(encoder, decoder, latent_dim, **kwargs)
        self.dataset_size = dataset_size
        self.weights_of_terms = {
            "index_code_weight": index_code_weight,
            "total_correlation_weight": total_correlation_weight,
            "dimension_wise_weight": dimension_wise_weight,
        }
        self.sampling = sampling

    def build_embedding(self, features: Any) -> Any:
        if len(features.shape) != 2:
            raise ValueError(
                "The features must have the shape (batch, features): the total correlation is that of one "
                f"vector for each example. Received: {tuple(features.shape)}"
            )
        return super().build_embedding(features)

    def code_terms(self, features: Any, z: Any, sample_weight: Any) -> tuple[Any, dict[str, Any]]:
        mean, log_variance = self.bottleneck.parameters(features)
        parts = kl_decomposition(
            z,
            mean,
            log_variance,
            self.dataset_size,
            sample_weight=sample_weight,
            sampling=self.sampling,
        )
        parts = KLDecomposition(*(LossTerm.of(part) for part in parts))
        # The bottleneck has already added each part once, by its exact KL; the parts here are estimates.
        surplus = [weight - 1.0 for weight in self.weights_of_terms.values()]
        further = sum(factor * part for factor, part in zip(surplus, parts, strict=True) if factor)
        of_options, terms = super().code_terms(features, z, sample_weight)
        return further * self.bottleneck.beta + of_options, {**terms, **parts._asdict()}

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            **self.weights_of_terms,
            "sampling": self.sampling,
            "dataset_size": self.dataset_size,
        }
