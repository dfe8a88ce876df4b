"""Every public model once: how to make it, and a batch for it."""

import importlib.util
import os
import sys
from pathlib import Path

import keras

from keras_ae.layers import (
    BinaryBottleneck,
    FiniteScalarQuantizer,
    FrameNormalization,
    GaussianBottleneck,
    GumbelOneHot,
    InstanceNormalization,
    LogMelSpectrogram,
    LookupFreeQuantizer,
    MaskedConv1D,
    MaskedConv1DTranspose,
    ResidualVectorQuantizer,
    ScoreFunction,
    SpectralPerturbation,
    VectorQuantizer,
)
from keras_ae.models import (
    AdaINVoiceConverter,
    AdversarialDisentangler,
    AdversarialVoiceConverter,
    AutoEncoder,
    CodePrior,
    ContrastivePredictiveCoding,
    DeepInfoMax,
    DiscreteVariationalAutoEncoder,
    GenerativeAutoEncoder,
    QuickThought,
    SkipThought,
    SpeechAutoEncoder,
    TotalCorrelationVariationalAutoEncoder,
    TwoLevelAutoEncoder,
    VariationalAutoEncoder,
)
from keras_ae.networks import (
    adain_decoder,
    bag_of_words_encoder,
    content_encoder,
    conv_bank_encoder,
    frame_decoder,
    frame_encoder,
    front_end,
    image_decoder,
    image_encoder,
    patch_discriminator,
    recurrent_context,
    recurrent_sentence_encoder,
    spatial_broadcast_decoder,
    speaker_classifier,
    speaker_decoder,
    speaker_encoder,
    two_level_networks,
    waveform_encoder,
)

# pytest and the child processes import this file by its path, so it does the same with its neighbour
spec = importlib.util.spec_from_file_location("conformance_case", Path(__file__).parent / "case.py")
neighbour = sys.modules["conformance_case"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(neighbour)
Case, CODES, IMAGE = neighbour.Case, neighbour.CODES, neighbour.IMAGE

SMALL = {"filters": 8, "residual_blocks": 0}  # each weight is traced in every step of every guarantee
DECODER = {"speaker_dim": 2, "filters": 4, "halvings": 1, "residual_blocks": 0}


def vq():
    return AutoEncoder(image_encoder(IMAGE, 4, **SMALL), image_decoder(IMAGE, 4, **SMALL), vector_quantizer())


def patches(channels, bottleneck):
    """An auto-encoder of two layers: the bottleneck is what its guarantees are about."""
    inputs, codes = keras.Input(IMAGE), keras.Input((2, 2, channels))
    encoder = keras.Model(inputs, keras.layers.Conv2D(channels, 4, strides=4)(inputs))
    decoder = keras.layers.Conv2DTranspose(1, 4, strides=4, activation="sigmoid")(codes)
    return AutoEncoder(encoder, keras.Model(codes, decoder), bottleneck)


def vector_quantizer(kmeans_samples=64, **kwargs):
    # the start is compiled and traced for long: those of vq and of sequence_vq, with masks, tell enough
    return VectorQuantizer(8, kmeans_samples=kmeans_samples, seed=0, **kwargs)


def vq_by_gradient():
    options = {"distance": "cosine", "num_heads": 2, "codebook_dim": 3, "gradient": "rotation"}
    terms = {"orthogonality_weight": 0.1, "diversity_weight": 0.1}
    quantizer = vector_quantizer(0, ema_decay=None, **options, **terms)
    return patches(4, quantizer)


def residual():
    quantizer = ResidualVectorQuantizer(8, 2, kmeans_samples=0, seed=0)
    return patches(4, quantizer)


def gumbel():
    schedule = keras.optimizers.schedules.ExponentialDecay(1.0, 10, 0.5)
    one_hot = GumbelOneHot(num_groups=2, temperature=schedule, kl_weight=0.1, prior="learned", seed=0)
    return patches(6, one_hot)


def binary():
    terms = {"kl_weight": 0.1, "entropy_weight": 0.1, "balance_weight": 0.1, "decorrelation_weight": 0.1}
    bits = BinaryBottleneck(stochastic=True, seed=0, **terms)
    return patches(6, bits)


def fsq():
    quantizer = FiniteScalarQuantizer([5, 4], num_heads=2)
    return patches(4, quantizer)


def lfq():
    quantizer = LookupFreeQuantizer(5, inverse_temperature=1.0, entropy_group_bits=3)  # projects 4 to 5
    return AutoEncoder(image_encoder(IMAGE, 4, **SMALL), image_decoder(IMAGE, 4, **SMALL), quantizer)


def auto_encoder():
    flat = {"filters": 8, "residual_blocks": 1, "flatten": True}
    return AutoEncoder(image_encoder(IMAGE, 4, **flat), image_decoder(IMAGE, 4, **flat))


def vae():
    flat = {**SMALL, "flatten": True}
    warm_up = keras.optimizers.schedules.PolynomialDecay(0.0, 5, 1.0)
    return VariationalAutoEncoder(
        image_encoder(IMAGE, 8, **flat), image_decoder(IMAGE, 3, **flat), 3, beta=warm_up, seed=0
    )


def conditional_vae():
    options = {"num_labels": 3, "mmd_weight": 10.0, "num_samples": 2, "seed": 0}
    given = {**SMALL, "flatten": True, "num_labels": 3}
    return VariationalAutoEncoder(
        image_encoder(IMAGE, 8, **given), image_decoder(IMAGE, 3, **given), 3, **options
    )


def total_correlation_vae():
    flat = {**SMALL, "flatten": True}
    settings = {"dataset_size": 12, "sampling": "stratified", "seed": 0}
    encoder, decoder = image_encoder(IMAGE, 8, **flat), spatial_broadcast_decoder(IMAGE, 3, filters=4)
    return TotalCorrelationVariationalAutoEncoder(encoder, decoder, 3, **settings)


def discrete_vae():
    flat, bits = {**SMALL, "flatten": True}, BinaryBottleneck(prior="learned", seed=0)
    encoder, decoder = image_encoder(IMAGE, 6, **flat), image_decoder(IMAGE, 6, **flat)
    warm_up = keras.optimizers.schedules.PolynomialDecay(0.0, 5, 1.0)
    baseline = ScoreFunction("moving_average")
    return DiscreteVariationalAutoEncoder(encoder, decoder, bits, estimator=baseline, beta=warm_up)


def sequence_vq():
    inputs = keras.Input((None, 3))
    hidden = MaskedConv1D(6, 3, strides=2, activation="relu")(inputs)
    encoder = keras.Model(inputs, MaskedConv1D(4, 3)(hidden))
    codes = keras.Input((None, 4))
    hidden = MaskedConv1DTranspose(6, 4, strides=2, activation="relu")(codes)
    decoder = keras.Model(codes, MaskedConv1D(3, 3)(hidden))
    return AutoEncoder(encoder, decoder, vector_quantizer())


def speech(bottleneck, jitter):
    mel = {"num_mels": 4, "sample_rate": 100, "window_length": 4, "hop": 2, "fft_length": 8, "log": "natural"}
    small = {"filters": 4, "residual_blocks": 1}
    encoder = frame_encoder([LogMelSpectrogram(**mel), InstanceNormalization()], 4, **small)
    decoder = frame_decoder(4, 4, 3, speaker_dim=2, jitter=jitter, seed=0, **small)
    target = front_end([LogMelSpectrogram(**mel)])
    return SpeechAutoEncoder(encoder, decoder, target, bottleneck)


def speech_vq():
    return speech(vector_quantizer(0), jitter=0.0)


def speech_vae():
    return speech(GaussianBottleneck(4, beta=0.01, seed=0), jitter=0.12)


def adain_voice_converter():
    mel = {"num_mels": 4, "sample_rate": 100, "window_length": 4, "hop": 2, "fft_length": 8}
    mel["floor"] = 0.003  # the frames lie above it: normalised constant frames are rounding
    small = {"filters": 4, "bank": 1, "strides": (2,)}
    return AdaINVoiceConverter(
        content_encoder(4, 2 * 2, **small),
        speaker_encoder(4, 3, dense_blocks=1, **small),
        adain_decoder(4, 2, 3, filters=4, strides=(2,)),
        front_end([LogMelSpectrogram(**mel), FrameNormalization()]),
        reconstruction_weight=1.0,
        kl_weight=keras.optimizers.schedules.PolynomialDecay(0.0, 5, 1.0),
        perturbation=SpectralPerturbation(0.1, 0.5, seed=0),
        voice_of="speaker",
        independence_weight=0.1,
        match_variance=True,
        match_target=True,
        seed=0,
    )


def adversarial_disentangler():
    networks = adversarial_networks(3, num_speakers=3)
    ramp = keras.optimizers.schedules.PolynomialDecay(0.1, 5, 1.0)
    terms = {"adversarial_weight": ramp, "adversary_updates": 2}
    return AdversarialDisentangler(*networks, label="speaker", **terms)


def adversarial_voice_converter():
    mel = {"num_mels": 4, "sample_rate": 100, "window_length": 4, "hop": 2, "fft_length": 8}
    generator = speaker_decoder(4, 2, num_speakers=3, starts_at_zero=True, **DECODER)
    # an epoch of three steps against the adversary, one of the decoder alone, one of the residual generator
    return AdversarialVoiceConverter(
        *adversarial_networks(4, num_speakers=3),
        front_end([LogMelSpectrogram(**mel), FrameNormalization()]),
        generator=generator,
        discriminator=patch_discriminator(4, 3, filters=2, blocks=1),
        joint_steps=3,
        decoder_steps=3,
        linear_weight=0.5,
        consistency_weight=0.5,
        adversary_updates=1,
        discriminator_updates=1,
        seed=0,
    )


def adversarial_networks(mels, **table):
    encoder = conv_bank_encoder(mels, 2, filters=4, bank=1, halvings=1, residual_blocks=0)
    decoder = speaker_decoder(mels, 2, **table, **DECODER)
    return encoder, decoder, speaker_classifier(2, 3, units=4, segments=2, standardize=False)


def code_prior():
    return CodePrior(5, CODES, dim=8, depth=1, num_attention_heads=2)


def two_level():
    top, bottom = vector_quantizer(0, name="top"), vector_quantizer(0, name="bottom")
    networks = two_level_networks(IMAGE, 4, **SMALL)
    return TwoLevelAutoEncoder(**networks, top_bottleneck=top, bottom_bottleneck=bottom)


def generative():
    top = CodePrior(8, (1, 1), dim=8, depth=1, num_attention_heads=2)
    given_top = {"condition_values": 8, "condition_shape": (1, 1)}
    bottom = CodePrior(8, (2, 2), dim=8, depth=1, num_attention_heads=2, **given_top)
    return GenerativeAutoEncoder(two_level(), top, bottom)


def deep_info_max():
    inputs = keras.Input(IMAGE)
    local = keras.layers.Conv2D(6, 4, strides=2, padding="same", activation="relu", name="local")(inputs)
    encoder = keras.Model(inputs, keras.layers.Dense(4)(keras.layers.Flatten()(local)))
    terms = {"alpha": 0.5, "gamma": 0.1, "sample_locations": 5, "prior_units": (8,)}
    return DeepInfoMax(encoder, local="local", mi_units=8, seed=0, **terms)


def sequence_deep_info_max():
    inputs = keras.Input((None, 3))
    local = MaskedConv1D(6, 3, strides=2, activation="relu")(inputs)
    vector = keras.layers.GlobalAveragePooling1D()(MaskedConv1D(6, 3)(local))
    encoder = keras.Model(inputs, [keras.layers.Dense(4)(vector), local])
    return DeepInfoMax(encoder, estimator="donsker_varadhan", alpha=0.5, mi_units=8)


def contrastive_predictive_coding():
    encoder = waveform_encoder(4, kernels=(4, 4), strides=(2, 2))
    options = {"negatives": "same_speaker", "num_negatives": None}
    return ContrastivePredictiveCoding(encoder, recurrent_context(4, 5), steps=2, **options)


def sequence_contrastive_predictive_coding():
    inputs, frames = keras.Input((None, 3)), keras.Input((None, 4))
    encoder = keras.Model(inputs, MaskedConv1D(4, 3, strides=2)(inputs))
    context = keras.Model(frames, MaskedConv1D(5, 3, padding="causal")(frames))
    options = {"negatives": "batch", "num_negatives": 8, "seed": 0}
    return ContrastivePredictiveCoding(encoder, context, steps=2, **options)


def quick_thought():
    recurrent = recurrent_sentence_encoder(9, 6, embedding_dim=3)
    words = ["how", "much", "is", *"?abc"]
    return QuickThought(recurrent, bag_of_words_encoder(9, 6), sub_batches=2, vocabulary=words)


def skip_thought():
    encoder = recurrent_sentence_encoder(9, 6, embedding_dim=3, bidirectional=False)
    words = ["how", "much", "is", *"?abc"]
    return SkipThought(encoder, words, units=4, conditioning="every_step", max_target_words=6)


def users_functional():
    inputs = keras.Input(IMAGE, name="image")
    features = image_encoder(IMAGE, 4, **SMALL)(inputs)
    outputs = image_decoder(IMAGE, 4, **SMALL)(vector_quantizer(0)(features))
    return keras.Model(inputs, outputs)


CONTRASTIVE = {"contrastive": True, "decodes": False}
CASES = (
    Case("auto_encoder", auto_encoder),
    Case("vae", vae, noisy=True),
    Case("conditional_vae", conditional_vae, noisy=True, labels=3),
    Case("total_correlation_vae", total_correlation_vae, noisy=True),
    Case("vq", vq),
    Case("vq_by_gradient", vq_by_gradient, variant=True),
    Case("residual", residual, variant=True),
    Case("gumbel", gumbel, noisy=True, variant=True),
    Case("binary", binary, noisy=True, variant=True),
    Case("discrete_vae", discrete_vae, noisy=True),
    Case("fsq", fsq, variant=True),
    Case("lfq", lfq, variant=True),
    Case("sequence_vq", sequence_vq, sequence=True),
    Case("speech_vq", speech_vq, sequence=True, hop=2, speakers=3),
    Case("speech_vae", speech_vae, sequence=True, noisy=True, hop=2, speakers=3, variant=True),
    Case(
        "adain_voice_converter",
        adain_voice_converter,
        **{"sequence": True, "noisy": True, "hop": 2, "least": 10, "speakers": 3},
    ),
    Case("adversarial_disentangler", adversarial_disentangler, sequence=True, speakers=3),
    Case(
        "adversarial_voice_converter",
        adversarial_voice_converter,
        **{"sequence": True, "noisy": True, "hop": 2, "least": 10, "speakers": 3, "epochs": 3},
    ),
    Case("code_prior", code_prior, num_codes=5),
    Case("two_level", two_level),
    Case("generative", generative),
    Case("deep_info_max", deep_info_max, noisy=True, **CONTRASTIVE),
    Case("sequence_deep_info_max", sequence_deep_info_max, sequence=True, **CONTRASTIVE),
    Case(
        "cpc",
        contrastive_predictive_coding,
        **{"sequence": True, "hop": 4, "speakers": 2, "frames_of": lambda n: -(-n // 4), **CONTRASTIVE},
    ),
    Case(
        "sequence_cpc",
        sequence_contrastive_predictive_coding,
        **{"sequence": True, "noisy": True, "frames_of": lambda n: -(-n // 2), **CONTRASTIVE},
    ),
    Case("quick_thought", quick_thought, sequence=True, words=9, **CONTRASTIVE),
    Case("skip_thought", skip_thought, sequence=True, decodes=False, words=9),
    Case("users_functional", users_functional, functional=True),
)
if ONE := os.environ.get("CONFORMANCE_MODEL"):  # of `make model`
    CASES = tuple(case for case in CASES if case.name == ONE)
    if not CASES:
        raise ValueError(f"MODEL must be the name of a case in {__file__}. Received: MODEL={ONE}")
