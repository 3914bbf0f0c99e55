// What the studio knows, as signals: whoever reads one is drawn again when it changes.
import { computed, signal } from "./vendor/signals.mjs";

function kept(name, value) {
  let old = null;
  try { old = JSON.parse(localStorage.getItem(`reelworld.${name}`)); } catch { /* written by hand */ }
  const made = signal(old ?? value);
  made.subscribe((now) => {
    try { localStorage.setItem(`reelworld.${name}`, JSON.stringify(now)); } catch { /* full, or private */ }
  });
  return made;
}

export const key = signal(sessionStorage.getItem("reelworld.key") || "");
key.subscribe((now) => sessionStorage.setItem("reelworld.key", now));
export const needsKey = signal(""); // why a key is asked for: "missing", "refused"; "" where none is
export const theme = kept("theme", matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark");
theme.subscribe((now) => { document.documentElement.dataset.theme = now; });

export const view = signal("create");
export const videos = signal(new Map());
export const order = computed(() => [...videos.value.values()].sort((a, b) => b.created_at - a.created_at || (a.id < b.id ? 1 : -1)));
export const loaded = signal(false);
export const more = signal(false);
export const locked = signal(false); // whether the server once asked for a key
export const offline = signal("");
export const sending = signal(false); // whether a request is on its way
export const open = signal(null); // id of the video whose details are shown
export const compared = signal([]); // ids
export const help = signal(false);
export const models = signal([]);
export const playable = computed(() => models.value[0]?.characters ?? false); // whether the model knows characters
export const characters = signal([]);
export const previews = signal({}); // id -> object URL
export const began = new Map(); // id -> [time, progress] when work was first seen

export const SHAPES = { square: "512x512", wide: "896x512", tall: "512x896", classic: "640x480" };
export const empty = { prompt: "", shape: "square", seconds: 2, count: 1, seed: "", steps: 20, guidance: 3, strength: "mild", character: "", model: "auto" };
export const draft = kept("draft", empty);
export const given = signal(null); // {name, file, kind, url} or {name, id}, to animate, extend or remix
export const action = signal("animate");
export const board = kept("board", { cards: [{ time: 0, text: "", cut: null }], duration: 4, seed: "", shape: "square", steps: 20 });
export const windowSeconds = computed(() => { const native = models.value[0]?.native; return native ? native.num_frames / native.fps : 2; }); // that the model makes at once
export const toasts = signal([]);

// The model that a draft names, where it is still served; else whichever knows the words.
export const modelOf = (draft) => (models.value.some((one) => one.id === draft.model) ? draft.model : "auto");

export function change(of, values) { of.value = { ...of.value, ...values }; }

export function put(video) {
  const now = new Map(videos.value);
  now.set(video.id, video);
  videos.value = now;
}

export function drop(id) {
  const now = new Map(videos.value);
  now.delete(id);
  videos.value = now;
}

let number = 0;
export function toast(text, kind = "info") {
  const one = { id: ++number, text, kind };
  toasts.value = [...toasts.value, one];
  setTimeout(() => { toasts.value = toasts.value.filter((t) => t !== one); }, kind === "error" ? 9000 : 4000);
}

export const busy = (video) => video.status === "queued" || video.status === "in_progress";

// Seconds left, from how fast the work went since it was first seen.
export function left(video) {
  const first = began.get(video.id);
  if (video.status !== "in_progress" || !first || video.progress <= first[1] + 3) return null;
  const each = (Date.now() - first[0]) / 1000 / (video.progress - first[1]);
  return Math.max(1, Math.round(each * (100 - video.progress)));
}
