"""Speech: folders, manifests, arrays and synthesised utterances, in memory or streamed."""
