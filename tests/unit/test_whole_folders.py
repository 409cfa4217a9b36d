"""A folder is replaced as a whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlu_models.emotion.whole_folders import put_in_place, scratch_beside
from nlu_models.errors import NluModelError


def make(folder: Path, content: str) -> Path:
    folder.mkdir()
    (folder / "file").write_text(content)
    return folder


@pytest.mark.parametrize("is_there", [False, True])
def test_the_new_folder_takes_the_place_of_the_old(tmp_path: Path, is_there: bool) -> None:
    target = tmp_path / "deep" / "target"
    if is_there:
        target.parent.mkdir()
        make(target, "old")
    with scratch_beside(target) as scratch:
        put_in_place(make(scratch / "new", "new"), target, scratch)
    assert (target / "file").read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_an_interruption_at_any_step_leaves_one_whole_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, step: int
) -> None:
    """Before the first rename, after it, before the second and after it."""
    target, rename, calls = make(tmp_path / "target", "old"), Path.rename, []

    def fail(path: Path, to: Path) -> Path:
        number = len(calls)
        calls.append(to)
        if number == step // 2 and step % 2 == 0:
            raise error
        rename(path, to)
        if number == step // 2:
            raise error
        return to

    monkeypatch.setattr(Path, "rename", fail)
    expected = NluModelError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected), scratch_beside(target) as scratch:
        put_in_place(make(scratch / "new", "new"), target, scratch)
    assert (target / "file").read_text() == ("new" if step == 3 else "old")
    assert list(tmp_path.iterdir()) == [target]
