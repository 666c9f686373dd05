"""Whether a text gives anything to go on: letters at all, and not clearly another language than English.

The heads are trained on English. A text is turned away only when it is *clearly* not English (another script, or
more function words of another language); names, code and slang pass. Not here: what is done about it.
"""

import re

SAMPLE_CHARACTERS = 2_000
MIN_WORDS = 4


def _words(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


ENGLISH = _words(
    "the a an and or but if of to in on at for with from by about as is are was were be been am i you he she it we",
    "they",
    "me my your his her its our their this that these those what which who how why when where do does did don't have",
    "has had not no so can could will would should just like get got im i'm it's that's because there than then out up",
    "write make please give tell",
)
# Function words that are not English words too, of the languages most often met in chat logs.
OTHERS = (
    _words(
        "el los las un una del por para pero como más muy está estoy esto eso que qué yo mi porque con hay ser sobre",
        "cuando le les des est et je ne pas vous nous une du dans pour avec sur mais c'est j'ai qui ce cette mon ma",
        "sont être der das und ist ich nicht ein eine mit auf für von zu den dem wie aber auch mir mich wir sie es",
        "sich wenn il lo che di non è sono per anche della nel gli questo mio perché o os um uma não em você eu com",
        "dos mais isso meu minha muito het een van niet ik dat voor zijn maar met ook je hebben naar deze och att det",
        "som på är jag inte med för av en ett har var jak się nie jest na że jestem mam bir ve bu için ben çok",
        "và là của tôi không một cho các có với người được yang dan di saya ini itu untuk dengan tidak",
        "en de la se su tu si te",
    )
    - ENGLISH
)

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


_FACE = re.compile(r"[:;=]'?-?[()dp/\\|*]|<3|[\U0001F300-\U0001FAFF\u2600-\u27BF]", re.IGNORECASE)


def is_readable(text: str) -> bool:
    """Whether there is a letter, an emoticon or an emoji to read."""
    sample = text[:SAMPLE_CHARACTERS]
    return any(ch.isalpha() for ch in sample) or bool(_FACE.search(sample))


def clearly_not_english(text: str) -> bool:
    """True when the text is in another script or language beyond reasonable doubt; short texts get the benefit."""
    sample = text[:SAMPLE_CHARACTERS]
    words = [w.lower() for w in _WORD.findall(sample.replace("’", "'"))]
    english = sum(w in ENGLISH for w in words)
    letters = [ch for ch in sample if ch.isalpha()]
    if not letters:
        return False
    foreign_script = sum(ch > "\u024f" for ch in letters) / len(letters)
    if foreign_script > 0.5:
        return english < 3
    # "Thơ về biển": too short for function words, but no English word has so many marks.
    marked = sum(ch > "\x7f" for ch in letters)
    if marked >= 2 and marked / len(letters) >= 0.2 and not english:
        return True
    if len(words) < MIN_WORDS:
        return False
    others = sum(w in OTHERS for w in words)
    return others / len(words) >= 0.12 and others >= 2 and others > 2 * english
