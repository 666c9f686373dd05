"""Published tables in, one static page out."""
