// Asking the server and following what it makes.
import { call, events, file, picture, Failure } from "./api.js";
import * as store from "./store.js";

const followed = new Map(); // id -> AbortController

function failed(error) {
  if (error.status === 401) store.needsKey.value = true;
  else if (error.status === 0) store.offline.value = error.message;
  else store.toast(error.message, "error");
}

export async function refresh(after = "") {
  try {
    const page = await call(`/v1/videos?limit=24${after ? `&after=${after}` : ""}`);
    const now = new Map(after ? store.videos.value : []);
    for (const video of page.data) now.set(video.id, video);
    store.videos.value = now;
    store.more.value = page.has_more;
    store.loaded.value = true;
    store.offline.value = "";
    store.needsKey.value = false;
    for (const video of page.data) if (store.busy(video)) follow(video.id);
    return true;
  } catch (error) {
    failed(error);
    return false;
  }
}

export async function start() {
  if (!(await refresh())) { if (!store.needsKey.value) setTimeout(start, 2000); return; }
  store.models.value = (await call("/v1/models").catch(() => ({ data: [] }))).data;
  store.characters.value = (await call("/v1/videos/characters").catch(() => ({ data: [] }))).data;
}

// Follow a video until it is over; where the line breaks, as when the server restarts, begin again.
export async function follow(id) {
  if (followed.has(id)) return;
  const stop = new AbortController();
  followed.set(id, stop);
  let shown = 0;
  const told = async (video) => {
    if (!video.status) return store.drop(id);
    store.offline.value = "";
    if (video.status === "in_progress" && !store.began.has(id)) store.began.set(id, [Date.now(), video.progress]);
    store.put(video);
    const count = video.reelworld.previews;
    if (count > shown && store.busy(video)) {
      shown = count;
      const url = await picture(`/v1/videos/${id}/preview`).catch(() => null);
      if (url) {
        const old = store.previews.value[id];
        store.previews.value = { ...store.previews.value, [id]: url };
        if (old) URL.revokeObjectURL(old);
      }
    }
  };
  while (followed.get(id) === stop) {
    try {
      await events(id, told, stop.signal);
      break;
    } catch (error) {
      if (stop.signal.aborted || error.status === 404) break;
      if (error.status === 401) { failed(error); break; }
      store.offline.value = "The server cannot be reached. Trying again…";
      await new Promise((done) => setTimeout(done, 1500));
    }
  }
  followed.delete(id);
}

async function queue(path, body) {
  try {
    const made = await call(path, { method: "POST", idempotent: crypto.randomUUID(), ...body });
    const all = made.object === "list" ? made.data : [made];
    for (const video of all) { store.put(video); follow(video.id); }
    return all;
  } catch (error) {
    failed(error);
    return null;
  }
}

function common(draft) {
  const asked = { prompt: draft.prompt.trim(), size: store.SHAPES[draft.shape], num_inference_steps: +draft.steps, guidance_scale: +draft.guidance };
  if (draft.seed !== "" && draft.seed !== null) asked.seed = +draft.seed;
  const names = store.characters.value.filter((c) => new RegExp(`\\b${c.name}\\b`, "i").test(draft.prompt));
  if (names.length) asked.characters = names.slice(0, 3).map((c) => ({ id: c.id }));
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
  if (!store.draft.value.prompt.trim()) return store.toast("Say what the video should show.", "error");
  const made = await queue(...request(store.draft.value, store.given.value, store.action.value));
  if (made) store.toast(made.length > 1 ? `${made.length} videos are queued.` : "Your video is queued.");
  return made;
}

export const simple = (path, json) => queue(path, { json });

export async function cancel(id) { try { store.put(await call(`/v1/videos/${id}/cancel`, { method: "POST" })); } catch (error) { failed(error); } }

export async function remove(id) {
  try {
    await call(`/v1/videos/${id}`, { method: "DELETE" });
    followed.get(id)?.abort();
    store.drop(id);
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

function formOf(values) {
  const form = new FormData();
  for (const [name, value] of Object.entries(values)) form.append(name, value);
  return form;
}

export async function unknownWords(text) {
  const model = store.models.value[0]?.id;
  if (!model || !text.trim()) return [];
  return (await call(`/v1/models/${encodeURIComponent(model)}/words?text=${encodeURIComponent(text)}`)).unknown;
}

export const children = (id) => call(`/v1/videos/${id}/children`).then((page) => page.data).catch(() => []);
export const retrieve = (id) => call(`/v1/videos/${id}`).catch(() => null);
export { file, Failure };
