"""Asset checks: contracts (Pandera) and suites (GX), reported to Dagster as counts. They report; the release enforces."""
