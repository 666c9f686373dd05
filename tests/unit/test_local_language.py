"""Other languages are told from English before anything is guessed about them; English is not turned away."""

import pytest

from dagster_project.classifiers.local.language import clearly_not_english, is_readable


@pytest.mark.parametrize(
    "text",
    [
        "Ich weiß nicht, was ich machen soll, meine Freundin redet nicht mehr mit mir",
        "No sé qué hacer con mi vida, estoy muy triste y no puedo dormir por la noche",
        "Je ne sais pas comment parler à ma mère, elle est toujours en colère avec moi",
        "Não consigo dormir e meu marido não me ouve mais, o que faço com isso",
        "Мне очень одиноко, поговори со мной",
        "我最近很难过,不知道该怎么办",
        "أشعر بالحزن الشديد ولا أعرف ماذا أفعل",
        "Tôi không biết làm gì với gia đình của tôi",
        "Ik weet niet meer wat ik moet doen, mijn moeder praat niet met mij",
    ],
)
def test_clearly_another_language(text: str) -> None:
    assert clearly_not_english(text)


@pytest.mark.parametrize(
    "text",
    [
        "I don't know what to do any more",
        "idk lol ur so funny",
        "hola",
        "Translate to English please: 我最近很难过,不知道该怎么办",
        "def f(x): return {k: v for k, v in x.items()}",
        "My friend Jörg in København says 'je ne sais quoi' a lot and it drives me mad",
        "SELECT a, b FROM t WHERE x > 3",
        "ok",
        "",
        "?!",
        "mi amor is what he calls me, and I like it",
    ],
)
def test_english_code_and_doubtful_short_texts_pass(text: str) -> None:
    assert not clearly_not_english(text)


@pytest.mark.parametrize(
    ("text", "readable"), [("a", True), (":(", True), ("😭", True), ("", False), ("?! 123 …", False), ("\x00\n", False)]
)
def test_what_can_be_read(text: str, readable: bool) -> None:
    assert is_readable(text) is readable
