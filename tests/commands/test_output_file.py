"""A file that is there as a whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from djongo_services.management.output_file import check_writable, write_aside


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_has_the_mode_of_the_process(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_aside(tmp_path / "new", b"data")
    finally:
        assert os.umask(before) == 0o027
    assert (tmp_path / "new").read_bytes() == b"data"
    assert mode(tmp_path / "new") == 0o640
    assert os.listdir(tmp_path) == ["new"]


def test_an_existing_file_keeps_its_mode_and_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"long old content")
    file.chmod(0o604)
    inode = file.stat().st_ino
    write_aside(file, b"new")
    assert (file.read_bytes(), mode(file)) == (b"new", 0o604)
    assert file.stat().st_ino != inode


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_aside(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_a_device_is_written_to_and_not_replaced() -> None:
    check_writable(Path("/dev/null"))
    write_aside(Path("/dev/null"), b"data")
    assert Path("/dev/null").is_char_device()


def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_aside(file, b"new")
    assert file.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_name_of_full_length_can_be_written(tmp_path: Path) -> None:
    write_aside(tmp_path / ("x" * 255), b"data")
    assert os.listdir(tmp_path) == ["x" * 255]


@pytest.mark.parametrize(
    ("place", "error"),
    [("", IsADirectoryError), ("missing/file", FileNotFoundError), ("file/below", OSError)],
)
def test_places_where_nothing_can_be(tmp_path: Path, place: str, error: type[OSError]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(error):
        check_writable(tmp_path / place)
