// What an analysis comes down to: an answer, or none, and what a reader must know all the same.

/** Whether there is an answer to show. */
export function isAnswered({ abstained, malignancy }) {
  return !abstained && Boolean(malignancy);
}

/** Whether an image of skin gets no answer although its risk reaches the operating point. */
export function isFlaggedWithoutAnswer({ flagged_without_answer: isFlagged }) {
  return isFlagged;
}

/** The warning that the evidence lies beside the lesion; empty where all is well, or nothing is answered. */
export function evidenceWarning(analysis) {
  return (isAnswered(analysis) && analysis.evidence?.warning) || "";
}

/** Codes of the diagnoses that remain possible; none for a single one, which would read as if nothing else could be. */
export function remainingCodes(analysis) {
  const codes = analysis.prediction_set?.codes ?? [];
  return isAnswered(analysis) && codes.length > 1 ? codes : [];
}
