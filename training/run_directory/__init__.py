"""Files of a run: lock, fingerprint of the data, checkpoint, and settings of a resumed run."""
