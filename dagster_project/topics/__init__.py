"""Topics of a period: reading the lake, clustering, word lists. The rules are in `domain/topics`."""
