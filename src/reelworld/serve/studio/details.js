// One video in full: player, parameters, where it comes from, and what to do with it. And two side by side.
import { useEffect, useRef, useState } from "./vendor/hooks.mjs";
import { html } from "./html.js";
import * as store from "./store.js";
import { Copies } from "./copies.js";
import { Chips, Prompt } from "./create.js";
import { content, useFile, Working } from "./gallery.js";
import { addCharacter, children, remove, retrieve, simple } from "./work.js";

// What is told in passing; within a dialog too, outside of which all is inert.
export function Toasts() {
  return html`<div class="toasts" role="status" aria-live="polite">${store.toasts.value.map((t) => html`<p key=${t.id} class=${t.kind}>${t.text}</p>`)}</div>`;
}

export function Dialog({ label, close, children: inside, wide = false }) {
  const box = useRef(null);
  useEffect(() => {
    const before = document.activeElement;
    box.current.showModal();
    if (!box.current.querySelector("[autofocus]")) box.current.querySelector(".inside").focus(); // not "Close": Space plays
    return () => before?.focus?.();
  }, []);
  return html`<dialog ref=${box} class=${wide ? "wide" : ""} aria-label=${label} onClose=${close} onClick=${(e) => { if (e.target === box.current) box.current.close(); }}>
    <div class="inside" tabindex="-1"><button type="button" class="plain close" aria-label="Close" onClick=${() => box.current.close()}>✕</button>${inside}</div><${Toasts} /></dialog>`;
}

export function Player({ id, label, autoplay = true }) {
  const url = useFile(content(id)), poster = useFile(content(id, "thumbnail"));
  return url ? html`<video class="player" src=${url} poster=${poster || undefined} controls loop muted playsinline autoplay=${autoplay} aria-label=${label}></video>` : url === false ? html`<p class="failed player" role="alert">The video cannot be loaded.</p>` : html`<div class="noise still player" aria-hidden="true"></div>`;
}

// What can be seen of a video: itself, how far it is, or why there is none.
function Seen({ video }) {
  if (video.status === "completed") return html`<${Player} id=${video.id} label=${video.prompt} key=${video.id} />`;
  if (store.busy(video)) return html`<${Working} video=${video} />`;
  return html`<p class="failed player" role="alert">${video.error?.code === "cancelled" ? "Cancelled." : video.error?.message}</p>`;
}

const MOST = 40; // videos that a lineage shows

// A video with all that it was made of, each as a tree.
async function ancestry(id, seen) {
  if (seen.size >= MOST) return { id, more: true, parents: [] };
  const known = seen.has(id), video = store.videos.value.get(id) || await retrieve(id);
  seen.add(id);
  if (!video) return { id, gone: true, parents: [] };
  const parents = known ? [] : await Promise.all([...new Set(video.reelworld.parents)].map((one) => ancestry(one, seen)));
  return { id, video, parents };
}

function Lineage({ video }) {
  const [before, setBefore] = useState([]), [after, setAfter] = useState([]);
  useEffect(() => {
    let there = true;
    setBefore([]);
    setAfter([]);
    (async () => {
      const [tree, next] = await Promise.all([ancestry(video.id, new Set()), children(video.id)]);
      if (there) { setBefore(tree.parents); setAfter(next); }
    })();
    return () => { there = false; };
  }, [video.id]);
  if (!before.length && !after.length) return null;
  const link = (v) => html`<button type="button" class="link" onClick=${() => { store.put(v); store.open.value = v.id; }}>${v.reelworld.operation}: ${v.prompt}</button>`;
  const branch = (one) => html`<li key=${one.id}>${one.gone ? html`<span>a deleted video</span>` : one.more ? html`<span>and more</span>` : link(one.video)}${one.parents.length > 0 && html`<ul>${one.parents.map(branch)}</ul>`}</li>`;
  return html`<nav class="lineage" aria-label="Lineage">${before.length > 0 && html`<h3>Made of</h3><ul>${before.map(branch)}</ul>`}
    ${after.length > 0 && html`<h3>Made of it</h3><ul>${after.map((v) => html`<li key=${v.id}>${link(v)}</li>`)}</ul>`}</nav>`;
}

const ACTIONS = [["remix", "Remix"], ["extend", "Extend"], ["loop", "Loop"], ["recut", "Recut"], ["fill", "Fill"], ["character", "Character"]];

// To begin from what was asked: a storyboard as cards, all else in the composer.
function Again({ video }) {
  return video.reelworld.request.board ? html`<button type="button" class="plain" onClick=${() => editBoard(video)}>Edit the storyboard</button>`
    : html`<button type="button" class="plain" onClick=${() => reuse(video)}>Reuse settings</button>`;
}

function Download({ id }) {
  const url = useFile(content(id));
  return url ? html`<a class="plain" href=${url} download=${`${id}.mp4`}>Download</a>` : null;
}

function editBoard(video) {
  const { cards, duration } = video.reelworld.request.board, lost = cards.some((card) => card.image === null || card.video === null);
  store.board.value = { ...store.board.value, cards: cards.map((card) => ({ cut: null, ...card, image: undefined, video: card.video || card.image || undefined })), duration: duration || +video.seconds, seed: video.reelworld.seed, shape: shapeOf(video), steps: video.reelworld.request.num_inference_steps ?? 20 };
  store.open.value = null;
  store.view.value = "board";
  store.toast(lost ? "Its cards are here; pictures that came from files have to be given again." : "Its cards are here; what you do not change is not made again.");
}

const shapeOf = (video) => Object.entries(store.SHAPES).find(([, size]) => size === video.size)?.[0] || "square";

function Act({ video }) {
  const [what, setWhat] = useState(null), [text, setText] = useState(video.prompt), [strength, setStrength] = useState("mild");
  const [seconds, setSeconds] = useState(2), [before, setBefore] = useState(false), [length, setLength] = useState("normal");
  const [start, setStart] = useState(0.5), [end, setEnd] = useState(1.5), [more, setMore] = useState(1), [name, setName] = useState("");
  useEffect(() => { setText(video.prompt); setWhat(null); }, [video.id]);
  const id = video.id, size = video.size;
  const go = async (e) => {
    e.preventDefault();
    if (what === "character") { await addCharacter(name, { id }); return setWhat(null); }
    const asked = {
      remix: [`/v1/videos/${id}/remix`, { prompt: text, strength, size }], extend: ["/v1/videos/extensions", { prompt: text, seconds, before, video: { id }, size }],
      loop: ["/v1/videos/loops", { prompt: text, length, video: { id }, size }], fill: ["/v1/videos/fills", { prompt: text, start: +start, end: +end, video: { id }, size }],
      recut: ["/v1/videos/recuts", { prompt: text, keep: [[+start, +end]], seconds: +more, video: { id }, size }],
    }[what];
    if (await simple(...asked)) { store.toast("Queued."); store.open.value = null; }
  };
  return html`<div class="act"><div class="row" role="group" aria-label="Actions">${ACTIONS.filter(([key]) => key !== "character" || store.playable.value).map(([key, label]) => html`<button type="button" key=${key} class="plain" aria-expanded=${what === key} onClick=${() => setWhat(what === key ? null : key)}>${label}</button>`)}
      <${Again} video=${video} />
      <button type="button" class="plain" onClick=${() => { store.compared.value = [...store.compared.value.filter((o) => o !== id), id].slice(-2); store.toast("Choose another one to compare with."); store.open.value = null; }}>Compare</button>
      <${Download} id=${id} /><button type="button" class="plain danger" onClick=${() => remove(id)}>Delete</button></div>
    ${what && html`<form class="panel" onSubmit=${go}>
      ${what === "character" ? html`<label>Name<input required pattern="[A-Za-z][A-Za-z0-9_\\-]*" value=${name} placeholder="Bo" onInput=${(e) => setName(e.target.value)} /></label><p class="hint">The first frame shows what the name means. Say the name in prompts.</p>`
        : html`<${Prompt} label="What the new video shows" rows=${2} value=${text} set=${setText} />`}
      ${what === "remix" && html`<${Chips} name="act-strength" label="How much anew" value=${strength} set=${setStrength} options=${[["subtle", "subtle"], ["mild", "mild"], ["strong", "strong"]]} />`}
      ${what === "extend" && html`<${Chips} name="act-seconds" label="By" value=${seconds} set=${setSeconds} options=${[[2, "2 s"], [4, "4 s"], [8, "8 s"]]} /><label class="check"><input type="checkbox" checked=${before} onChange=${(e) => setBefore(e.target.checked)} />what came before it</label>`}
      ${what === "loop" && html`<${Chips} name="act-length" label="Way back" value=${length} set=${setLength} options=${[["short", "short"], ["normal", "normal"], ["long", "long"]]} />`}
      ${(what === "recut" || what === "fill") && html`<div class="row"><label>${what === "recut" ? "Keep from" : "Make anew from"}<input type="number" min="0" step="0.125" max=${video.seconds} value=${start} onInput=${(e) => setStart(e.target.value)} /></label><label>to second<input type="number" min="0.125" step="0.125" max=${video.seconds} value=${end} onInput=${(e) => setEnd(e.target.value)} /></label>
        ${what === "recut" && html`<label>then go on for<input type="number" min="0" step="0.5" max="60" value=${more} onInput=${(e) => setMore(e.target.value)} /></label>`}</div>`}
      <button class="primary">${what === "character" ? "Store" : "Generate"}</button></form>`}</div>`;
}

const nearest = (options, wanted) => options.reduce((best, one) => (Math.abs(one - wanted) < Math.abs(best - wanted) ? one : best));

export function reuse(video) {
  const r = video.reelworld.request;
  store.change(store.draft, { prompt: video.prompt, shape: shapeOf(video), seconds: nearest([2, 4, 8, 12], +video.seconds), strength: r.strength ?? "mild", seed: video.reelworld.seed ?? "", steps: r.num_inference_steps ?? 20, guidance: r.guidance_scale ?? 3 });
  store.open.value = null;
  store.view.value = "create";
  store.toast("Its settings are in the composer.");
}

export function Details() {
  const video = store.videos.value.get(store.open.value);
  if (!video) return null;
  const ours = video.reelworld;
  const told = ([name, value]) => [name.replaceAll("_", " "), Array.isArray(value) ? value.map((part) => [part].flat().join(":")).join(", ") : String(value)];
  const asked = Object.entries(ours.request).filter(([name]) => !["board", "character_ids", "size"].includes(name)).map(told);
  const facts = [["operation", ours.operation], ["model", ours.model], ["seed", ours.seed], ["size", video.size], ["length", `${video.seconds} s`], ["frames", ours.num_frames && `${ours.num_frames} at ${ours.fps} fps`],
    ...asked, ["characters", ours.characters.join(", ") || null], ["kept until", video.expires_at && new Date(1000 * video.expires_at).toLocaleString()], ["id", video.id]].filter(([, v]) => v !== undefined && v !== null);
  return html`<${Dialog} label=${`Video: ${video.prompt}`} wide close=${() => { store.open.value = null; }}>
    <div class="details"><${Seen} video=${video} />
    <div><h2>${video.prompt}</h2>${ours.expanded_prompt && html`<p class="hint">Told in full: ${ours.expanded_prompt}</p>`}${video.status === "completed" ? html`<${Act} video=${video} />` : html`<div class="row">${!store.busy(video) && html`<${Again} video=${video} />`}<button type="button" class="plain danger" onClick=${() => remove(video.id)}>Delete</button></div>`}
      <dl>${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
      ${ours.done.length > 0 && html`<details><summary>How it was made</summary><ul>${[...ours.done, ...ours.notes].map((text) => html`<li key=${text}>${text}</li>`)}</ul></details>`}
      <${Copies} video=${video} /><${Lineage} video=${video} /></div></div></${Dialog}>`;
}

export function Compare() {
  const [a, b] = store.compared.value.map((id) => store.videos.value.get(id));
  const box = useRef(null), [text, setText] = useState("");
  if (!a || !b) return null;
  const together = () => { for (const film of box.current.querySelectorAll("video")) { film.currentTime = 0; film.play(); } };
  const blend = async () => { if (await simple("/v1/videos/blends", { prompt: text || `${a.prompt} ${b.prompt}`.slice(0, 500), first: a.id, second: b.id, size: a.size })) { store.toast("Queued."); store.compared.value = []; } };
  return html`<${Dialog} label="Compare two videos" wide close=${() => { store.compared.value = []; }}>
    <div ref=${box}><div class="pair">${[a, b].map((v) => html`<figure key=${v.id}><${Player} id=${v.id} label=${v.prompt} /><figcaption>${v.prompt}<br /><small>seed ${v.reelworld.seed}, ${v.reelworld.operation}</small></figcaption></figure>`)}</div>
    <div class="row"><button type="button" class="plain" onClick=${together}>Play together</button><input aria-label="Text of the blend" placeholder="What the blend shows" value=${text} onInput=${(e) => setText(e.target.value)} /><button type="button" class="plain" onClick=${blend}>Blend first into second</button></div></div></${Dialog}>`;
}
