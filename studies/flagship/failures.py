"""The surest wrong answers of a mode about HAM10000's held-out lesions: a table, and a sheet of pictures to look at.

    python studies/flagship/failures.py --run runs/flagship --mode best --out runs/flagship/failures \
        --json studies/flagship/failures.json

After evaluate.py. The sheet holds images of HAM10000 and stays in the run; ids in the table are the archive's own.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from answers import Diagnoses, Pair, ask

from dermoscope.analysis import Analysis
from dermoscope.analyzer import load_analyzer
from dermoscope.bundle_parts import Mistake
from dermoscope.data.manifest import read_manifest
from dermoscope.images import decode, side_by_side
from dermoscope.training.tasks import DEFAULT_TASKS

COLUMNS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/flagship"))
    parser.add_argument("--bundle", type=Path, help="by default the one inside the package")
    parser.add_argument("--mode", help="by default its first")
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--out", type=Path, required=True, help="a folder")
    parser.add_argument("--json", type=Path, help="a file that the table is added to, for finish.py")
    arguments = parser.parse_args()
    analyzer = load_analyzer(arguments.bundle, mode=arguments.mode, streams=2)
    records = list(read_manifest(arguments.run / "test-ham10000.csv"))
    pairs = ask(records, arguments.run / f"test-ham10000-{analyzer.mode}", analyzer)
    _, mode = analyzer.bundle.mode(arguments.mode)
    assert mode
    seen = Diagnoses.of(pairs, mode)
    codes = DEFAULT_TASKS["diagnosis"].classes
    said = seen.odds.argmax(axis=1)
    wrong = np.flatnonzero(~seen.right)
    print("| true | said | images | of them withheld | flagged |\n| --- | --- | --- | --- | --- |")
    mistakes = Counter((codes[seen.labels[row]], codes[said[row]]) for row in wrong.tolist())
    rows = [(row, pairs[row][1]) for row in wrong.tolist()]
    withheld = Counter((codes[seen.labels[row]], codes[said[row]]) for row, one in rows if one.abstained)
    flagged = Counter((codes[seen.labels[row]], codes[said[row]]) for row, one in rows if is_flagged(one))
    for pair, count in mistakes.most_common(8):
        print(f"| {' | '.join(pair)} | {count} | {withheld[pair]} | {flagged[pair]} |")
    answered = [row for row in wrong.tolist() if not pairs[row][1].abstained]
    # The probability of what was said, which is not `seen.sure` where another diagnosis is more probable by frequency.
    probability = seen.odds.max(axis=1)
    surest = sorted(answered, key=lambda row: -probability[row])[: arguments.count]
    print("\n| image | true | said | probability | malignancy risk | flagged |\n| --- | --- | --- | --- | --- | --- |")
    found = []
    for row in surest:
        record, one = pairs[row]
        assert one.malignancy
        mistake = Mistake(
            mode=analyzer.mode,
            image=record.image_id,
            data="HAM10000",
            truth=record.diagnosis,
            said=codes[said[row]],
            probability=round(float(probability[row]), 4),
            risk=round(one.malignancy.probability, 4),
            flagged=one.malignancy.flagged,
        )
        found.append(mistake.model_dump(mode="json", exclude={"mode"}))
        numbers = f"{mistake.probability:.2f} | {mistake.risk:.2f} | {'yes' if mistake.flagged else 'no'}"
        print(f"| {mistake.image} | {mistake.truth} | {mistake.said} | {numbers} |")
    if arguments.json:
        kept = json.loads(arguments.json.read_text()) if arguments.json.exists() else {}
        arguments.json.write_text(f"{json.dumps({**kept, analyzer.mode: found}, indent=1)}\n")
    arguments.out.mkdir(parents=True, exist_ok=True)
    sheet = arguments.out / f"surest-{analyzer.mode}.png"
    cv2.imwrite(str(sheet), cv2.cvtColor(pictures([pairs[row] for row in surest]), cv2.COLOR_RGB2BGR))
    print(f"\n{sheet}")


def is_flagged(one: Analysis) -> bool:
    """Whether its risk reaches the operating point."""
    return bool(one.malignancy and one.malignancy.flagged)


def pictures(pairs: list[Pair]) -> np.ndarray:
    """Image with its caption, `COLUMNS` in a row."""
    tiles = []
    for record, one in pairs:
        rgb = cv2.resize(decode(record.path).rgb, (320, 240), interpolation=cv2.INTER_AREA)
        tiles.append(side_by_side(rgb, title=f"{record.diagnosis} as {one.top_diagnosis}", side=320))
    blank = np.full_like(tiles[0], 255)
    tiles += [blank] * (-len(tiles) % COLUMNS)
    return np.vstack([np.hstack(tiles[start : start + COLUMNS]) for start in range(0, len(tiles), COLUMNS)])


if __name__ == "__main__":
    main()
