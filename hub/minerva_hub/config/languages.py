"""Languages and vocabularies as they stand in the settings: codes by comma, words by language."""

from __future__ import annotations

from typing import Final

# Whisper's, as OpenAI lists them.
LANGUAGES: Final = frozenset(
    (
        "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he hi hr "
        "ht hu hy id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nl nn no oc "
        "pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk ur uz vi yi yo yue "
        "zh"
    ).split()
)
MAX_WORD: Final = 40  # characters; longer ones are no words, but a text that was put in the wrong place


def language_list(text: str) -> tuple[str, ...]:
    """The codes in "en, de"; ValueError names one that is none."""
    codes = tuple(dict.fromkeys(code.strip() for code in text.split(",") if code.strip()))
    for code in codes:
        check_language(code)
    return codes


def check_language(code: str) -> str:
    """The code; ValueError unless it is the code of a language that Whisper knows."""
    if code not in LANGUAGES:
        raise ValueError(f"{code!r} is no language code that Whisper knows, such as en, de or fr")
    return code


def vocabulary_by_language(text: str) -> dict[str, tuple[str, ...]]:
    """The words in "Minerva, Ada; de: Kessel, Herd" by language, "" for any; ValueError: what is wrong."""
    words: dict[str, tuple[str, ...]] = {}
    for part in text.split(";"):
        code, colon, listed = part.rpartition(":")
        code = code.strip()
        if colon:
            check_language(code)
        found = tuple(word.strip() for word in listed.split(",") if word.strip())
        for word in found:
            if len(word) > MAX_WORD or not word.isprintable():
                raise ValueError(f"{word[:50]!r}: a word has up to {MAX_WORD} printable characters")
        words[code] = (*words.get(code, ()), *found)
    return {code: found for code, found in words.items() if found}
