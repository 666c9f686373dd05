"""dbt as a process of its own: `python -m dagster_project.dbt_process build …` is `dbt build …`, only quicker.

Not here: what it is told (`storage/warehouse.py`), who starts it (`dbt_project.py`, `assets/warehouse.py`).
"""

import gc
from typing import Any


def main() -> None:
    """Run dbt's command line with the arguments of this process."""
    # dbt keeps its whole project until it ends, in half a million objects: looking for garbage among them takes a fifth
    # of its time and finds none.
    gc.disable()
    tell_nobody_of_debugging()
    from dbt.cli.main import cli

    cli()


def tell_nobody_of_debugging() -> None:
    """Drop dbt's debug events at once.

    Nothing here listens to them: what is printed begins at the level of information, and no log is written. dbt makes
    each of its three thousand a build into a line of JSON all the same, which takes another fifth of its time.
    """
    from dbt_common.events.base_types import EventLevel
    from dbt_common.events.event_manager import EventManager
    from dbt_common.events.event_manager_client import ctx_set_event_manager

    class Informed(EventManager):
        def fire_event(self, e: Any, level: EventLevel | None = None, *more: Any, **named: Any) -> None:
            if (level or e.level_tag()) not in (EventLevel.DEBUG, EventLevel.TEST):
                super().fire_event(e, level, *more, **named)

    ctx_set_event_manager(Informed())


if __name__ == "__main__":
    main()
