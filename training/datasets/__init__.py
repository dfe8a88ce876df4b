"""Data sets of images, speech, text and tables for training and encoding: reading, splitting and batching."""

from keras_ae.training.datasets.batch_stream import BatchStream
from keras_ae.training.datasets.images.batches import EpochStream, training_batches
from keras_ae.training.datasets.images.data import ImageData, ImageSplit, ImageStream
from keras_ae.training.datasets.images.loading import load_images
from keras_ae.training.datasets.images.stores import ImageSizeError
from keras_ae.training.datasets.images.streaming import stream_images
from keras_ae.training.datasets.speech.data import SpeechData, SpeechSplit, SpeechStream
from keras_ae.training.datasets.speech.loading import load_speech
from keras_ae.training.datasets.speech.streaming import speech_batches, stream_speech
from keras_ae.training.datasets.tables.data import TableData, TableSplit, table_batches
from keras_ae.training.datasets.tables.loading import load_table
from keras_ae.training.datasets.text.batches import sentence_blocks, sentence_triples
from keras_ae.training.datasets.text.data import SentenceData, TextData, TextSplit
from keras_ae.training.datasets.text.loading import load_text
from keras_ae.training.datasets.text.word_vectors import word_vectors

__all__ = [
    "BatchStream",
    "EpochStream",
    "ImageData",
    "ImageSizeError",
    "ImageSplit",
    "ImageStream",
    "SentenceData",
    "SpeechData",
    "SpeechSplit",
    "SpeechStream",
    "TableData",
    "TableSplit",
    "TextData",
    "TextSplit",
    "load_images",
    "load_speech",
    "load_table",
    "load_text",
    "sentence_blocks",
    "sentence_triples",
    "speech_batches",
    "stream_images",
    "stream_speech",
    "table_batches",
    "training_batches",
    "word_vectors",
]
