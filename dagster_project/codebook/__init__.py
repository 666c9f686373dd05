"""The codebook: what is asked of a conversation, one facet a YAML file, with its schema and loader."""
