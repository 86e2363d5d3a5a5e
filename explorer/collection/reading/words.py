"""What the columns of tables are called in many languages, and texts whose words are not parted by spaces."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache

FILE_WORDS = (
    *("filename", "file", "filepath", "path", "image", "img", "picture", "photo", "pic", "fname", "url"),
    *("datei", "bild", "foto", "fichier", "archivo", "fichero", "ruta", "imagen", "immagine", "percorso", "bestand"),
    *("afbeelding", "arquivo", "ficheiro", "imagem", "файла", "файл", "изображение", "картинка", "фото", "путь"),
    *("pliku", "plik", "obraz", "zdjęcie", "dosya", "resim", "görsel", "文件", "檔案", "图片", "圖片", "图像", "路径"),
    *("ファイル", "画像", "写真", "パス", "파일", "이미지", "사진", "jpg", "png", "webp"),
)
"""Words of which one is in the name of a column of files, likeliest first."""

TEXT_WORDS = (
    *("caption", "text", "txt", "prompt", "description", "sentence", "comment", "alt", "title"),
    *("beschreibung", "bildunterschrift", "unterschrift", "beschriftung", "legende", "texte", "descripcion", "leyenda"),
    *("texto", "didascalia", "descrizione", "testo", "bijschrift", "beschrijving", "omschrijving", "onderschrift"),
    *(
        "tekst",
        "legenda",
        "descrição",
        "описание",
        "подпись",
        "текст",
        "промпт",
        "opis",
        "podpis",
        "açıklama",
        "altyazı",
    ),
    *(
        "metin",
        "描述",
        "说明",
        "說明",
        "文本",
        "文字",
        "提示词",
        "提示詞",
        "字幕",
        "説明",
        "キャプション",
        "テキスト",
        "文章",
    ),
    *("プロンプト", "설명", "캡션", "텍스트", "문장", "프롬프트"),
)
"""Words of which one is in the name of a column of texts, likeliest first."""

CLASS_WORDS = (
    "label",
    "cap",
    "titel",
    "titre",
    "titulo",
    "titolo",
    "tytul",
    "название",
    "başlık",
    "标题",
    "標題",
    "題名",
    "제목",
)
"""Words that name texts or classes; which of the two, their cells say."""

_BESIDE_FILE = (
    *(
        "name",
        "names",
        "s",
        "id",
        "the",
        "local",
        "full",
        "relative",
        "rel",
        "de",
        "link",
        "src",
        "nom",
        "du",
        "nombre",
    ),
    *("del", "nome", "do", "naam", "имя", "nazwa", "adı", "名", "名称", "名前", "이름", "명"),
)
_BESIDE_TEXT = (
    *(
        "image",
        "img",
        "picture",
        "photo",
        "s",
        "full",
        "positive",
        "raw",
        "en",
        "original",
        "of",
        "the",
        "bild",
        "foto",
    ),
    *("图片", "圖片", "图像", "画像", "写真", "이미지", "사진", "изображения", "фото", "文", "の"),
)
_OTHERWISE = frozenset(
    [
        "id",
        "ids",
        "length",
        "len",
        "count",
        "num",
        "number",
        "score",
        "scores",
        "similarity",
        "rank",
        "lang",
        "language",
        "hash",
        "url",
        "link",
        "source",
        "type",
        "kind",
        "format",
        "encoder",
        "embedding",
        "vector",
        "tokens",
        "token",
        "model",
        "author",
        "user",
        "date",
        "time",
        "year",
        "seed",
        "strength",
        "weight",
        "scale",
        "negative",
        "neg",
        "uncond",
        "file",
        "path",
        "name",
        "filename",
        "size",
        "width",
        "height",
        "color",
        "colour",
        "font",
        "status",
        "error",
        "class",
        "category",
    ]
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_LONGEST_NAME = 40  # letters of a name that is made of the words; the matching of a longer one could take forever
_LONGEST_READ = 1000  # letters of a name that are compared: a cell of a broken table may have millions
_UNPARTED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


def letters(name: str) -> str:
    """A name without case, accents, spaces and marks: `Légende (EN)` -> `legendeen`."""
    parted = unicodedata.normalize("NFKD", _CAMEL.sub(" ", str(name)[:_LONGEST_READ]))
    return re.sub(r"[\W_]+", "", "".join(each for each in parted if not unicodedata.combining(each)).casefold())


def unnumbered(name: str) -> str:
    """The letters of a name without a number at its end."""
    return letters(name).rstrip("0123456789")


def file_rank(name: str) -> int | None:
    """The place in `FILE_WORDS` of the word in the name of a column of files; None for other names."""
    return _rank(name, FILE_WORDS, _BESIDE_FILE)


def text_rank(name: str) -> int | None:
    """The place in `TEXT_WORDS` of the word in the name of a column of texts; None for other names."""
    return _rank(name, TEXT_WORDS, _BESIDE_TEXT)


def class_rank(name: str) -> int | None:
    """The place in `CLASS_WORDS` of the word that is a name; None for other names."""
    return _rank(name, CLASS_WORDS, _BESIDE_TEXT)


def text_rank_within(name: str) -> int | None:
    """The place in `TEXT_WORDS` of a word within a name such as `blip_caption`; None if another word says that the
    cells are something else, such as `caption_length`."""
    parts = [each for each in re.split(r"[\W_]+", _CAMEL.sub(" ", str(name)[:_LONGEST_READ])) if each]
    if _OTHERWISE & {each.casefold().rstrip("0123456789") for each in parts}:
        return None
    ranks = [rank for each in parts if (rank := text_rank(each)) is not None]
    whole = letters(name)
    ranks += [rank for rank, word in enumerate(_spelled(TEXT_WORDS)) if not word.isascii() and word in whole]
    return min(ranks, default=None)


def words_in(text: str) -> int:
    """The number of words of a text. Where no spaces part them, five characters count as three words."""
    return max(len(text.split()), len(_UNPARTED.findall(text)) * 3 // 5)


def _rank(name: str, words: Sequence[str], beside: Sequence[str]) -> int | None:
    """The place in `words` of the first word in a name that is made of these words and numbers; else None."""
    asked = unnumbered(name)
    if len(asked) > _LONGEST_NAME or not _made_of((*words, *beside)).fullmatch(asked):
        return None
    return next((rank for rank, word in enumerate(_spelled(tuple(words))) if word in asked), None)


@cache
def _made_of(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, _spelled(words))).join(("(?:", ")+")))


@cache
def _spelled(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(letters, words))
