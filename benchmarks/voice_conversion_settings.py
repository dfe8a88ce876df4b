"""Settings of the systems that `voice_conversion.py` measures, chosen by validation takes of the digits."""

SYSTEMS = {
    "adain": {
        "recipe": "adain-voice-conversion",
        "settings": {},
        "off": {"instance_norm": False},  # the ablation
        "one_shot": True,  # there is a speaker encoder
        "read": {},  # other settings for readers of LibriSpeech
        "spoken": {},  # and for espeak
    },
    "adversarial": {
        "recipe": "adversarial-voice-conversion",
        "settings": {},
        "off": {"adversarial_weight": 0.0},
        "one_shot": False,
        "read": {},
        "spoken": {},
    },
}
