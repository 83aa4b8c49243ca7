from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from dermoscope.batch.errors import BatchUsageError
from dermoscope.batch.inputs import BatchInput, check_paths, count_inputs, find_inputs


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "photos/b.jpg",
        "photos/a.PNG",
        "photos/notes.txt",
        "photos/.hidden.jpg",
        "photos/.cache/c.jpg",
        "photos/2024/d.webp",
        "photos/2023/e.tiff",
        "photos/2023/deep/f.bmp",
        "odd/image.jpg/g.jpeg",
        "odd/empty.jpg/notes.txt",
        "odd/[1].jpg",
        "odd/no extension",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(paths: Sequence[str | Path]) -> list[str]:
    return [found.path for found in find_inputs(paths)]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (
            ["photos"],
            ["photos/a.PNG", "photos/b.jpg", "photos/2023/e.tiff", "photos/2023/deep/f.bmp", "photos/2024/d.webp"],
        ),
        (["photos/b.jpg", "photos/a.PNG"], ["photos/b.jpg", "photos/a.PNG"]),
        (["photos/notes.txt"], ["photos/notes.txt"]),
        (["photos/*.txt"], ["photos/notes.txt"]),
        (["photos/**/*.t*"], ["photos/2023/e.tiff", "photos/notes.txt"]),
        (["photos/202?"], ["photos/2023/e.tiff", "photos/2023/deep/f.bmp", "photos/2024/d.webp"]),
        (["odd/[1].jpg"], ["odd/[1].jpg"]),
        (["odd/no extension"], ["odd/no extension"]),
        (["odd/image.jpg"], ["odd/image.jpg/g.jpeg"]),
        (["odd"], ["odd/[1].jpg", "odd/empty.jpg", "odd/image.jpg/g.jpeg"]),
        (["missing.jpg"], ["missing.jpg"]),
        (["photos/.hidden.jpg"], ["photos/.hidden.jpg"]),
        (["photos/2024", "photos/2024/d.webp"], ["photos/2024/d.webp", "photos/2024/d.webp"]),
    ],
)
def test_files_folders_and_patterns(tree: Path, paths: list[str], expected: list[str]) -> None:
    assert tree.is_dir()
    assert names(paths) == expected
    assert count_inputs(paths) == len(expected)


@pytest.mark.parametrize(("path", "problem"), [("odd/empty.jpg", "is a folder without image files")])
def test_a_folder_without_images_is_an_input_with_a_problem(tree: Path, path: str, problem: str) -> None:
    assert [(found.path, found.problem) for found in find_inputs([tree / path])] == [(str(tree / path), problem)]


def test_a_folder_named_like_an_image_is_an_input_with_a_problem(tree: Path) -> None:
    (tree / "photos" / "2024" / "z.jpg").mkdir()
    problems = {found.path: found.problem for found in find_inputs(["photos/2024"])}
    assert problems == {"photos/2024/d.webp": "", "photos/2024/z.jpg": "is a folder, not a file"}


@pytest.mark.parametrize(
    ("paths", "message"), [([], "no inputs"), (["photos", "photos/*.gif"], r"'photos/\*\.gif' matches nothing")]
)
def test_wrong_usage(tree: Path, paths: list[str], message: str) -> None:
    assert tree.is_dir()
    with pytest.raises(BatchUsageError, match=message):
        check_paths(paths)


def test_a_missing_path_is_no_wrong_usage() -> None:
    check_paths(["missing.jpg"])


def test_results_folders_are_not_inputs(tree: Path) -> None:
    for name in ("run.json", "results.jsonl", "masks/m.png", "pictures/p.png", "mine.png"):
        path = tree / "photos" / "2024" / "results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    assert names(["photos/2024"]) == ["photos/2024/d.webp", "photos/2024/results/mine.png"]
    assert names(["photos/2024/results/masks"]) == ["photos/2024/results/masks/m.png"], "named explicitly"


def test_links(tree: Path) -> None:
    links = tree / "links"
    links.mkdir()
    (links / "a.jpg").symlink_to(tree / "photos" / "b.jpg")
    (links / "dangling.jpg").symlink_to("nowhere")
    (links / "folder").symlink_to(tree / "photos")
    (links / "folder.jpg").symlink_to(tree / "photos")
    found = list(find_inputs(["links"]))
    assert [(one.path, one.size) for one in found] == [("links/a.jpg", 12), ("links/dangling.jpg", None)]
    assert names(["links/folder/2024"]) == ["links/folder/2024/d.webp"]


def test_a_folder_that_cannot_be_listed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def scandir(path: str) -> object:
        if path.endswith("2023"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    problems = {found.path: found.problem for found in find_inputs(["photos"]) if found.problem}
    assert problems == {"photos/2023": "is a folder that cannot be listed: Permission denied"}
    assert tree.is_dir()


def test_folders_may_be_deeper_than_the_stack(tmp_path: Path) -> None:
    deep = str(tmp_path)
    for _ in range(300):
        deep = f"{deep}/d"
        Path(deep).mkdir()
    Path(deep, "x.jpg").touch()
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)
    try:
        assert count_inputs([tmp_path]) == 1
    finally:
        sys.setrecursionlimit(limit)


def test_each_file_is_looked_at_once(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    real = os.stat

    def stat(path: str, **options: bool) -> os.stat_result:
        looked.append(os.fspath(path))
        return real(path, **options)

    monkeypatch.setattr(os, "stat", stat)
    assert len(list(find_inputs([tree / "photos"]))) == 5
    assert len([path for path in looked if Path(path).suffix]) == 5


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a b.jpg", "a b.jpg"),
        ("=1+1.jpg", "./=1+1.jpg"),
        ("-x.jpg", "./-x.jpg"),
        ("@x.jpg", "./@x.jpg"),
        ("läsion.jpg", "läsion.jpg"),
        ("two\nlines.jpg", "two\nlines.jpg"),
        pytest.param(
            os.fsdecode(b"\xff.jpg"),
            "\\xff.jpg",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="file names are Unicode"),
        ),
    ],
)
def test_names_in_results(path: str, name: str) -> None:
    assert BatchInput(path).name == name
    name.encode()


def test_two_spellings_have_one_location() -> None:
    assert BatchInput("a/../b.jpg").location == BatchInput("./b.jpg").location != BatchInput("a.jpg").location
