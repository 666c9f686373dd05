"""Reads facet files into a codebook, the package's own first, then an organisation's.

Not here: the shape of a facet (`schema.py`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from pydantic import ValidationError

from dagster_project.codebook.schema import AnswerType, Facet
from dagster_project.errors import ConfideError

SHIPPED = Path(__file__).parent / "facets"
OPTIONAL = Path(__file__).parent / "optional"
"""Facets that come with the package and are asked only where a home's settings name them."""
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The same as `safe_load`, in C: every step of a run reads the codebook, and Python takes a quarter of a second to."""


class CodebookError(ConfideError):
    """A facet file that cannot be used; the message names the file and the field."""


@dataclass(frozen=True)
class Codebook:
    """Facets by id, in the order of the codebook."""

    facets: tuple[Facet, ...]

    def __iter__(self) -> Iterator[Facet]:
        return iter(self.facets)

    def __getitem__(self, facet_id: str) -> Facet:
        for facet in self.facets:
            if facet.id == facet_id:
                return facet
        known = ", ".join(f.id for f in self.facets)
        raise CodebookError(f"no facet {facet_id!r}; the codebook has {known}")

    def of_stage(self, stage: str) -> tuple[Facet, ...]:
        """The facets asked in one stage: screen, detail or cluster."""
        return tuple(f for f in self.facets if f.stage == stage)

    def with_bases(self, facets: Iterable[Facet]) -> tuple[Facet, ...]:
        """These facets and those whose events they describe, in the order of the codebook, each once."""
        wanted = {f.id for f in facets}
        wanted |= {f.of for f in self.facets if f.id in wanted and f.of}
        return tuple(f for f in self.facets if f.id in wanted)


def read_facet(path: Path) -> Facet:
    """One facet file. Raises CodebookError naming file and field, never its content."""
    try:
        return Facet.model_validate(yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the facet"
        raise CodebookError(f"{path.name}: {where}: {first['msg']}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise CodebookError(f"{path.name}: not readable as YAML") from None


def load_codebook(*extra: Path, optional: Iterable[str] = ()) -> Codebook:
    """The shipped facets, the optional ones that are named, and those of `extra` folders.

    Raises CodebookError on a bad, doubled or unknown facet, and on a folder that is not there: whoever misspelt it
    would release without the question that they meant to ask.
    """
    if missing := [folder for folder in extra if not folder.is_dir()]:
        raise CodebookError(f"[codebook] folders: {missing[0]} is no folder")
    facets: dict[str, Facet] = {}
    files: dict[str, Path] = {}
    for folder, paths in ((SHIPPED, None), (OPTIONAL, _named(optional)), *((folder, None) for folder in extra)):
        for path in sorted(folder.glob("*.yaml")) if paths is None else paths:
            facet = read_facet(path)
            if facet.id in facets:
                raise CodebookError(f"{path.name}: facet {facet.id!r} is defined twice")
            if path.stem.split("_", 1)[-1] != facet.id and path.stem != facet.id:
                raise CodebookError(f"{path.name}: the file is not named after its facet {facet.id!r}")
            facets[facet.id], files[facet.id] = facet, path
    for facet in facets.values():
        if fault := _fault_of_base(facet, facets):
            raise CodebookError(f"{files[facet.id].name}: of: {fault}")
    return Codebook(tuple(facets.values()))


def _named(optional: Iterable[str]) -> list[Path]:
    """The files of optional facets. Raises CodebookError on one that there is not."""
    files = {path.stem.split("_", 1)[1]: path for path in sorted(OPTIONAL.glob("*.yaml"))}
    wanted = set(optional)
    if unknown := sorted(wanted - set(files)):
        raise CodebookError(f"no optional facet {unknown[0]!r}: there are {', '.join(files)}")
    return [path for facet, path in files.items() if facet in wanted]


def _fault_of_base(facet: Facet, facets: Mapping[str, Facet]) -> str | None:
    """Why a facet cannot describe the events that it says it describes."""
    if facet.of is None:
        return None
    base = facets.get(facet.of)
    if base is None or base.answer is not AnswerType.EVENTS:
        return f"{facet.of!r} is no events facet of the codebook"
    if base.stage != facet.stage:
        return f"{facet.of!r} is asked in the stage {base.stage}, this in {facet.stage}: they are asked together"
    return None


@cache
def shipped_codebook() -> Codebook:
    """The package's own facets, read once when first asked for."""
    return load_codebook()
