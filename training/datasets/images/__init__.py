"""Images: folders, arrays and generated data sets, in memory or streamed."""
