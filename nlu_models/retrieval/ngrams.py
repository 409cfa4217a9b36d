"""Turns a text into a vector of hashed character n-grams: the part of retrieval that needs no model.

Chinese is cut into single characters and pairs. English is cut into runs of 3 to 5 characters inside each
word with its boundaries marked, so that "working" and "work" share most of theirs. Each n-gram is hashed
into one of a fixed number of dimensions (the hashing trick; Weinberger et al., ICML 2009), and weighed by
how rare it is among the texts the vectors are made for.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from nlu_models.text import normalize

Floats = NDArray[np.float32]

DIMENSIONS = 4096
MAX_CHARS = 1000  # of a text are read
CHINESE_LENGTHS = (1, 2)  # shortest and longest n-gram, characters
ENGLISH_LENGTHS = (3, 5)

_ENGLISH_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_CHINESE_RUN = re.compile(r"[^\W_]+")

# Words that say how something is put and not what it is about. They are most of a short Chinese
# message, and n-grams over them would make "我每天都在哭" and "我每天都在加班" near neighbours.
_FUNCTION_WORDS = """
    我们 你们 他们 她们 自己 大家 每天 天天 今天 昨天 现在 最近 刚刚 一直 总是 老是 经常 已经 还是
    就是 但是 可是 因为 所以 如果 虽然 然后 觉得 感觉 有点 有些 一点 一下 一个 这个 那个 这样 那样
    这么 那么 怎么 什么 为什么 是不是 能不能 可以 可能 应该 真的 特别 非常 实在 完全 好像 其实 不知道
    的 了 着 过 在 是 都 也 就 还 很 太 真 好 吗 呢 吧 啊 呀 哦 嘛 和 跟 与 把 被 给 让 对 从 到 又 再
    才 只 我 你 他 她 它 这 那 个 些 有 会 能 要 想 说 去 来 上 下 里 得 地
"""
_CHINESE_FUNCTION_WORDS = re.compile(
    _FUNCTION_WORDS.strip().replace("\n", " ").replace("    ", "").replace(" ", "|")
)


class NgramVectors:
    """Hashed n-gram vectors of one language, with weights learned from texts.

    Args:
        language: "zh" for Chinese; anything else is cut as English is.
        weights: (DIMENSIONS,) idf weights, as made by `fit`.
    """

    def __init__(self, language: str, weights: Floats) -> None:
        self.language = language
        self.weights = weights

    @classmethod
    def fit(cls, language: str, texts: Sequence[str]) -> NgramVectors:
        """Vectors whose weights are the inverse document frequencies among `texts`."""
        holding = np.zeros(DIMENSIONS, dtype=np.float32)
        for text in texts:
            holding[list({_place(gram) for gram in _grams(text, language)})] += 1
        weights = np.log((1.0 + len(texts)) / (1.0 + holding))
        return cls(language, weights.astype(np.float32))

    def vectors(self, texts: Iterable[str]) -> Floats:
        """One vector of length 1 per text (of length 0 for a text without letters).

        Returns:
            (texts, DIMENSIONS) float32.
        """
        rows: list[Floats] = [self._vector(text) for text in texts]
        return np.stack(rows) if rows else np.zeros((0, DIMENSIONS), dtype=np.float32)

    def _vector(self, text: str) -> Floats:
        vector = np.zeros(DIMENSIONS, dtype=np.float32)
        for gram, count in Counter(_grams(text, self.language)).items():
            place = _place(gram)
            vector[place] += (1.0 + np.log(count)) * self.weights[place]
        length = float(np.linalg.norm(vector))
        return vector / length if length else vector


def _place(gram: str) -> int:
    return zlib.crc32(gram.encode("utf-8", "replace")) % DIMENSIONS


def _grams(text: str, language: str) -> Iterator[str]:
    clean = normalize(text[:MAX_CHARS])
    is_chinese = language == "zh"
    if is_chinese:
        clean = _CHINESE_FUNCTION_WORDS.sub(" ", clean) if _says_more(clean) else clean
    shortest, longest = CHINESE_LENGTHS if is_chinese else ENGLISH_LENGTHS
    for match in (_CHINESE_RUN if is_chinese else _ENGLISH_WORD).finditer(clean):
        run = match.group() if is_chinese else f" {match.group()} "
        for length in range(shortest, longest + 1):
            for start in range(len(run) - length + 1):
                yield run[start : start + length]


def _says_more(text: str) -> bool:
    """Whether anything is left of a Chinese text without its function words."""
    return _CHINESE_RUN.search(_CHINESE_FUNCTION_WORDS.sub(" ", text)) is not None
