"""Files of a run: lock, fingerprint of the data, checkpoint, settings of a resumed run."""
