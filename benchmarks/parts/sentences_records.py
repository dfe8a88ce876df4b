"""The records of `sentences.py`."""

from parts.records import record as repeated

COMMAND = "python benchmarks/sentences.py {} --books FOLDER --sentences FOLDER"
MEASURES = {  # of a task: what is recorded of it
    "accuracy": "",
    "f1": "_f1",
    "pearson": "",
    "cosine_spearman": "_cosine",
}
PREFIXES = {"gru": "qt", "bag": "qt.bag", "multi": "qt.multi", "multi_quick": "qt.multi_quick", "skip": "st"}
NAMES = {
    "gru": "Quick-Thought, bi-GRU",
    "bag": "Quick-Thought, sums of word vectors",
    "multi": "bi-GRU, sums of word vectors, Skip-Thought and the mean of word2vec side by side",
    "multi_quick": "bi-GRU, sums of word vectors and the mean of word2vec side by side",
    "skip": "Skip-Thought, bi-GRU",
}
GOALS = {
    "qt.valid.gain": ">= 0.35",
    "qt.trec": ">= 0.84",
    "qt.multi.mr": ">= 0.685",
    "qt.multi.mpqa": ">= 0.79",
    "qt.multi.trec": ">= 0.86",
    "st.perplexity.gain": ">= 0.03",
    "st.trec_behind": "<= 0.02",
}
VALIDATION = {
    "gain": ("valid.gain", "nats below equal scores of the candidates, blocks of 400, validation novels"),
    "context_accuracy": ("valid.accuracy", "the best candidate is a neighbour, validation novels"),
    "next_perplexity": ("perplexity.next", "of a word of the next sentence, validation novels"),
    "previous_perplexity": ("perplexity.previous", "of a word of the previous sentence, validation novels"),
    "example": ("example", "random pairs less alike than 'How much is this?', 'What does it cost?'"),
}
PROTOCOL = "linear classifier on frozen vectors, as SentEval"


def part_records(part, results, settings) -> dict:
    """`qt.*`, `qt.bag.*`, `qt.multi.*`, `qt.multi_quick.*` or `st.*` of the results of each seed.

    `settings` are those of each channel.
    """
    if not results:
        return {}
    prefix, minutes = PREFIXES[part], sum(one["minutes"] for one in results)
    about = "; ".join([NAMES[part], *(described(one) for one in settings)])
    if "epoch" in results[0]:
        about += f"; epoch kept of each seed: {', '.join(str(one['epoch']) for one in results)}"
    found = {}
    for key, (name, text) in VALIDATION.items():
        if key in results[0]:
            label = f"{prefix}.{name}"
            found[label] = record(label, [one[key] for one in results], minutes, f"{text}; {about}", part)
    for name, values in of_tasks([one["transfer"] for one in results]).items():
        label = f"{prefix}.{name}"
        found[label] = record(label, values, minutes, f"{PROTOCOL}; {about}", part)
    if part == "gru" and "qt.stsb_cosine" in found:
        found["qt.sts"] = found["qt.stsb_cosine"] | {
            "note": f"STS-B test, rank correlation of cosines; {about}"
        }
    return found


def control_records(results) -> dict:
    """`sentences.<row>.*` of the control rows of each seed."""
    found = {}
    if not results:
        return found
    minutes = sum(one["minutes"] for one in results)
    for row in results[0]["rows"]:
        for name, values in of_tasks([one["rows"][row] for one in results]).items():
            label = f"sentences.{row.replace(' ', '_')}.{name}"
            found[label] = record(label, values, minutes, f"{row}; {PROTOCOL}", "controls")
    return found


def difference_records(results) -> dict:
    """What Skip-Thought gains by the vector, and how far it is behind Quick-Thought, seed by seed."""
    found = {}
    pairs = list(zip(results.get("skip", []), results.get("without", []), strict=False))
    if pairs:
        gains = [1 - own["next_perplexity"] / without["next_perplexity"] for own, without in pairs]
        minutes = sum(own["minutes"] + without["minutes"] for own, without in pairs)
        text = (
            "share by which the perplexity of the next sentence is below that of decoders without the vector"
        )
        found["st.perplexity.gain"] = record("st.perplexity.gain", gains, minutes, text, "without")
        values = [without["next_perplexity"] for _, without in pairs]
        text = "of a word of the next sentence, by decoders without the vector"
        found["st.perplexity.without"] = record("st.perplexity.without", values, minutes, text, "without")
    pairs = list(zip(results.get("gru", []), results.get("skip", []), strict=False))
    if pairs and "trec" in pairs[0][0]["transfer"]:
        behind = [a["transfer"]["trec"]["accuracy"] - b["transfer"]["trec"]["accuracy"] for a, b in pairs]
        minutes = sum(own["minutes"] for _, own in pairs)
        text = "TREC of Quick-Thought less that of Skip-Thought"
        found["st.trec_behind"] = record("st.trec_behind", behind, minutes, text, "skip")
    return found


def of_tasks(transfers) -> dict:
    """`{task and measure: value of each seed}`."""
    return {
        f"{task}{ending}": [one[task][measure] for one in transfers]
        for task, results in transfers[0].items()
        for measure, ending in MEASURES.items()
        if measure in results
    }


def described(settings):
    return ", ".join(f"{key} {value}" for key, value in settings.items())


def record(label, values, minutes, note, part):
    return repeated(values, COMMAND.format(part), minutes, note, GOALS.get(label, ""))
