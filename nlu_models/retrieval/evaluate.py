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
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlu_models.errors import NluModelError
from nlu_models.reader import DEFAULT_WEIGHTS, TurnReader
from nlu_models.retrieval.index import (
    EMBEDDING_SHARE,
    LETTERS,
    MATCH_THRESHOLD,
    MEANING,
    Scale,
    Structure,
    texts_of,
)
from nlu_models.retrieval.library import LANGUAGES, Library
from nlu_models.retrieval.ngrams import NgramVectors

Floats = NDArray[np.float32]

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


def evaluate(library: Library, reader: TurnReader) -> dict[str, Any]:
    """The measures by language and by how texts are compared."""
    report: dict[str, Any] = {"entries": len(library.entries)}
    for language in LANGUAGES:
        structure, texts = texts_of(library, language)
        off_topic = OFF_TOPIC[language]
        n_cues = len(structure.owners)
        ngrams = NgramVectors.fit(language, texts)
        known = ngrams.vectors(texts)
        letters = known[:n_cues] @ known.T, ngrams.vectors(off_topic) @ known.T
        report[language] = {"cues": n_cues, "letters": _measures(structure, *letters, LETTERS[language])}
        if language == "en" and not reader.is_degraded:
            known = reader.embed(texts)
            meaning = known[:n_cues] @ known.T, reader.embed(off_topic) @ known.T
            both = [
                EMBEDDING_SHARE * close + (1 - EMBEDDING_SHARE) * alike
                for close, alike in zip(meaning, letters, strict=True)
            ]
            closest = Scale((1.0, 0.0, 0.0, 0.0, 0.0), (0.0, 1.0), (0.0, 1.0))
            report[language]["meaning and letters"] = _measures(structure, both[0], both[1], MEANING)
            report[language]["closest cue alone, by meaning"] = _measures(structure, *meaning, closest)
    report["threshold"] = MATCH_THRESHOLD
    return report


def _measures(structure: Structure, cues: Floats, off_topic: Floats, scale: Scale) -> dict[str, Any]:
    """The measures of one way to compare.

    Args:
        structure: of the library.
        cues: (cues, texts) scores of every cue against every text.
        off_topic: (off-topic texts, texts) the same of texts that nothing fits.
        scale: how scores are combined, and what they stand for.
    """
    owners = structure.owners
    scores = np.stack([structure.combine(row, scale.weights, place) for place, row in enumerate(cues)])
    strangers = np.stack([structure.combine(row, scale.weights) for row in off_topic])
    own = scores[np.arange(len(owners)), owners]
    rank = (scores > own[:, None]).sum(axis=1)
    first = scores.argmax(axis=1)
    best, stranger = (
        np.interp(rows.max(axis=1), scale.raw, scale.similarity) for rows in (scores, strangers)
    )
    return {
        "p_at_1": round(float((rank == 0).mean()), 4),
        "p_at_5": round(float((rank < PLACES).mean()), 4),
        "topic_p_at_1": round(float((structure.topics[first] == structure.topics[owners]).mean()), 4),
        "cue_above_off_topic": round(float((best[:, None] > stranger[None, :]).mean()), 4),
        "cues_let_in": round(float((best >= MATCH_THRESHOLD).mean()), 4),
        "off_topic_let_in": round(float((stranger >= MATCH_THRESHOLD).mean()), 4),
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
