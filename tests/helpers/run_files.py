"""The config of a run that a test reads and changes."""

import json


def config_of(run):
    return json.loads((run / "config.json").read_text())


def rewrite(run, **changes):
    """Change entries of `config.json`; `settings` are merged."""
    config = config_of(run)
    changes["settings"] = config["settings"] | changes.get("settings", {})
    (run / "config.json").write_text(json.dumps(config | changes))


def unfinish(run):
    """As if the process had been killed while the model was measured."""
    rewrite(run, finished=False)
    (run / "metrics.json").unlink()
