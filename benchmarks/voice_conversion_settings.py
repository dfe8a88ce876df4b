"""Settings of the systems that `voice_conversion.py` measures, chosen by validation takes of the digits."""

SYSTEMS = {
    "adain": {
        "recipe": "adain-voice-conversion",
        "settings": {"sample_rate": 8000},
        "off": {"instance_norm": False},  # the ablation
        "one_shot": True,  # there is a speaker encoder
        "read": {"sample_rate": 16000},  # other settings for readers of LibriSpeech
        "spoken": {"sample_rate": 16000},  # and for espeak
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
