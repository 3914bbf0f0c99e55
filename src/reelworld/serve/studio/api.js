// The API over fetch: JSON calls, and files as object URLs.
import { key, offline } from "./store.js";

export class Failure extends Error {
  constructor(status, error) {
    super(error?.message || "The server did not answer as expected.");
    Object.assign(this, { status, code: error?.code, param: error?.param });
  }
}

function headers(more = {}) {
  return key.value ? { ...more, authorization: `Bearer ${key.value}` } : more;
}

async function answered(path, options) {
  let answer;
  try {
    answer = await fetch(path, { ...options, headers: headers(options.headers) });
  } catch {
    throw new Failure(0, { message: "The server cannot be reached. It may be restarting." });
  }
  offline.value = "";
  if (!answer.ok) {
    const body = await answer.json().catch(() => null);
    throw new Failure(answer.status, body?.error);
  }
  return answer;
}

export async function call(path, { method = "GET", json, form, idempotent } = {}) {
  const more = json ? { "content-type": "application/json" } : {};
  if (idempotent) more["idempotency-key"] = idempotent;
  const body = json ? JSON.stringify(json) : form;
  return (await answered(path, { method, body, headers: more })).json();
}

const files = new Map(), MOST_FILES = 150; // the ones asked for last

const drop = (path) => { files.get(path)?.then(URL.revokeObjectURL, () => {}); files.delete(path); };

// The object URL of a file; the same for all who ask.
export function file(path) {
  if (files.has(path)) { const url = files.get(path); files.delete(path); files.set(path, url); }
  else {
    for (const old of [...files.keys()].slice(0, Math.max(0, files.size - MOST_FILES))) drop(old);
    const url = answered(path, {}).then((answer) => answer.blob()).then((blob) => URL.createObjectURL(blob));
    url.catch(() => files.delete(path));
    files.set(path, url);
  }
  return files.get(path);
}

// Let go of the files of a video.
export function forget(id) { for (const path of [...files.keys()]) if (path.includes(id)) drop(path); }

export async function picture(path) {
  return URL.createObjectURL(await (await answered(path, {})).blob());
}
