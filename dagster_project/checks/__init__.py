"""Asset checks: what is broken, told to Dagster by count. They report; the release enforces."""
