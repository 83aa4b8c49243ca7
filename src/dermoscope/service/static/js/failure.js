// What went wrong, in words: the server's own where it has some.

import { ApiError, OfflineError } from "./api.js";
import { sentence } from "./format.js";
import { TEXT } from "./strings.js";

const BY_STATUS = {
  401: TEXT.errors.denied,
  403: TEXT.errors.denied,
  413: TEXT.errors.tooLarge,
  415: TEXT.errors.notImage,
  429: TEXT.errors.busyNow,
  503: TEXT.errors.stopping,
  504: TEXT.errors.timeout,
};

/** An error as a sentence with the way out. */
export function inWords(error) {
  if (error instanceof OfflineError) return `${TEXT.errors.offlineTitle}. ${TEXT.errors.offline}`;
  if (error instanceof ApiError) {
    return sentence(error.message) || BY_STATUS[error.status] || TEXT.errors.other(error.status);
  }
  return error?.message || TEXT.errors.unknown;
}

/** Whether trying again with the same file is of no use: it is too large, or no image. */
export const isFinal = (error) => error instanceof ApiError && [413, 415, 422].includes(error.status);

/** Whether the server only asks for patience; then, for how many seconds. */
export function patience(error) {
  const busy = error instanceof ApiError && (error.status === 429 || error.code === "stopping");
  return busy ? (error.retryAfter ?? 3) : null;
}

export const isExpired = (error) => error instanceof ApiError && error.code === "image-expired";
export const isHistoryOff = (error) => error instanceof ApiError && error.code === "history-off";
