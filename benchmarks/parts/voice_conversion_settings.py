"""Settings of the systems that `voice_conversion.py` measures, chosen by validation takes of the digits."""

SYSTEMS = {
    "adain": {
        "recipe": "adain-voice-conversion",
        "settings": {"sample_rate": 8000},
        "off": {"instance_norm": False},  # the ablation
        "one_shot": True,  # there is a speaker encoder
        # readers of LibriSpeech, one utterance each: an epoch is 215 crops
        "read": {
            "sample_rate": 16000,
            "crop_seconds": 1.0,
            "epochs": 400,
            "voice_of": "utterance",
            "independence_weight": 0.0,
            "speaker_dim": 32,
        },
        "spoken": {"sample_rate": 16000, "crop_seconds": 1.0, "epochs": 300},  # voices of espeak
    },
    "adversarial": {
        "recipe": "adversarial-voice-conversion",
        "settings": {"sample_rate": 8000},
        "off": {"adversarial_weight": 0.0},
        "one_shot": False,
        "read": {"sample_rate": 16000},
        "spoken": {"sample_rate": 16000},
    },
}
