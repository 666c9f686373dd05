"""dbt as a process of its own: `python -m dagster_project.dbt_process build …` is `dbt build …`, only quicker.

Not here: what it is told (`storage/warehouse.py`), who starts it (`dbt_project.py`, `assets/warehouse.py`).
"""

import gc


def main() -> None:
    """Run dbt's command line with the arguments of this process."""
    # dbt keeps its whole project until it ends, in half a million objects: looking for garbage among them takes a fifth
    # of its time and finds none.
    gc.disable()
    from dbt.cli.main import cli

    cli()


if __name__ == "__main__":
    main()
