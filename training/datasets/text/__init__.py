"""Text: documents of sentences, their vocabulary and word vectors."""
