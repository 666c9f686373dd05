"""The disclosure policy: one file of dated thresholds, and its loader. Not here: what applies them."""
