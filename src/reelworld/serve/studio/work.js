// Asking the server and following what it makes.
import { call, file, forget, picture } from "./api.js";
import * as store from "./store.js";

const POLL = 700; // milliseconds between looks at what is being made
let watching = false;
let last = ""; // of the page that was read last, as the server orders them

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

function failed(error) {
  if (error.status === 401) { store.locked.value = true; store.needsKey.value = store.key.value ? "refused" : "missing"; }
  else if (error.status === 0) { store.offline.value = error.message; askAgain(); }
  else store.toast(error.message, "error");
}

// Find out, once there is a gallery, when a server that went away is back.
let asking = null;
function askAgain() {
  if (store.loaded.value) asking ??= setTimeout(() => { asking = null; refresh(); }, 2000);
}

export async function refresh(after = "") {
  try {
    const page = await call(`/v1/videos?limit=24${after ? `&after=${after}` : ""}`);
    const now = new Map(after ? store.videos.value : []);
    for (const video of page.data) now.set(video.id, video);
    store.videos.value = now;
    store.more.value = page.has_more;
    last = page.last_id || last;
    store.loaded.value = true;
    store.needsKey.value = "";
    watch();
    return true;
  } catch (error) {
    if (after && error.status === 404) return await refresh() && store.more.value && refresh(last); // the last one was deleted
    failed(error);
    return false;
  }
}

export const older = () => refresh(last);

export async function start() {
  if (!(await refresh())) { if (!store.needsKey.value) setTimeout(start, 2000); return; }
  store.models.value = (await call("/v1/models").catch(() => ({ data: [] }))).data;
  store.characters.value = (await call("/v1/videos/characters").catch(() => ({ data: [] }))).data;
}

// Take in what the server says of a video, and its newest preview.
async function told(video) {
  const old = store.videos.value.get(video.id);
  if (video.status === "in_progress" && !store.began.has(video.id)) store.began.set(video.id, [Date.now(), video.progress]);
  if (JSON.stringify(old) !== JSON.stringify(video)) store.put(video);
  if (!store.busy(video)) return forgetPreview(video.id);
  if (!store.busy(video) || !(video.reelworld.previews > (old?.reelworld.previews || 0))) return;
  const url = await picture(`/v1/videos/${video.id}/preview`).catch(() => null);
  if (!url) return;
  const before = store.previews.value[video.id];
  store.previews.value = { ...store.previews.value, [video.id]: url };
  if (before) URL.revokeObjectURL(before);
}

function forgetPreview(id) {
  const { [id]: url, ...others } = store.previews.value;
  if (!url) return;
  store.previews.value = others;
  URL.revokeObjectURL(url);
}

// Look after all that is being made, in one request a round: a browser opens few connections to a server.
async function watch() {
  if (watching) return;
  watching = true;
  for (let busy; (busy = store.order.value.filter(store.busy)).length;) {
    await pause(store.offline.value ? 1500 : POLL);
    try {
      const page = (await call("/v1/videos?limit=100")).data, seen = new Map(page.map((v) => [v.id, v]));
      for (const { id } of busy) {
        const video = seen.get(id) || await call(`/v1/videos/${id}`).catch((error) => { if (error.status !== 404) throw error; return null; });
        if (video) await told(video);
        else store.drop(id);
      }
    } catch (error) {
      failed(error);
      if (error.status === 401) break;
    }
  }
  watching = false;
}

// A name that nobody else has; crypto.randomUUID is there on https and localhost alone.
const unique = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

// Send a request; where no answer comes, again under the same name, so that nothing is queued twice.
async function sent(path, options, tries = 6) {
  try {
    return await call(path, options);
  } catch (error) {
    if (error.status !== 0 || tries === 1) throw error;
    store.offline.value = error.message;
    await pause(1500);
    return sent(path, options, tries - 1);
  }
}

async function queue(path, body) {
  try {
    const made = await sent(path, { method: "POST", idempotent: unique(), ...body });
    const all = made.object === "list" ? made.data : [made];
    for (const video of all) store.put(video);
    watch();
    return all;
  } catch (error) {
    failed(error);
    return null;
  }
}

// The characters whom a text names, as the API wants them.
export function cast(text) {
  const said = new Set(text.toLowerCase().match(/[\p{L}][\p{L}\p{N}_-]*/gu) || []);
  return store.characters.value.filter((c) => said.has(c.name.toLowerCase())).slice(0, 3).map((c) => ({ id: c.id }));
}

function common(draft) {
  const asked = { prompt: draft.prompt.trim(), size: store.SHAPES[draft.shape], num_inference_steps: +draft.steps, guidance_scale: +draft.guidance };
  if (draft.seed !== "" && draft.seed !== null) asked.seed = +draft.seed;
  if (store.modelOf(draft) !== "auto") asked.model = draft.model;
  const names = cast(draft.prompt);
  if (names.length) asked.characters = names;
  return asked;
}

// What the composer asks for: [path, body].
export function request(draft, given, action) {
  const asked = common(draft);
  if (!given) {
    const made = { ...asked, seconds: +draft.seconds };
    return draft.count > 1 ? ["/v1/videos/variations", { json: { ...made, count: +draft.count } }] : ["/v1/videos", { json: made }];
  }
  const paths = { animate: "/v1/videos", extend: "/v1/videos/extensions", remix: "/v1/videos/edits" };
  const own = action === "remix" ? { ...asked, strength: draft.strength } : { ...asked, seconds: +draft.seconds };
  const field = action === "animate" ? "input_reference" : "video";
  if (given.id) return [paths[action], { json: { ...own, [field]: action === "animate" ? { file_id: given.id } : { id: given.id } } }];
  const form = new FormData();
  for (const [name, value] of Object.entries(own)) form.append(name, typeof value === "object" ? JSON.stringify(value) : value);
  form.append(field, given.file);
  return [paths[action], { form }];
}

export async function generate() {
  if (store.sending.value) return null;
  if (!store.draft.value.prompt.trim()) return store.toast("Say what the video should show.", "error");
  store.sending.value = true;
  const made = await queue(...request(store.draft.value, store.given.value, store.action.value));
  store.sending.value = false;
  if (made) store.toast(made.length > 1 ? `${made.length} videos are queued.` : "Your video is queued.");
  return made;
}

export const simple = (path, json) => queue(path, { json });

export async function cancel(id) { try { store.put(await call(`/v1/videos/${id}/cancel`, { method: "POST" })); } catch (error) { failed(error); } }

export async function remove(id) {
  if (!confirm("Delete this video for good?")) return;
  try {
    await call(`/v1/videos/${id}`, { method: "DELETE" });
    store.drop(id);
    forget(id);
    forgetPreview(id);
    if (store.open.value === id) store.open.value = null;
    store.compared.value = store.compared.value.filter((other) => other !== id);
    store.toast("Deleted.");
  } catch (error) { failed(error); }
}

export async function addCharacter(name, source) {
  try {
    const options = source.id ? { json: { name, video: { id: source.id } } } : { form: formOf({ name, video: source.file }) };
    const made = await call("/v1/videos/characters", { method: "POST", ...options });
    store.characters.value = [...store.characters.value, made];
    store.toast(`${made.name} can play now: use the name in a prompt.`);
  } catch (error) { failed(error); }
}

export async function forgetCharacter(one) {
  if (!confirm(`Forget ${one.name}? Videos with them stay.`)) return;
  try {
    await call(`/v1/videos/characters/${one.id}`, { method: "DELETE" });
    store.characters.value = store.characters.value.filter((other) => other.id !== one.id);
  } catch (error) { failed(error); }
}

function formOf(values) {
  const form = new FormData();
  for (const [name, value] of Object.entries(values)) form.append(name, value);
  return form;
}

export async function unknownWords(text, model = "auto") {
  if (!store.models.value.length || !text.trim()) return [];
  return (await call(`/v1/models/${encodeURIComponent(model)}/words?text=${encodeURIComponent(text)}`)).unknown;
}

// A short prompt as a job of this seed would tell it; null, and a word on why, where it stays as it is.
export async function expansion(text, seed, model = "auto") {
  if (!store.models.value.length) return null;
  const found = await call(`/v1/models/${encodeURIComponent(model)}/expansion?text=${encodeURIComponent(text)}&seed=${seed}`);
  if (found.why) store.toast(`Nothing to add: ${found.why}.`);
  return found.why ? null : found.text;
}

export const children = (id) => call(`/v1/videos/${id}/children`).then((page) => page.data).catch(() => []);
export const retrieve = (id) => call(`/v1/videos/${id}`).catch(() => null);
export { file };
