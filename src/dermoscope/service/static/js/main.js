// Starts the page.

import * as api from "./api.js";
import { listenForFiles } from "./intake.js";
import { announce } from "./live.js";
import { pump } from "./queue.js";
import { buildPage } from "./shell.js";
import { listenForKeys } from "./shortcuts.js";
import { store } from "./state.js";
import { TEXT } from "./strings.js";
import { complain } from "./toast.js";

const HEARTBEAT = 3000; // ms between two looks for a server that is gone

api.connection.addEventListener("down", () => {
  if (!store.get().online) return;
  store.set({ online: false });
  setTimeout(lookForServer, HEARTBEAT);
});

api.connection.addEventListener("up", () => {
  if (store.get().online) return;
  store.set({ online: true });
  announce(TEXT.announce.online);
  pump();
  if (!store.get().health) greet();
});

async function lookForServer() {
  if (store.get().online) return;
  try {
    await api.health();
  } catch {
    setTimeout(lookForServer, HEARTBEAT);
  }
}

async function greet() {
  try {
    const [health, models] = await Promise.all([api.health(), api.models()]);
    store.set({ health, models });
  } catch (error) {
    if (!(error instanceof api.OfflineError)) complain(error);
  }
}

listenForFiles();
listenForKeys(buildPage());
greet();
