"""The records of `voice_conversion.py`."""

from parts.records import record as repeated
from parts.voice_conversion_controls import NOTES

GOALS = {
    "content_digit": ">= 0.90",
    "content_loso": ">= 0.70",
    "content_speaker_linear": "<= 0.50",
    "content_speaker_mlp": "<= 0.75",
    "content_speaker_newdigits": "<= 0.35",
    "speaker_speaker": ">= 0.98",
    "speaker_newdigits": ">= 0.88",
    "speaker_digit": "<= 0.40",
    "both_seen": ">= 0.80",
    "digit_seen": ">= 0.90",
    "mcd": "<= 4.5",
    "both_oneshot": ">= 0.40",
    "ablation_drop": ">= 0.20",
}
TEXTS = {
    "content_digit": "linear probe of the digit, content in eight bins, 2,700 takes to fit, 300 to test",
    "content_digit_mlp": "the digit by an MLP of 256 units, content in eight bins",
    "content_loso": "linear probe of the digit, mean over six speakers the probe has not heard",
    "content_speaker_linear": "fresh linear probe of the speaker, content in eight bins",
    "content_speaker_mlp": "fresh probe of the speaker by an MLP of 256 units, content in eight bins",
    "content_speaker_newdigits": "linear probe of the speaker on digits the probe has not heard",
    "speaker_speaker": "linear probe of the speaker on the speaker's code",
    "speaker_newdigits": "linear probe of the speaker on the speaker's code, digits it has not heard",
    "speaker_digit": "linear probe of the digit on the speaker's code",
    "both_seen": "300 test takes to 5 speakers each, voice of their training takes: speaker and digit right",
    "digit_seen": "the same conversions: digit right",
    "target_seen": "the same conversions: target speaker right",
    "source_seen": "the same conversions: still the source speaker",
    "mcd": "the same conversions: mel-cepstral distortion to the nearest of the target's takes of the digit",
    "gv": "the same conversions: variance over time relative to the target's takes; 0.8 to 1.25 is wanted",
    "both_own": "300 test takes decoded in their own voice: speaker and digit right",
    "digit_own": "the same takes in their own voice: digit right",
    "both_one_utterance": "speakers seen in training, voice of one other take of the target: both right",
    "target_one_utterance": "the same conversions: target speaker right",
    "source_one_utterance": "the same conversions: still the source speaker",
    "digit_one_utterance": "the same conversions: digit right",
    "both_oneshot": "trained without the two target speakers, one of their takes as the target: both right",
    "target_oneshot": "the same conversions: target speaker right",
    "source_oneshot": "the same conversions: still the source speaker",
    "digit_oneshot": "the same conversions: digit right",
    "mcd_oneshot": "the same conversions: mel-cepstral distortion",
    "gv_oneshot": "the same conversions: variance over time relative to the target's takes",
    "ablation_drop": "linear speaker probe of the content without {off}, less the one with",
    "ablation_mlp_drop": "MLP speaker probe of the content without {off}, less the one with",
    "ablation_digit_cost": "digit probe of the content without {off}, less the one with",
    "speaker_eer": "equal error rate of the speaker's code on 60 utterances of 6 speakers it has not heard",
    "log_mel_eer": "equal error rate of the mean log-mel on the same utterances",
    "espeak_mcd": "sentences of 4 espeak voices not heard in training: distortion from the true target",
    "espeak_mcd_copy": "the same sentences, not converted",
    "espeak_mcd_mean_shift": "the same sentences, bands moved to the mean of the utterance of the target",
}
NAMES = {"adain": "AdaINVoiceConverter", "adversarial": "AdversarialVoiceConverter"}
OFF = {"adain": "instance normalisation", "adversarial": "the adversary"}
READERS = " --librispeech librispeech_mini"
FILES = {"speaker_eer": READERS, "log_mel_eer": READERS}  # beside those of the digits
SHARES = {"target_speaker": "target", "source_speaker": "source", "content": "digit"}


def system_records(name, results, settings, judge) -> dict:
    """`vc.<name>.*` of the results `{"main": [...], "ablation": [...], "oneshot": [...], ...}` there are."""
    goals = GOALS | ({"ablation_digit_cost": "<= 0.03"} if name == "adversarial" else {})
    found = {}
    for of_seeds in with_ablation(results).values():
        keys = [] if not of_seeds else [key for key in of_seeds[0] if key in TEXTS]
        minutes = sum(one["minutes"] for one in of_seeds)
        epochs = ", ".join(str(one["epoch"]) for one in of_seeds)
        own = of_seeds[0].get("settings", settings) if of_seeds else settings
        note = f"{NAMES[name]}, {described(own)}; epoch kept of each seed: {epochs}; judge {judge}"
        for key in keys:
            text = TEXTS[key].format(off=OFF[name])
            values = [one[key] for one in of_seeds]
            goal = goals.get(key, "")
            found[f"vc.{name}.{key}"] = record(
                values, goal, minutes, f"{text}; {note}", name, FILES.get(key, "")
            )
    return found


def with_ablation(results):
    """Results of the parts; `ablation` as differences from `main` of the same seed."""
    pairs = list(zip(results.get("ablation", []), results.get("main", []), strict=False))
    drops = [
        {
            "epoch": without["epoch"],
            "minutes": without["minutes"],
            "settings": without.get("settings", {}),
            "ablation_drop": without["content_speaker_linear"] - whole["content_speaker_linear"],
            "ablation_mlp_drop": without["content_speaker_mlp"] - whole["content_speaker_mlp"],
            "ablation_digit_cost": without["content_digit"] - whole["content_digit"],
        }
        for without, whole in pairs
    ]
    return {**results, "ablation": drops}


def control_records(controls) -> dict:
    """`vc.control.<row>.*`."""
    minutes, found = controls["minutes"], {}
    for name, text in NOTES.items():
        row = controls["rows"][name]
        for key in ("both", *SHARES, "mcd", "gv"):
            note = f"{text}; judge {controls['judge']}; n: {row['n']} conversions, once"
            label = f"vc.control.{name}.{SHARES.get(key, key)}"
            found[label] = record([row[key]], "", minutes, note, "controls")
    for name, row in controls["probes"].items():
        for key, value in row.items():
            note = "the same probes of features, no learning"
            found[f"vc.control.{name}.{key}"] = record([value], "", minutes, note, "controls")
    for name, value in controls["judge_accuracy"].items():
        note = f"accuracy of judge {controls['judge']} on the test takes, {name.replace('_', ', ')}"
        found[f"vc.judge.{name}"] = record([value], "", minutes, note, "controls")
    return found


def described(settings):
    named = [f"{key} {value}" for key, value in settings.items() if key != "judge"]
    return ", ".join(named) or "settings of the recipe"


def record(values, goal, minutes, note, part, files=""):
    command = f"python benchmarks/voice_conversion.py {part} --data fsdd.npz{files}"
    return repeated(values, command, minutes, note, goal)
