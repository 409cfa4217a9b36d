"""Measures retrieval on the library itself: each cue is left out once and has to find its entry.

    python -m nlu_models.retrieval.evaluate --library data/guidance

P@1 and P@5 say how often the cue's own entry comes first, or among the first five, by its other cues.
Topic P@1 says how often the first entry is at least of the right topic. Off-topic texts, about which the
library has nothing to say, show how well a threshold keeps such texts out.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlu_models.errors import NluModelError
from nlu_models.reader import DEFAULT_WEIGHTS, TurnReader
from nlu_models.retrieval.index import EMBEDDING_SHARE, MATCH_THRESHOLD, RAW_THRESHOLD
from nlu_models.retrieval.library import Library
from nlu_models.retrieval.ngrams import NgramVectors

Floats = NDArray[np.float32]

SHARES = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0)  # of the embedding, that are compared
PLACES = 5

# Texts that no entry answers, written for this measure.
# fmt: off
OFF_TOPIC = {
    "en": (
        "what is the capital of peru", "convert 30 miles to kilometers", "set a timer for ten minutes",
        "who won the world cup in 2010", "how do i install python on windows", "play some jazz",
        "what's the weather in oslo tomorrow", "translate dog into german", "my printer says paper jam",
        "how long do you boil an egg", "is the pharmacy open on sunday",
        "book me a table for four at seven", "what is the square root of 144",
        "the recipe needs two cups of flour", "which bus goes to the airport",
        "how do I change a bike tyre", "define photosynthesis",
        "the match starts at eight on channel five", "what's a good name for a goldfish",
        "can you write me a poem about boats", "how tall is mount everest", "reset my wifi router",
        "the new phone has a better camera", "do you know any good pasta places",
        "how many days until christmas", "turn off the kitchen lights", "what does http 404 mean",
        "the museum opens at ten", "i need the tracking number of my parcel",
        "which laptop has the best battery",
    ),
    "zh": (
        "秘鲁的首都是哪里", "把三十英里换算成公里", "定一个十分钟的闹钟", "二零一零年世界杯谁赢了",
        "怎么在电脑上装软件", "放一首爵士乐", "明天奥斯陆天气怎么样", "狗用德语怎么说", "打印机卡纸了",
        "鸡蛋要煮几分钟", "药店周日开门吗", "帮我订一张七点的四人桌", "一百四十四的平方根是多少",
        "这个菜谱要两杯面粉", "去机场坐几路公交", "自行车怎么补胎", "光合作用是什么",
        "比赛八点在五频道直播", "给金鱼起个名字", "写一首关于船的诗", "珠穆朗玛峰有多高",
        "路由器怎么重启", "新手机的摄像头更好", "附近有什么好吃的面馆", "离过年还有几天",
        "把厨房的灯关掉", "网页显示四零四是什么意思", "博物馆十点开门", "我的快递单号是多少",
        "哪款笔记本续航最好",
    ),
}
# fmt: on


@dataclass(frozen=True)
class CueScores:
    """Every cue of a language scored against every other.

    Attributes:
        owners: (cues,) index of the entry of each cue.
        matrix: (queries, cues) similarity.
    """

    owners: NDArray[np.int64]
    matrix: Floats

    def entries(self, leave_out: bool) -> Floats:
        """(queries, entries) similarity of the closest cue; a cue never counts for itself."""
        matrix = self.matrix.copy()
        if leave_out:
            np.fill_diagonal(matrix, -1.0)
        best = np.full((len(matrix), int(self.owners.max()) + 1), -1.0, dtype=np.float32)
        for cue, owner in enumerate(self.owners):
            np.maximum(best[:, owner], matrix[:, cue], out=best[:, owner])
        return best


def evaluate(library: Library, reader: TurnReader) -> dict[str, Any]:
    """The measures by language and by share of the embedding."""
    report: dict[str, Any] = {"entries": len(library.entries)}
    entries = list(library.entries.values())
    topics = np.array([entry.topic for entry in entries])
    for language in ("en", "zh"):
        cues = [(owner, cue) for owner, entry in enumerate(entries) for cue in entry.cues[language]]
        owners = np.array([owner for owner, _ in cues])
        texts = [cue for _, cue in cues]
        letters, off_letters = _by_letters(language, texts, OFF_TOPIC[language])
        shares: Sequence[float] = (0.0,)
        meaning = off_meaning = np.zeros((0, 0), dtype=np.float32)
        if language == "en" and not reader.is_degraded:
            shares = SHARES
            known = reader.embed(texts)
            meaning, off_meaning = known @ known.T, reader.embed(OFF_TOPIC[language]) @ known.T
        report[language] = {"cues": len(texts), "by_embedding_share": {}}
        for share in shares:
            matrix, off = letters, off_letters
            if share:
                matrix = share * meaning + (1 - share) * letters
                off = share * off_meaning + (1 - share) * off_letters
            report[language]["by_embedding_share"][str(share)] = _measures(
                CueScores(owners, matrix).entries(leave_out=True), off.max(axis=1), owners, topics
            )
    report["threshold"] = {
        "raw": dict(RAW_THRESHOLD),
        "similarity": MATCH_THRESHOLD,
        "share": EMBEDDING_SHARE,
    }
    return report


def _by_letters(language: str, texts: Sequence[str], off_topic: Sequence[str]) -> tuple[Floats, Floats]:
    ngrams = NgramVectors.fit(language, texts)
    known = ngrams.vectors(texts)
    return known @ known.T, ngrams.vectors(off_topic) @ known.T


def _measures(
    scores: Floats, off_topic: Floats, owners: NDArray[np.int64], topics: NDArray[np.str_]
) -> dict[str, Any]:
    own = scores[np.arange(len(owners)), owners]
    rank = (scores > own[:, None]).sum(axis=1)
    first = scores.argmax(axis=1)
    best = scores.max(axis=1)
    thresholds = {}
    for threshold in np.quantile(off_topic, (0.8, 0.9, 0.95)):
        thresholds[f"{threshold:.3f}"] = {
            "off_topic_kept_out": round(float((off_topic < threshold).mean()), 3),
            "cues_let_in": round(float((best >= threshold).mean()), 3),
        }
    return {
        "p_at_1": round(float((rank == 0).mean()), 4),
        "p_at_5": round(float((rank < PLACES).mean()), 4),
        "topic_p_at_1": round(float((topics[first] == topics[owners]).mean()), 4),
        "thresholds": thresholds,
    }


def main() -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m nlu_models.retrieval.evaluate",
        description="Measure retrieval on the guidance library.",
    )
    parser.add_argument("--library", type=Path, required=True, help="folder of the guidance library")
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS, help="weight folder")
    options = parser.parse_args()
    try:
        report = evaluate(Library.load(options.library), TurnReader(options.weights))
    except NluModelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
