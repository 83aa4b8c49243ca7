// Every request of the page. All go to the server the page came from.

/** An answer with an error in it. */
export class ApiError extends Error {
  constructor(status, code, message, retryAfter) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter; // seconds, or null
  }
}

/** No answer at all. */
export class OfflineError extends Error {}

/** Fires `down` when the server does not answer and `up` when it does. */
export const connection = new EventTarget();

// File names are the user's own business: every file is sent under this one.
const SENT_NAME = "image";

async function request(path, { method = "GET", body, headers, signal } = {}) {
  let response;
  try {
    response = await fetch(path, { method, body, headers, signal, credentials: "same-origin", cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    connection.dispatchEvent(new Event("down"));
    throw new OfflineError(path);
  }
  connection.dispatchEvent(new Event("up"));
  if (response.ok) return response;
  throw await errorOf(response);
}

async function errorOf(response) {
  let error = {};
  try {
    error = (await response.json()).error ?? {};
  } catch {
    // A proxy may answer with something else than JSON.
  }
  const wait = Number(response.headers.get("Retry-After"));
  return new ApiError(response.status, error.code ?? "", error.message ?? "", wait > 0 ? wait : null);
}

const json = async (path, options) => (await request(path, options)).json();

const sendJson = (path, method, data) =>
  json(path, { method, body: JSON.stringify(data), headers: { "Content-Type": "application/json" } });

const image = (token) => `/v1/images/${encodeURIComponent(token)}`;
const kept = (id) => `/v1/cases/${encodeURIComponent(id)}`;

export const health = () => json("/v1/health");
export const models = async () => (await json("/v1/models")).models;

/** Analyses the file of an image with its scale, and keeps it open on the server. */
export async function analyse({ file, mmPerPixel }, signal) {
  const form = formOf([file], mmPerPixel);
  return (await json("/v1/analyses?keep=true", { method: "POST", body: form, signal })).results[0];
}

/** The files `dermoscope analyze` writes, as one archive; one scale holds for all. */
export async function analysisFiles(files, mmPerPixel) {
  const form = formOf(files, mmPerPixel);
  const headers = { Accept: "application/zip" };
  return (await request("/v1/analyses", { method: "POST", body: form, headers })).blob();
}

function formOf(files, mmPerPixel) {
  const form = new FormData();
  for (const file of files) form.append("image", file, SENT_NAME);
  if (mmPerPixel !== null) form.append("mm_per_pixel", String(mmPerPixel));
  return form;
}

export const opened = (token) => json(image(token));
export const evidence = (token) => json(`${image(token)}/evidence`);
export const similar = async (token) => (await json(`${image(token)}/similar?limit=6`)).cases;
export const refine = (token, prompts) => sendJson(`${image(token)}/refine`, "POST", prompts);
export const undo = (token) => json(`${image(token)}/undo`, { method: "POST" });
export const reset = (token) => json(`${image(token)}/reset`, { method: "POST" });
export const close = (token) => request(image(token), { method: "DELETE" });
export const displayUrl = (token) => `${image(token)}/display.jpg?side=1600`;
export const maskBlob = async (token) => (await request(`${image(token)}/mask.png`)).blob();
export const putMask = (token, png) =>
  json(`${image(token)}/mask`, { method: "PUT", body: png, headers: { "Content-Type": "image/png" } });

export const keepCase = (token, label, note) => sendJson("/v1/cases", "POST", { image: token, label, note });
export const correctCase = (id, changes) => sendJson(kept(id), "PATCH", changes);
export const deleteCase = (id) => request(kept(id), { method: "DELETE" });
export const openCase = async (id) => (await json(`${kept(id)}/open`, { method: "POST" })).image;
export const caseImageUrl = (id) => `${kept(id)}/image.png`;
export const caseThumbnailUrl = (id) => `${kept(id)}/thumbnail.jpg`;
export const exportUrl = (corrected) => `/v1/cases/export.zip${corrected ? "?corrected=true" : ""}`;

/** One page of the history, newest first. */
export function listCases({ search = "", label = "", before = "", limit = 24 } = {}) {
  const query = new URLSearchParams({ limit: String(limit) });
  for (const [name, value] of Object.entries({ search, label, before })) if (value) query.set(name, value);
  return json(`/v1/cases?${query}`);
}
