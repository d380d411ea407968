"""From text to token ids: tokens, n-grams, vocabulary, word vectors."""
