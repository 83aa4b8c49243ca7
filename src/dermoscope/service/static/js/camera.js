// A photo from a camera at the desk, such as a USB dermatoscope.

import { openDialog } from "./dialog.js";
import { el, fill } from "./dom.js";
import { icon } from "./icons.js";
import { TEXT } from "./strings.js";

const QUALITY = 0.95;

/** Opens the camera, and hands over a JPEG file if a photo is taken. */
export async function takePhoto(give) {
  const words = TEXT.camera;
  const video = el("video", { autoplay: true, playsinline: true, muted: true, "aria-label": words.title });
  const state = el("p.quiet", { role: "status" }, words.starting);
  const take = el("button.primary", { type: "button", disabled: true }, icon("camera"), words.take);
  const dialog = openDialog("camera", words.title, video, state, el("div.actions", {}, take));
  let stream = null;
  dialog.addEventListener("close", () => stream?.getTracks().forEach((track) => track.stop()));
  try {
    const video = { facingMode: "environment", width: { ideal: 1920 } };
    stream = await navigator.mediaDevices.getUserMedia({ video });
  } catch {
    video.hidden = take.hidden = true;
    fill(state, words.denied);
    return;
  }
  if (!dialog.open) {
    stream.getTracks().forEach((track) => track.stop());
    return;
  }
  video.srcObject = stream;
  await video.play();
  fill(state, words.advice);
  take.disabled = false;
  take.focus();
  take.addEventListener("click", async () => {
    const file = await frameOf(video);
    dialog.close();
    give(file);
  });
}

async function frameOf(video) {
  const canvas = el("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
  return new File([blob], "photo.jpg", { type: "image/jpeg" });
}
