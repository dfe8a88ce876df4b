"""Base class of recipes for sentences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from keras_ae.errors import InputError
from keras_ae.files import cache_folder
from keras_ae.training.recipes.recipe import Recipe

if TYPE_CHECKING:
    import keras
    import numpy as np

    from keras_ae.evaluation import SentenceTask
    from keras_ae.text import WordVectors
    from keras_ae.training.datasets import SentenceData, TextSplit

GRADIENT_NORM = 5.0  # maximum global gradient norm; larger gradients are scaled to it


@dataclass(frozen=True, kw_only=True)
class TextRecipe(Recipe):
    """Recipe whose data are consecutive sentences of documents."""

    examples: ClassVar[str] = "sentences"
    headline: ClassVar[str] = "loss"  # metric that summarises the test

    data: str = "docstrings"
    """Source of the text: "docstrings" (English prose of installed packages), a text file, or a folder of
    .txt, .text and .gz files, one document each; folders train, validation and test in it are splits."""
    sentence_per_line: bool = False
    """Whether to read each line as one sentence; otherwise paragraphs are split into sentences."""
    language: str = "en"
    """ISO 639 code of the language, by which sentences are split."""
    encoding: str | None = None
    """Encoding of the files, such as latin-1; None: UTF-8, or the encoding of a byte order mark."""
    vocabulary_size: int = 20_000
    """Maximum number of words in the vocabulary: the most frequent ones."""
    min_count: int = 2
    """Minimum frequency of a word in the vocabulary."""
    word_vectors: str = "train"
    """Initial word vectors: "train" (skip-gram of the training sentences), "none" (random numbers), or a file
    of word2vec, GloVe, fastText or .npz."""
    embedding_dim: int = 300
    """Dimension of a word vector, if no file of word vectors is given."""
    trainable_words: bool = True
    """Whether to train the word vectors together with the model."""
    encoder: Literal["bi-gru", "gru", "bag-of-words"] = "bi-gru"
    """Sentence encoder; "bag-of-words" sums the word vectors."""
    dim: int = 256
    """Dimension of the sentence vector; with "bag-of-words" it is that of a word vector."""
    word_dropout: float = 0.0
    """Probability that a word is replaced by the unknown word in training."""
    weight_decay: float = 0.0
    """Weight decay of AdamW: each step shrinks the weights by learning rate x weight decay."""
    transfer: str | None = None
    """Folder of tasks of labelled sentences (.tsv files), on which the vectors are measured."""
    transfer_tasks: tuple[str, ...] | None = None
    """Names of the tasks, such as mr trec; None: all tasks in the folder."""

    def __post_init__(self):
        super().__post_init__()
        if self.vocabulary_size < 3:
            raise InputError(f"--vocabulary-size must be at least 3. Received: {self.vocabulary_size}")

    def load_data(self) -> SentenceData:
        from keras_ae.training.datasets import SentenceData, load_text

        text = load_text(
            self.data,
            sentence_per_line=self.sentence_per_line,
            language=self.language,
            encoding=self.encoding,
        )
        try:
            return SentenceData.of(text, self.vocabulary_size, self.min_count)
        except InputError:
            raise InputError(
                f"--min-count must be lower: no word of the training text occurs {self.min_count} times."
            ) from None

    def training_batches(self, data: SentenceData) -> Any:
        if self.transfer is not None:
            self.tasks(self.transfer)  # reports errors before the training instead of after it
        for name, split in (("validation", data.validation), ("test", data.test)):
            try:
                self.batches_of(data, split, None)
            except InputError as error:
                raise InputError(
                    f"The {name} text is too short: {error}. Add text, or pass a folder with the folders "
                    "train, validation and test."
                ) from None
        return self.batches_of(data, data.train, self.seed)

    def validation_batches(self, data: SentenceData) -> Any:
        return self.batches_of(data, data.validation, None).dataset

    def batches_of(self, data: SentenceData, split: TextSplit, seed: int | None) -> Any:
        """Return a `BatchStream` of a split; with `seed=None` the batches are always the same."""
        raise TypeError(f"{type(self).__name__} must define batches_of(data, split, seed)")

    def pictures(
        self, model: keras.Model, data: SentenceData, directory: Path
    ) -> list[keras.callbacks.Callback]:
        from keras_ae.training.callbacks import SentenceExamples

        return [SentenceExamples(data, directory)]

    def describe(self, data: SentenceData) -> str:
        return f"sentences with {len(data.vocabulary)} words"

    # The model

    def optimizer(
        self, schedule: keras.optimizers.schedules.LearningRateSchedule
    ) -> keras.optimizers.Optimizer:
        from keras_ae.optimizers import FusedAdam

        # None skips the decay; a decay of 0 would spend most of a step on the vectors of the vocabulary
        decay = self.weight_decay or None
        return FusedAdam(schedule, weight_decay=decay, global_clipnorm=GRADIENT_NORM)

    def start_vectors(self, data: SentenceData) -> WordVectors | None:
        """Return the table of initial word vectors; `None`: random numbers."""
        from keras_ae.text import WordVectors
        from keras_ae.training.datasets.text.word_vectors import cached_word_vectors

        if self.word_vectors == "none":
            return None
        if self.word_vectors == "train":
            return cached_word_vectors(data.train, self.embedding_dim, seed=self.seed)
        if not Path(self.word_vectors).is_file():
            raise InputError(
                f"--word-vectors must be train, none or a file of vectors. Received: {self.word_vectors}"
            )
        return WordVectors.load(self.word_vectors)

    def start_rows(self, data: SentenceData) -> np.ndarray | None:
        """Return `start_vectors` in the order of the vocabulary; scaled, if their sums are to be trained."""
        from keras_ae.text import scaled_for_sums

        table = self.start_vectors(data)
        if table is None:
            return None
        if self.encoder == "bag-of-words" and self.trainable_words:
            table = scaled_for_sums(table, data.train.tokens())
        return table.rows(data.vocabulary)

    def sentence_encoder(
        self, data: SentenceData, rows: np.ndarray | None, name: str = "encoder"
    ) -> keras.Model:
        """Return a new encoder from word ids to a vector, with word vectors initialised by `start_rows`."""
        from keras_ae import networks

        shared: dict[str, Any] = {"trainable_words": self.trainable_words, "name": name, "word_vectors": rows}
        shared |= {"word_dropout": self.word_dropout, "seed": self.seed}
        size = len(data.vocabulary)
        if self.encoder == "bag-of-words":
            return networks.bag_of_words_encoder(size, self.embedding_dim, **shared)
        return networks.recurrent_sentence_encoder(
            size,
            self.dim,
            embedding_dim=self.embedding_dim,
            bidirectional=self.encoder == "bi-gru",
            **shared,
        )

    # Evaluation

    def measure(self, model: Any, data: SentenceData) -> dict[str, Any]:
        """Compute losses on the test sentences, and the tasks of `transfer` with their control rows."""
        from keras_ae.evaluation.attempts import attempt

        metrics = {"test": attempt("test sentences", self.losses, model, data, default={})}
        untrained = attempt("test sentences, untrained", self.untrained_losses, data)
        metrics["baselines"] = {} if untrained is None else {"untrained": untrained}
        if self.transfer is not None:
            tasks = attempt("transfer", self.tasks, self.transfer)
            metrics |= {} if tasks is None else {"transfer": self.transfer_rows(model, data, tasks)}
        return metrics

    def untrained_losses(self, data: SentenceData) -> dict[str, float]:
        """Compute `losses` of a model with its initial weights."""
        untrained = self.build_model(data, 1)
        untrained.compile(jit_compile=False)
        return self.losses(untrained, data)

    def losses(self, model: keras.Model, data: SentenceData) -> dict[str, float]:
        """Compute loss and metrics on the test sentences, the most informative one first."""
        batches = self.batches_of(data, data.test, None).dataset
        logs = model.evaluate(batches, verbose=0, return_dict=True)
        return {name: float(logs[name]) for name in sorted(logs, key=lambda name: name != self.headline)}

    def tasks(self, folder: str | Path) -> list[SentenceTask]:
        """Return the requested tasks in a folder."""
        from keras_ae.evaluation import load_sentence_tasks

        return load_sentence_tasks(folder, self.transfer_tasks)

    def transfer_rows(
        self,
        model: Any,
        data: SentenceData,
        tasks: list[SentenceTask],
        progress: Callable[[str], None] | None = None,
    ) -> dict[str, dict]:
        """Compute `{row: {task: results}}`: the model, then control rows without its training."""
        from keras_ae.evaluation import transfer, transfer_controls
        from keras_ae.evaluation.attempts import attempt, current_progress

        options = {"progress": progress or current_progress(), "results_cache": cache_folder() / "transfer"}
        rows = attempt(f"transfer of {self.name}", transfer, model, tasks, **options)
        rows = {} if rows is None else {self.name: rows}

        def controls():
            others = {"word_vectors": self.start_vectors(data), "untrained": self.build_model(data, 1)}
            return transfer_controls(tasks, **others, **options)

        return rows | attempt("transfer of the control rows", controls, default={})
