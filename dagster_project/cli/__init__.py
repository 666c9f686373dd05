"""The `confide` command. Thin: each command opens a home, calls what does the work, prints counts."""
