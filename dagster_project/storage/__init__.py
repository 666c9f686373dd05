"""What is kept on disk: the lake, landing, caches, the warehouse connection, publications."""
