"""Topics, the pure part: terms, duplicates, groups of vectors, names. No file, no vendor's clustering, no text kept."""
