"""Images, speech and text for training and encoding: read, split, and handed out in batches."""

from keras_ae.training.datasets.batch_stream import BatchStream
from keras_ae.training.datasets.epoch_stream import EpochStream, training_batches
from keras_ae.training.datasets.image_data import ImageData
from keras_ae.training.datasets.image_loading import load_images
from keras_ae.training.datasets.image_size_error import ImageSizeError
from keras_ae.training.datasets.image_split import ImageSplit
from keras_ae.training.datasets.image_stream import ImageStream
from keras_ae.training.datasets.image_streaming import stream_images
from keras_ae.training.datasets.sentence_batching import sentence_blocks, sentence_triples
from keras_ae.training.datasets.sentence_data import SentenceData
from keras_ae.training.datasets.speech_batching import speech_batches
from keras_ae.training.datasets.speech_data import SpeechData
from keras_ae.training.datasets.speech_loading import load_speech
from keras_ae.training.datasets.speech_split import SpeechSplit
from keras_ae.training.datasets.speech_stream import SpeechStream
from keras_ae.training.datasets.speech_streaming import stream_speech
from keras_ae.training.datasets.text_data import TextData
from keras_ae.training.datasets.text_loading import load_text
from keras_ae.training.datasets.text_split import TextSplit
from keras_ae.training.datasets.word_vector_training import word_vectors

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
    "TextData",
    "TextSplit",
    "load_images",
    "load_speech",
    "load_text",
    "sentence_blocks",
    "sentence_triples",
    "speech_batches",
    "stream_images",
    "stream_speech",
    "training_batches",
    "word_vectors",
]
