from __future__ import annotations

import html.parser
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from dermoscope.batch import OutputError
from dermoscope.data.manifest import Record
from dermoscope.data.statistics import gather
from dermoscope.report.dataset import age_chart, write_dataset_page

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    """Twelve images of two classes and sources, half of them with masks, one missing and one broken."""
    found = []
    for number in range(12):
        path = tmp_path / f"secret_{number}.png"
        mask = tmp_path / f"secret_{number}_mask.png"
        Image.new("RGB", (80, 60), (200, 150, 10 * number)).save(path)
        Image.new("L", (80, 60), 255).save(mask)
        found.append(
            Record(
                image_id=f"secret_{number}",
                path=path,
                mask_path=mask if number % 2 else None,
                diagnosis="MEL" if number % 3 == 0 else "NV",
                source="A" if number < 6 else "B <script>",
                lesion_id=f"secret_lesion_{number // 2}",
                split=("train", "val")[number % 2],
                age=float(5 * number),
                sex="male" if number % 2 else "",
                site=f"site {number}" if number else "",
            )
        )
    (tmp_path / "secret_4.png").unlink()
    (tmp_path / "secret_5.png").write_text("broken")
    return found


def write(records: list[Record], page: Path, **options: object) -> str:
    write_dataset_page(iter(records), page, title="Own <data>", created=NOON, **options)  # type: ignore[arg-type]
    return page.read_text(encoding="utf-8")


class Parser(html.parser.HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "img"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing(records: list[Record], tmp_path: Path) -> None:
    text = write(records, tmp_path / "page.html")
    parsed = Parser(text)
    assert not parsed.open
    assert "script" not in {tag for tag, _ in parsed.tags}
    addresses = [values[name] for _, values in parsed.tags for name in ("src", "href") if name in values]
    assert addresses
    assert all(address and address.startswith(("data:image/jpeg;base64,", "#")) for address in addresses)
    assert not re.search(r"https?://", text)
    policy = next(values["content"] for _, values in parsed.tags if values.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert not [values for _, values in parsed.tags if "style" in values], "the policy would drop it"


def test_what_strangers_wrote_is_escaped(records: list[Record], tmp_path: Path) -> None:
    text = write(records, tmp_path / "page.html")
    assert "Own &lt;data&gt;" in text
    assert "B &lt;script&gt;" in text


def test_names_stay_out(records: list[Record], tmp_path: Path) -> None:
    assert "secret" not in write(records, tmp_path / "page.html")


def test_names_if_asked_for(records: list[Record], tmp_path: Path) -> None:
    text = write(records, tmp_path / "page.html", names=True)
    assert "secret_0" in text
    assert str(tmp_path / "secret_5.png") in text
    assert "secret_lesion" not in text


def test_summary_and_problems(records: list[Record], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    summary = write_dataset_page(iter(records), page, title="Own", created=NOON)
    assert (summary.images, summary.pictures, summary.problems) == (12, 10, 2)
    text = " ".join(page.read_text().split())
    assert '<td>5</td><td class="path">image</td><td>does not exist</td>' in text
    assert '<td>6</td><td class="path">image</td>' in text
    assert "row 5," not in text
    assert "row 7, train" in text


def test_a_missing_file_is_found_even_if_it_is_not_shown(records: list[Record], tmp_path: Path) -> None:
    summary = write_dataset_page(iter(records), tmp_path / "page.html", title="Own", images=0)
    assert (summary.pictures, summary.problems) == (0, 1), "only decoding finds the broken one"
    assert 'id="pictures"' not in (tmp_path / "page.html").read_text()


def test_the_same_seed_gives_the_same_page(records: list[Record], tmp_path: Path) -> None:
    first, again, other = (
        write(records, tmp_path / f"{name}.html", images=2, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == again
    assert re.findall(r"row \d+", first) != re.findall(r"row \d+", other)


def test_the_table_has_all_numbers(records: list[Record], tmp_path: Path) -> None:
    text = write(records, tmp_path / "page.html")
    rows = re.findall(r"<tr(?: class=\"sum\")?><th scope=\"row\">(.*?)</tr>", text)
    plain = [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", row)).strip() for row in rows]
    assert plain[0] == "MEL melanoma 2 2 4 33.3 % 4 2"
    assert plain[2] == "All classes 6 6 12 12 6"


def test_no_row_at_all(tmp_path: Path) -> None:
    text = write([], tmp_path / "page.html")
    assert not Parser(text).open
    assert "<h2>Age</h2>" not in text


def test_records_pass_once_and_are_not_kept(records: list[Record], tmp_path: Path) -> None:
    alive: list[int] = []

    def passing() -> Iterator[Record]:
        for number in range(3000):
            alive.append(number)
            yield records[0].model_copy(update={"image_id": str(number)})

    summary = write_dataset_page(passing(), tmp_path / "page.html", title="Own", images=2)
    assert (len(alive), summary.images, summary.pictures) == (3000, 3000, 2)


def test_a_page_that_cannot_be_written(records: list[Record], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        write_dataset_page(iter(records), tmp_path / "file" / "page.html", title="Own")


def test_age_chart(records: list[Record]) -> None:
    chart = age_chart(gather([record for record in records for _ in range(2 if record.age == 10 else 1)]))
    assert chart is not None
    assert chart.tallest == 2
    assert len(chart.columns) == 19
    tall, short, none = chart.columns[2], chart.columns[3], chart.columns[12]
    assert (tall.height, tall.y, short.height, none.height) == (150, 0, 75, 0)
    assert tall.label == "10 to 14 years: 2 images"
    assert chart.columns[18].label == "90 years and older: 0 images"
    assert chart.ticks[1] == (round(4 * 520 / 19, 1), "20")
    assert chart.mean == pytest.approx((sum(5 * n for n in range(12)) + 10) / 13 / 5 * 520 / 19, abs=0.1)


def test_no_age_no_chart() -> None:
    assert age_chart(gather([])) is None
