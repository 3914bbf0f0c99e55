// The same request again, elsewhere: as a command line, as Python, and as curl; none that would ask for something else.
import { useState } from "./vendor/hooks.mjs";
import { html } from "./html.js";
import * as store from "./store.js";
import { Chips } from "./create.js";

const quoted = (text) => `'${String(text).replaceAll("'", "'\\''")}'`;
const given = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== null));

// Where the API takes each operation, and in which field it wants what it is made of.
const PATHS = { generate: "", remix: "/{0}/remix", edit: "/edits", extend: "/extensions", loop: "/loops", fill: "/fills", recut: "/recuts", blend: "/blends", storyboard: "/storyboards" };
const NOT_SENT = ["board", "character_ids", "size", "fps"]; // in this form
const COMMANDS = { remix: "remix", edit: "remix", extend: "extend", loop: "loop", fill: "fill", recut: "recut" };

// The path and body that ask for a video again, and the field of a file that has to be sent anew.
export function request(video) {
  const ours = video.reelworld, r = ours.request, [one, other] = ours.parents;
  const own = Object.fromEntries(Object.entries(r).filter(([name]) => !NOT_SENT.includes(name)));
  const body = given({ prompt: video.prompt, model: video.model, size: r.size ? video.size : undefined, fps: r.fps, seed: ours.seed, ...own, characters: r.character_ids });
  if (ours.operation === "generate") {
    if (body.num_frames) delete body.seconds;
    if (one) body.input_reference = { file_id: one };
    return { path: PATHS.generate, body, file: ours.given && !one ? "input_reference" : null };
  }
  if (ours.operation === "blend") return { path: PATHS.blend, body: { ...body, first: one, second: other }, file: null };
  if (ours.operation === "storyboard") return { path: PATHS.storyboard, body: { ...body, ...given(r.board) }, file: null };
  if (ours.operation === "remix") return { path: PATHS.remix.replace("{0}", one), body, file: null };
  return { path: PATHS[ours.operation], body: one ? { ...body, video: { id: one } } : body, file: one ? null : "video" };
}

function curl({ path, body, file }) {
  const key = store.key.value ? ` -H "authorization: Bearer $REELWORLD_KEY"` : "", url = `${location.origin}/v1/videos${path}`;
  if (!file) return `curl ${url}${key} -H 'content-type: application/json' -d ${quoted(JSON.stringify(body))}`;
  const fields = Object.entries(body).map(([name, value]) => `-F ${quoted(`${name}=${typeof value === "object" ? JSON.stringify(value) : value}`)}`);
  return `curl ${url}${key} ${fields.join(" ")} -F ${file}=@FILE`;
}

// JSON as Python writes it.
function literal(value) {
  if (value === true) return "True";
  if (value === false) return "False";
  if (value === null) return "None";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "object") return `{${Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${literal(one)}`).join(", ")}}`;
  return JSON.stringify(value);
}

function python({ path, body, file }) {
  const { prompt, model, size, seconds, input_reference, ...more } = body, own = given({ prompt, model, size, seconds: seconds === undefined ? undefined : String(seconds), input_reference });
  const lines = ["import os", "import httpx", "import openai", "", `client = openai.OpenAI(base_url=${JSON.stringify(`${location.origin}/v1`)}, api_key=os.environ.get("REELWORLD_KEY", "none"))`];
  if (path === "") {
    const named = Object.entries(own).map(([name, value]) => `${name}=${literal(value)}`);
    lines.push(`video = client.videos.create(${[...named, ...(file ? [`input_reference=open("FILE", "rb")`] : []), `extra_body=${literal(more)}`].join(", ")})`, "name = video.id");
  } else if (file) {
    const fields = Object.fromEntries(Object.entries(body).map(([name, value]) => [name, typeof value === "object" ? JSON.stringify(value) : String(value)]));
    lines.push(`name = httpx.post(${JSON.stringify(`${location.origin}/v1/videos${path}`)}, data=${literal(fields)}, files={"${file}": open("FILE", "rb")}, headers={"authorization": f"Bearer {client.api_key}"}).json()["id"]`);
  } else {
    lines.push(`name = client.post("/videos${path}", body=${literal(body)}, cast_to=httpx.Response).json()["id"]`);
  }
  return [...lines, "client.videos.poll(name)", "client.videos.download_content(name).write_to_file(\"video.mp4\")"].join("\n");
}

// The command, where it makes just this: it neither crops nor changes the rate, and the model comes with the package.
function command(video) {
  const ours = video.reelworld, r = ours.request, { native, packaged } = store.models.value.find((model) => model.id === ours.model) || {};
  if (!packaged || r.fps || r.character_ids?.length || r.upsample === false) return null;
  if (r.size && video.size !== `${4 * native.width}x${4 * native.height}`) return null;
  const flag = (name, value) => `--${name.replaceAll("_", "-")}${value === true ? "" : ` ${typeof value === "number" || /^\w+$/.test(value) ? value : quoted(value)}`}`;
  const flags = (values) => Object.entries(given(values)).filter(([, value]) => value !== false).map(([name, value]) => Array.isArray(value) ? value.map((part) => `--${name} ${part.join(":")}`).join(" ") : flag(name, value)).join(" ");
  const sampling = { num_inference_steps: r.num_inference_steps, guidance_scale: r.guidance_scale, seed: ours.seed, weights: ours.model };
  if (ours.operation === "generate" && !ours.given) {
    const num_frames = r.num_frames || Math.max(1, Math.round(r.seconds * native.fps));
    return `reel generate ${quoted(ours.expanded_prompt || video.prompt)} ${flags({ num_frames, ...sampling, negative_prompt: r.negative_prompt })} --no-expand -o video.mp4`;
  }
  if (!COMMANDS[ours.operation] || !ours.parents.length || r.negative_prompt) return null;
  const own = { strength: r.strength, seconds: r.seconds, before: r.before, length: r.length, start: r.start, end: r.end, keep: r.keep, gap: r.gap };
  return `reel ${COMMANDS[ours.operation]} ${ours.parents[0]}.mp4 ${quoted(video.prompt)} ${flags({ ...own, ...sampling })} -o video.mp4`;
}

export function copies(video) {
  const again = request(video), line = command(video);
  return [...(line ? [["Command line", line]] : []), ["Python", python(again)], ["curl", curl(again)]];
}

export function Copies({ video }) {
  const all = copies(video), [kind, setKind] = useState(all[0][0]), text = (all.find(([name]) => name === kind) || all[0])[1];
  const copy = async () => {
    try { await navigator.clipboard.writeText(text); store.toast("Copied."); }
    catch { store.toast("The browser does not let this page copy; mark the text instead.", "error"); }
  };
  return html`<details class="copies"><summary>Ask for it again elsewhere</summary><div class="panel"><${Chips} name="copy-kind" label="As" value=${kind} set=${setKind} options=${all.map(([name]) => [name, name])} />
    <textarea readonly rows="5" aria-label=${`The request as ${kind}`} value=${text} onFocus=${(e) => e.target.select()}></textarea><button type="button" class="plain" onClick=${copy}>Copy</button></div></details>`;
}
