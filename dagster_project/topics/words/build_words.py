"""Builds `english.txt`: common English words without the names of people and places.

Run by hand, never by the program: `python build_words.py SCOWL NAMES FAKER PROFANITY`, where the four are unpacked
folders or files of the packages named in README.md. Not here: reading the list (`topics/vocabulary.py`).
"""

import importlib
import re
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
LEVELS = (10, 20, 35, 40)
EVERYDAY_LEVEL = 20
COMMON_SURNAMES = 2000
WORD = re.compile(r"[a-z]{3,16}")


def reviewed(name: str) -> set[str]:
    """Words of one of the hand-kept files beside this script."""
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return {word for line in lines if not line.startswith("#") for word in line.split()}


def scowl(folder: Path, kinds: list[str], levels: tuple[int, ...]) -> dict[str, int]:
    """Lower-cased entries of SCOWL with the lowest (most common) level that has them."""
    found: dict[str, int] = {}
    for level in levels:
        for kind in kinds:
            path = folder / f"{kind}.{level}"
            for line in path.read_text(encoding="latin-1").splitlines() if path.exists() else ():
                found.setdefault(line.strip(), level)
    return found


def strings(value: object) -> Iterator[str]:
    """Every string inside nested lists and mappings."""
    if isinstance(value, str):
        plain = unicodedata.normalize("NFKD", value.lower())
        yield from re.findall("[a-z]+", "".join(c for c in plain if not unicodedata.combining(c)))
    elif isinstance(value, dict | list | tuple | set | frozenset):
        for item in value:
            yield from strings(item)


def faker_names(folder: Path) -> set[str]:
    """First names of every language that Faker has, without accents."""
    sys.path.insert(0, str(folder))
    found: set[str] = set()
    for path in sorted((folder / "faker" / "providers" / "person").iterdir()):
        if re.fullmatch("[a-z]{2}(_[A-Z]{2})?", path.name):
            provider = importlib.import_module(f"faker.providers.person.{path.name}").Provider
            for attribute, value in vars(provider).items():
                if attribute.startswith("first_name"):
                    found.update(strings(value))
    return found


def census(path: Path) -> list[str]:
    """Names of a file of the US census of 1990, most frequent first."""
    return [line.split()[0].lower() for line in path.read_text(encoding="ascii").splitlines() if line.strip()]


def build(scowl_folder: Path, names_folder: Path, faker_folder: Path, profanity: Path) -> list[str]:
    """The list, sorted. Rules in README.md."""
    varieties = ("english", "american", "british", "british_z")
    levels = scowl(scowl_folder, [f"{v}-words" for v in varieties], LEVELS)
    proper = scowl(scowl_folder, [f"{v}-proper-names" for v in varieties], (35, 40, 50, 60, 70, 80))
    first = {n for sex in ("female", "male") for n in census(names_folder / f"dist.{sex}.first")}
    surnames = census(names_folder / "dist.all.last")
    always = first | set(surnames[:COMMON_SURNAMES])
    unless_everyday = faker_names(faker_folder) | set(surnames) | {p.lower() for p in proper}
    profane = set(profanity.read_text(encoding="utf-8").splitlines()) - reviewed("sensitive.txt")
    kept = {
        word
        for word, level in levels.items()
        if WORD.fullmatch(word)
        and word not in always
        and (level <= EVERYDAY_LEVEL or word not in unless_everyday)
        and word not in profane
    }
    kept |= {word for name in ("reviewed.txt", "added.txt") for word in reviewed(name) if "-" not in word}
    return sorted(kept - reviewed("removed.txt"))


if __name__ == "__main__":
    words = build(*(Path(argument) for argument in sys.argv[1:5]))
    (HERE / "english.txt").write_text("\n".join(words) + "\n", encoding="ascii")
    print(f"{len(words):,} words")
