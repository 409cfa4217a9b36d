"""Texts are read together without anything about one depending on another."""

from __future__ import annotations

import pytest

from nlu_models.emotion.passes import MOST_TOKENS, plan

LENGTHS = [3, 17, 40, 16, 1, 96, 33, 2, 50, 96, 15, 31]


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("pad_to", [None, 1, 16, 40])
def test_every_text_is_read_once_with_room_for_it(threads: int, pad_to: int | None) -> None:
    passes = plan(LENGTHS, pad_to, threads, 96)
    assert sorted(row for one in passes for row in one.rows) == list(range(len(LENGTHS)))
    assert all(LENGTHS[row] <= one.tokens <= 96 for one in passes for row in one.rows)


@pytest.mark.parametrize("threads", [1, 2])
def test_padding_depends_on_the_text_alone(threads: int) -> None:
    alone = {length: plan([length], 16, threads, 96)[0].tokens for length in LENGTHS}
    assert alone == {length: -(-length // 16) * 16 for length in LENGTHS}
    for one in plan(LENGTHS * 20, 16, threads, 96):
        assert {alone[LENGTHS[row % len(LENGTHS)]] for row in one.rows} == {one.tokens}


def test_padding_stops_at_the_longest_text_that_is_read() -> None:
    assert plan([90], 16, 1, 90)[0].tokens == 90


def test_a_graph_that_mixes_texts_reads_them_one_by_one() -> None:
    passes = plan(LENGTHS, None, 2, 96)
    assert sorted((one.rows[0], one.tokens) for one in passes) == list(enumerate(LENGTHS))


def test_memory_is_bounded() -> None:
    assert all(len(one.rows) * one.tokens <= MOST_TOKENS for one in plan([90] * 5000, 16, 1, 96))


def test_two_threads_get_about_the_same() -> None:
    passes = plan([20] * 32, 16, 2, 96)
    assert len(passes) >= 2
    sizes = [len(one.rows) for one in passes]
    assert max(sizes) <= 2 * min(sizes)


def test_nothing_gives_nothing_and_an_empty_text_a_pass() -> None:
    assert plan([], 16, 2, 96) == []
    assert plan([0], 16, 2, 96)[0].tokens == 16
