import errno
import subprocess
import sys
from pathlib import Path

import pytest

from reelworld.core.errors import StorageError
from reelworld.core.storage import atomic, remove_leftovers, storage_errors, write_bytes

# Writes a file larger than the system allows, as on a full disk; prints the error and what was left.
LIMITED = """
import os, resource, sys
from reelworld.core.errors import StorageError
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
try:
    {write}
except StorageError as error:
    print(error)
print(sorted(os.listdir(sys.argv[1])))
"""


def run_limited(write: str, folder: Path) -> list[str]:
    code = LIMITED.format(write=write)
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_writes_and_replaces_whole_files(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")
    assert write_bytes(path, b"new") == path
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    write_bytes(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


@pytest.mark.parametrize("stop", [RuntimeError, KeyboardInterrupt])
def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path: Path, stop: type[BaseException]) -> None:
    path = write_bytes(tmp_path / "file", b"old")

    def write_half() -> None:
        with atomic(path) as temporary:
            temporary.write_bytes(b"half")
            raise stop

    with pytest.raises(stop):
        write_half()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_written_whole_and_never_over_a_full_one(tmp_path: Path) -> None:
    with atomic(tmp_path / "frames") as temporary:
        temporary.mkdir()
        (temporary / "a").write_bytes(b"1")
    assert (tmp_path / "frames" / "a").read_bytes() == b"1"
    with pytest.raises(StorageError, match="not empty"):
        write_bytes(tmp_path / "frames", b"")
    assert [path.name for path in tmp_path.iterdir()] == ["frames"]


def test_missing_folder_wrong_folder_and_long_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path, mend in [
        ("no/file", "create the folder"),
        ("file/x", "not a folder"),
        ("x" * 300, "shorten it"),
    ]:
        with pytest.raises(StorageError, match=mend) as caught:
            write_bytes(tmp_path / path, b"data")
        assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_devices_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(StorageError, match="device"):
        write_bytes(tmp_path / "full", b"data")
    assert Path("/dev/full").is_char_device()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_explained() -> None:
    with (
        pytest.raises(StorageError, match=r"cannot write clip\.mp4: the disk is full; free some space"),
        storage_errors("clip.mp4"),
        open("/dev/full", "wb", buffering=0) as full,
    ):
        full.write(b"data")


def test_a_file_cut_short_by_the_system_leaves_nothing(tmp_path: Path) -> None:
    write_bytes(tmp_path / "file", b"old")
    write = "from reelworld.core.storage import write_bytes; write_bytes(sys.argv[1] + '/file', bytes(9999))"
    message, left = run_limited(write, tmp_path)
    assert "larger than the system allows" in message
    assert left == "['file']"
    assert (tmp_path / "file").read_bytes() == b"old"


def test_unknown_system_errors_keep_their_own_words() -> None:
    with pytest.raises(StorageError, match="cannot write x: Too many levels"), storage_errors("x"):
        raise OSError(errno.ELOOP, "Too many levels of symbolic links")


def test_leftovers_of_killed_processes_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".reel-0123.tmp").write_bytes(b"half")
    (tmp_path / ".reel-4567.tmp").mkdir()
    (tmp_path / "kept").write_bytes(b"")
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
