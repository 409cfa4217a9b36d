"""`attune annotate` loses no row, never crashes on one, and leaves nothing half-written."""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.cli import annotate
from bot.core.reading import EmotionReading, RiskReading
from tests.unit.tiny_weights import make_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_weights(tmp_path_factory.mktemp("weights") / "tiny")


@pytest.fixture
def run(weights: Path, tmp_path: Path) -> Callable[..., tuple[int, list[dict[str, Any]]]]:
    """Runs the command on the given bytes; returns the status and the rows written."""

    def call(content: bytes, name: str = "in.jsonl", *flags: str) -> tuple[int, list[dict[str, Any]]]:
        source, target = tmp_path / name, tmp_path / "out.jsonl"
        source.write_bytes(content)
        parser = argparse.ArgumentParser()
        annotate.add_parser(parser.add_subparsers())
        arguments = ["annotate", str(source), "-o", str(target), "--weights", str(weights), *flags]
        args = parser.parse_args(arguments)
        status = args.run(args)
        rows = [json.loads(line) for line in target.read_bytes().splitlines()] if target.exists() else []
        assert {path.name for path in tmp_path.iterdir()} <= {name, "out.jsonl"}  # nothing half-written
        return status, rows

    return call


Run = Callable[..., tuple[int, list[dict[str, Any]]]]


def test_jsonl_rows_keep_their_fields_and_order(run: Run) -> None:
    rows = [
        {"id": index, "text": text}
        for index, text in enumerate(["I am furious", "", "我想死", "grateful"] * 40)
    ]
    content = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()
    status, results = run(content)
    assert status == 0
    assert [result["id"] for result in results] == list(range(160))
    assert [result["text"] for result in results] == [row["text"] for row in rows]
    assert results[0]["emotion"]["label"] == "anger"
    assert results[2]["language"] == "zh"
    assert results[2]["risk"]["level"] == "crisis"
    for result in results:
        EmotionReading.from_dict(result["emotion"])
        RiskReading.from_dict(result["risk"])


def test_bad_rows_become_errors_in_their_place(run: Run) -> None:
    lines = [
        b'{"text": "fine"}', b"not json", b"[1]", b'{"message": "x"}', b'{"text": 5}', b'{"text": "\xff"}',
        b"",
        b'{"text": NaN}', b"[" * 100_000, b'{"text": "last"}',
    ]  # fmt: skip
    status, results = run(b"\n".join(lines))
    assert status == 0
    assert [result.get("line") for result in results] == [None, 2, 3, 4, 5, 6, 8, 9, None]
    assert all(set(result) == {"error", "line"} for result in results[1:-1])
    assert results[-1]["text"] == "last"


def test_csv_needs_the_column_and_keeps_the_others(run: Run) -> None:
    status, results = run('\ufeffid,text\r\n1,"I am, well\r\nfurious"\r\n2,我很难过\r\n'.encode(), "in.csv")
    assert status == 0
    assert [(result["id"], result["language"]) for result in results] == [("1", "en"), ("2", "zh")]
    assert results[0]["text"] == "I am, well\r\nfurious"


def test_bad_csv_rows_become_errors(run: Run) -> None:
    status, results = run(b"id,text\n1,fine\n2\n3,a,b\n4,caf\xe9\n5,ok\n", "in.csv")
    assert status == 0
    assert [result.get("line") for result in results] == [None, 3, 4, 5, None]


def test_plain_lines_keep_empty_ones(run: Run) -> None:
    status, results = run(b"\xef\xbb\xbfI am furious\r\n\r\nthe cat", "in.txt")
    assert status == 0
    assert [result["text"] for result in results] == ["I am furious", "", "the cat"]


def test_format_flag_beats_the_extension(run: Run) -> None:
    status, results = run(b'{"text": "I am sad"}', "in.txt", "--format", "jsonl")
    assert (status, results[0]["text"]) == (0, "I am sad")


@pytest.mark.parametrize("content", [b"", b"\n", b"\xef\xbb\xbf"])
def test_an_empty_file_gives_an_empty_file(run: Run, content: bytes) -> None:
    assert run(content) == (0, [])


def test_half_an_emoji_survives(run: Run) -> None:
    status, results = run(b'{"text": "sad \\ud83d"}')
    assert status == 0
    assert results[0]["text"] == "sad \ud83d"


def test_a_very_long_row_is_read(run: Run) -> None:
    status, results = run(json.dumps({"text": "I am furious. " * 100_000}).encode())
    assert status == 0
    assert len(results) == 1


@pytest.mark.parametrize(
    ("content", "name", "problem"),
    [
        ("I am sad".encode("utf-16"), "in.txt", "UTF-16"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "in.txt", "binary"),
        (b"a,b\n1,2\n", "in.csv", "no column 'text'"),
    ],
)
def test_an_unusable_file_is_refused_in_one_line(
    run: Run, capsys: pytest.CaptureFixture[str], content: bytes, name: str, problem: str
) -> None:
    assert run(content, name) == (2, [])
    message = capsys.readouterr().err
    assert problem in message
    assert len(message.strip().splitlines()) == 1


@pytest.mark.parametrize("flags", [("--threads", "0"), ("--weights", "/nonexistent")])
def test_bad_flags_are_refused(run: Run, flags: tuple[str, ...]) -> None:
    assert run(b"", "in.txt", *flags) == (2, [])


def test_a_missing_file_and_an_unwritable_place_are_refused(weights: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text("I am sad\n")
    for name, output in (("missing.txt", "out"), ("", "out"), ("in.txt", "no/such/folder/out")):
        args = argparse.Namespace(
            input=str(tmp_path / name), output=tmp_path / output, format=None, weights=weights, threads=1
        )
        assert annotate.run(args) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]


def test_an_interrupted_run_leaves_the_old_output(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.jsonl"
    output.write_text("old\n")
    source = tmp_path / "in.txt"
    source.write_text("I am sad\n" * 500)

    def interrupt(*_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(annotate, "_to_line", interrupt)
    args = argparse.Namespace(input=str(source), output=output, format=None, weights=weights, threads=1)
    with pytest.raises(KeyboardInterrupt):
        annotate.run(args)
    assert output.read_text() == "old\n"
    assert {path.name for path in tmp_path.iterdir()} == {"in.txt", "out.jsonl"}


def test_rows_stream_in_batches(weights: Path) -> None:
    class Reader:
        sizes: list[int] = []  # noqa: RUF012

        def read(self, texts: list[str]) -> list[Any]:
            self.sizes.append(len(texts))
            return [argparse.Namespace(language="en", emotion={}, risk={}) for _ in texts]

    rows = annotate.rows_of(io.BytesIO(b"line\n" * 150), "text")
    results = annotate.annotate(rows, Reader())  # type: ignore[arg-type]
    next(results)
    assert Reader.sizes == [annotate.BATCH_ROWS]
    assert len(list(results)) == 149


def test_stdin_to_a_closed_pipe_ends_quietly(weights: Path) -> None:
    code = (
        "import argparse, sys; from bot.cli import annotate; "
        "parser = argparse.ArgumentParser(); annotate.add_parser(parser.add_subparsers()); "
        f"args = parser.parse_args(['annotate', '-', '--weights', {str(weights)!r}]); "
        "sys.exit(args.run(args))"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ATTUNE_")}
    command = f"yes 'I am sad' | head -n 3000 | {sys.executable} -c \"$CODE\" | head -n 1"
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        env={**environment, "CODE": code},
        timeout=120,
    )
    assert json.loads(done.stdout)["text"] == "I am sad"
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
