"""Pure rules of the study. No Dagster, no I/O, no vendor SDK; imports nothing of ours outside `domain`."""
