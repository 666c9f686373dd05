"""Chat-log formats: one module a format, each turning foreign records into canonical conversations."""
