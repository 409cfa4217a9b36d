"""`attune audit`, from its arguments to what a terminal shows."""

from __future__ import annotations

import json

import pytest

from bot.__main__ import main
from bot.storage.database import Database

from .chains import head_of, tamper


def test_the_head_that_is_printed_verifies(chain: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "head"]) == 0
    head = capsys.readouterr().out.strip()
    assert head == str(head_of(chain))
    assert main(["audit", "verify", "--head", head]) == 0
    assert capsys.readouterr().out == f"whole: 7 rows, head {head}\n"
    assert main(["audit", "head", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["head"] == head


def test_verify_ends_with_one_and_the_row(chain: Database, capsys: pytest.CaptureFixture[str]) -> None:
    tamper(chain, "UPDATE audit_log SET actor = 'Mallory' WHERE seq = 4")
    assert main(["audit", "verify"]) == 1
    assert capsys.readouterr().out.startswith("NOT WHOLE: row 4 was changed")
    assert main(["audit", "verify", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["intact"], found["row"], found["rows"]) == (False, 4, 3)


@pytest.mark.parametrize(
    "arguments",
    [
        ["verify", "--head", "nonsense"],
        ["show", "--conversation", "0"],
        ["show", "--conversation", str(2**63)],
        ["erase", "--conversation", "1", "--by", " "],
        ["erase", "--conversation", "1", "--by", "A\x1b[2J"],
    ],
)
def test_bad_input_ends_with_two_and_one_line(
    chain: Database, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert main(["audit", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1
    assert "\x1b" not in shown.err


def test_show_tells_of_one_conversation(chain: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "show", "--conversation", "1"]) == 0
    shown = capsys.readouterr().out
    assert "danger_read turn 2 by attune" in shown
    assert "turn 3" not in shown
    assert "evidence (personal):" in shown
    assert main(["audit", "show", "--conversation", "1", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["sequence"] for row in rows] == [2, 4, 6]
    assert all(row["intact"] for row in rows)
    assert main(["audit", "show", "--conversation", "5"]) == 0
    assert capsys.readouterr().out == "Nothing about conversation 5.\n"


def test_erase_from_the_command_line(chain: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "erase", "--conversation", "1", "--by", "Ann", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"conversation_id": 1, "erased": 3}
    assert main(["audit", "show", "--conversation", "1"]) == 0
    shown = capsys.readouterr().out
    assert "what was personal has been erased" in shown
    assert "words" not in shown
    assert main(["audit", "verify"]) == 0
    assert "3 with erased details" in capsys.readouterr().out
