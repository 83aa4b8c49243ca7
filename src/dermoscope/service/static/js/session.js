// Everything done to an image that is open on the server. One that was put away is quietly sent again.

import * as api from "./api.js";
import { isExpired } from "./failure.js";
import { percent } from "./format.js";
import { announce } from "./live.js";
import { pngOfOutline } from "./mask_png.js";
import { itemOf, maskOf, updateItem } from "./state.js";
import { TEXT } from "./strings.js";
import { calm, complain } from "./toast.js";

// Corrections are made in the order of the clicks, one at a time.
const lines = new Map();

/** Loads what belongs to an image beside its analysis: mask as it stands, measures, evidence, similar cases. */
export async function loadDetails(id) {
  if (itemOf(id)?.measures !== undefined) return;
  updateItem(id, { measures: null, measuring: true });
  const { segmentation, measures } = await quietly(() => withToken(id, api.opened), {});
  updateItem(id, { ...(segmentation ? { segmentation } : {}), measures: measures ?? null, measuring: false });
  loadSimilar(id);
}

/** The evidence map, asked for once. */
export async function loadEvidence(id) {
  if (itemOf(id)?.evidence !== undefined) return;
  updateItem(id, { evidence: null });
  updateItem(id, { evidence: await quietly(() => withToken(id, api.evidence), null) });
}

// The share of it that lies inside is that of the new outline.
async function weighEvidence(id) {
  updateItem(id, { evidence: await quietly(() => withToken(id, api.evidence), itemOf(id).evidence) });
}

/** The most similar cases; an array, or the error in its place. */
export async function loadSimilar(id) {
  updateItem(id, { similar: undefined });
  try {
    const own = itemOf(id)?.case?.id;
    const cases = await withToken(id, api.similar);
    updateItem(id, { similar: cases.filter((one) => one.id !== own) });
  } catch (error) {
    updateItem(id, { similar: error });
  }
}

/** New clicks `[[x, y, label]]` or a box, in pixels of the image. */
export const refine = (id, points, box = null) =>
  change(id, (token) => api.refine(token, { points, box }), { points, box });

/** A whole mask from the brush, as a PNG that is made when its turn comes. */
export const paint = (id, makePng) => change(id, async (token) => api.putMask(token, await makePng(token)));

/** Takes the last correction back. */
export const undo = (id) => change(id, api.undo);

/** Takes all corrections back. */
export const reset = (id) => change(id, api.reset);

/** Does something with the token of an image; sends the image again if the server put it away. */
export async function withToken(id, action) {
  try {
    return await action(itemOf(id).token);
  } catch (error) {
    if (!isExpired(error)) throw error;
    await reopen(id);
    return action(itemOf(id).token);
  }
}

async function reopen(id) {
  const item = itemOf(id);
  if (item.case && !item.file) updateItem(id, { token: await api.openCase(item.case.id) });
  else if (item.file) updateItem(id, { token: (await api.analyse(item)).image });
  else throw new Error(TEXT.errors.expired);
  const { token } = itemOf(id);
  if (item.source === api.displayUrl(item.token)) updateItem(id, { source: api.displayUrl(token) });
  const mask = maskOf(item);
  if (item.segmentation?.can_undo && mask) {
    const { width, height } = item.analysis;
    await api.putMask(token, await pngOfOutline(mask.outline, width, height));
  }
  announce(TEXT.announce.reopened);
}

function change(id, action, pending = null) {
  const before = lines.get(id) ?? Promise.resolve();
  const turn = before.then(() => changeNow(id, action, pending));
  lines.set(id, turn);
  return turn;
}

async function changeNow(id, action, pending) {
  if (!itemOf(id)) return;
  updateItem(id, { working: true, pending });
  try {
    const { segmentation, measures } = await withToken(id, action);
    updateItem(id, { segmentation, measures, unsaved: true });
    if (itemOf(id)?.evidence) weighEvidence(id);
    calm();
    announce(sentence(maskOf(itemOf(id))));
  } catch (error) {
    complain(error);
  } finally {
    updateItem(id, { working: false, pending: null });
  }
}

function sentence(mask) {
  if (!mask) return TEXT.announce.noOutline;
  return mask.confidence === null ? TEXT.announce.drawn : TEXT.announce.outline(percent(mask.confidence));
}

async function quietly(action, fallback) {
  try {
    return await action();
  } catch {
    return fallback; // The result stands without it.
  }
}
