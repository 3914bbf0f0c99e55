// The storyboard: cards on a timeline, moved by dragging or by keys; spacing is timing, and decides about cuts.
import { useRef, useState } from "./vendor/hooks.mjs";
import { html } from "./html.js";
import * as store from "./store.js";
import { Chips, Prompt } from "./create.js";
import { content, useFile } from "./gallery.js";
import { addCharacter, cast, forgetCharacter, simple } from "./work.js";

const STEP = 0.125, MOST = 60; // seconds: a frame at 8 fps, and a whole board

const round = (time) => Math.round(time / STEP) * STEP;

// Whether a card begins with a cut: as it says, or where it is closer to the one before than a window.
export function cuts(cards, n) {
  if (n === 0) return true;
  return cards[n].cut ?? cards[n].time - cards[n - 1].time < store.windowSeconds.value;
}

function save(cards) { store.change(store.board, { cards: [...cards].sort((a, b) => a.time - b.time) }); }

function edit(n, values) {
  const cards = store.board.value.cards.map((card, m) => (m === n ? { ...card, ...values } : card));
  save(cards);
}

function move(n, time) {
  const { cards, duration } = store.board.value;
  if (n === 0) return;
  const low = cards[n - 1].time + STEP, high = (cards[n + 1]?.time ?? duration) - STEP;
  edit(n, { time: Math.min(high, Math.max(low, round(time))) });
}

function add() {
  const { cards, duration } = store.board.value, last = cards[cards.length - 1], WINDOW = store.windowSeconds.value;
  const time = round(Math.max(last.time + STEP, duration - WINDOW > last.time ? duration - WINDOW : duration));
  if (time > MOST - STEP) return store.toast(`A storyboard is ${MOST} s long at most.`, "error");
  store.change(store.board, { cards: [...cards, { time, text: "", cut: null }], duration: Math.min(MOST, Math.max(duration, time + WINDOW)) });
}

const SIDE = 512; // pixels of the longer side of a card's picture: it is kept with the board, and sent with it

// A picture as a data URL, small enough to keep. Raises where the file is none.
async function shrunk(file) {
  const picture = await createImageBitmap(file), scale = Math.min(1, SIDE / Math.max(picture.width, picture.height));
  const canvas = Object.assign(document.createElement("canvas"), { width: Math.round(scale * picture.width), height: Math.round(scale * picture.height) });
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/png");
}

const MOST_BYTES = 8 << 20; // of the films of a board: they are sent with it, a third larger as text

// A file as a data URL. Raises where it cannot be read.
function asUrl(file) {
  return new Promise((resolve, reject) => {
    const reader = Object.assign(new FileReader(), { onload: () => resolve(reader.result), onerror: reject });
    reader.readAsDataURL(file);
  });
}

const fromFile = (card) => card.video?.startsWith("data:");

async function takeFilm(n, file) {
  const others = store.board.value.cards.reduce((sum, card, m) => sum + (m !== n && fromFile(card) ? 0.75 * card.video.length : 0), 0);
  if (file.size + others > MOST_BYTES) return store.toast(`${file.name} is too large: the films of a board have ${MOST_BYTES >> 20} MB together. Cut it, or make it smaller.`, "error");
  edit(n, { video: await asUrl(file), image: undefined, name: file.name });
}

async function take(n, file) {
  if (!file) return;
  try { await (file.type.startsWith("video/") ? takeFilm(n, file) : edit(n, { image: await shrunk(file), video: undefined, name: undefined })); }
  catch { store.toast(`${file.name} is no picture or film that this browser reads.`, "error"); }
}

function Picture({ n, card }) {
  const input = useRef(null), given = card.image || fromFile(card);
  return html`<button type="button" class="plain" onClick=${() => input.current.click()}>${given ? "Another file" : "A picture or film from a file"}
      <input ref=${input} type="file" accept="image/*,video/*" hidden aria-label="Picture or film of the card" onChange=${(e) => { take(n, e.target.files[0]); e.target.value = ""; }} /></button>
    ${card.image && html`<img class="small" src=${card.image} alt="What the card shows" />`}${fromFile(card) && html`<span>${card.name}</span>`}
    ${given && html`<button type="button" class="plain" onClick=${() => edit(n, { image: undefined, video: undefined, name: undefined })}>Without it</button>`}`;
}

function Still({ id }) {
  const url = useFile(content(id, "thumbnail"));
  return url ? html`<img src=${url} alt="" />` : null;
}

function Marker({ n, chosen, choose }) {
  const track = useRef(null), { cards, duration } = store.board.value, card = cards[n];
  const end = cards[n + 1]?.time ?? duration;
  const drag = (e) => {
    if (n === 0 || e.button) return;
    const width = track.current.parentElement.clientWidth, from = e.clientX, time = card.time, target = e.currentTarget;
    target.setPointerCapture(e.pointerId);
    const at = (f) => move(n, time + ((f.clientX - from) / width) * duration);
    const stop = () => { target.removeEventListener("pointermove", at); target.removeEventListener("pointerup", stop); };
    target.addEventListener("pointermove", at);
    target.addEventListener("pointerup", stop);
  };
  const keys = (e) => {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
    if (way) { e.preventDefault(); move(n, card.time + way * STEP * (e.shiftKey ? 4 : 1)); }
  };
  return html`<button type="button" ref=${track} class=${`marker ${chosen ? "chosen" : ""} ${cuts(cards, n) ? "cut" : "goes-on"}`} style=${{ left: `${(100 * card.time) / duration}%`, width: `${(100 * (end - card.time)) / duration}%` }}
    aria-label=${`Card ${n + 1} at ${card.time} seconds, ${cuts(cards, n) ? "a cut" : "goes on"}: ${card.text || "empty"}`} aria-pressed=${chosen} onClick=${choose} onPointerDown=${drag} onKeyDown=${keys}>
    ${card.image ? html`<img src=${card.image} alt="" />` : card.video && !fromFile(card) && html`<${Still} id=${card.video} />`}<span>${n + 1} · ${card.text || card.name || "empty"}</span></button>`;
}

const added = (name, setName, input) => async (e) => {
  e.preventDefault();
  await addCharacter(name, { file: input.current.files[0] });
  setName("");
  e.target.reset();
};

function Shelf({ insert }) {
  const all = store.characters.value, [name, setName] = useState(""), input = useRef(null);
  return html`<section class="shelf" aria-label="Characters"><h3>Characters</h3>
    ${all.length ? html`<ul>${all.map((c) => html`<li key=${c.id}><button type="button" class="plain" title="Put the name into the card" onClick=${() => insert(c.name)}>${c.name}</button><button type="button" class="plain" aria-label=${`Forget ${c.name}`} onClick=${() => forgetCharacter(c)}>✕</button></li>`)}</ul>`
      : !store.playable.value ? html`<p class="hint">This model was trained without characters; say in each card how they look.</p>`
      : html`<p class="hint">None yet. Open a video of somebody and choose “Character”: the name then stands for these looks in every card.</p>`}
    ${store.playable.value && html`<form class="row" onSubmit=${added(name, setName, input)}><label>Name<input required pattern="[A-Za-z][A-Za-z0-9_\\-]*" placeholder="Bo" value=${name} onInput=${(e) => setName(e.target.value)} /></label>
      <label>Picture or video<input type="file" required accept="image/*,video/*" ref=${input} /></label><button class="plain">Add</button></form>`}</section>`;
}

export function Board() {
  const [n, choose] = useState(0), { cards, duration } = store.board.value, chosen = Math.min(n, cards.length - 1), card = cards[chosen];
  const films = store.order.value.filter((v) => v.status === "completed").slice(0, 24);
  const ready = cards.every((c) => c.text.trim() || c.image || c.video), board = store.board.value;
  const render = async () => {
    const asked = cards.map(({ time, text, cut, image, video }) => ({ time, text, ...(cut === null ? {} : { cut }), ...(image ? { image } : video ? { video } : {}) }));
    const all = cards.map((c) => c.text).join(" ");
    const players = cast(all);
    if (await simple("/v1/videos/storyboards", { cards: asked, duration, seed: +board.seed || 0, size: store.SHAPES[board.shape] || store.SHAPES.square, num_inference_steps: +board.steps || 20, ...(players.length ? { characters: players } : {}) })) {
      store.toast("The storyboard is queued; what did not change is not made again.");
      store.view.value = "create";
    }
  };
  const ticks = Array.from({ length: Math.floor(duration) + 1 }, (_, t) => t);
  return html`<section class="board" aria-label="Storyboard">
    <div class="line"><h2>Storyboard</h2><label>Length in seconds<input type="number" min=${cards[cards.length - 1].time + STEP} max="60" step="0.5" value=${duration} onInput=${(e) => { const d = +e.target.value; if (d > cards[cards.length - 1].time) store.change(store.board, { duration: Math.min(60, d) }); }} /></label></div>
    <p class="hint">Drag a card, or move it with the arrow keys. Closer than ${store.windowSeconds.value} s to the one before it begins with a cut; further away it goes on.</p>
    <div class="timeline"><div class="ticks" aria-hidden="true">${ticks.map((t) => html`<i key=${t} style=${{ left: `${(100 * t) / duration}%` }}>${t}s</i>`)}</div>
      <div class="track">${cards.map((c, m) => html`<${Marker} key=${m} n=${m} chosen=${m === chosen} choose=${() => choose(m)} />`)}</div></div>
    <div class="row"><button type="button" class="plain" onClick=${() => { add(); choose(cards.length); }}>Add a card</button>
      <button type="button" class="plain" disabled=${cards.length < 2 || chosen === 0} onClick=${() => { save(cards.filter((_, m) => m !== chosen)); choose(chosen - 1); }}>Remove this card</button></div>
    <div class="card-editor" role="group" aria-label=${`Card ${chosen + 1}`}><h3>Card ${chosen + 1} <small>${card.time} s – ${cards[chosen + 1]?.time ?? duration} s</small></h3>
      <${Prompt} key=${chosen} label=${`What card ${chosen + 1} shows`} value=${card.text} set=${(text) => edit(chosen, { text })} placeholder="Bo rolls to the right in a meadow." />
      <div class="row">${chosen > 0 && html`<${Chips} name="cut" label="Begins" value=${card.cut} set=${(cut) => edit(chosen, { cut })} options=${[[null, "by spacing"], [true, "with a cut"], [false, "going on"]]} />`}
        <label>Shows<select value=${fromFile(card) ? "" : card.video || ""} onChange=${(e) => edit(chosen, { video: e.target.value || undefined, image: undefined, name: undefined })}><option value="">text alone</option>${films.map((v) => html`<option key=${v.id} value=${v.id}>${v.prompt.slice(0, 60)}</option>`)}</select></label><${Picture} n=${chosen} card=${card} /></div></div>
    <${Shelf} insert=${(name) => edit(chosen, { text: `${card.text}${card.text && !card.text.endsWith(" ") ? " " : ""}${name} ` })} />
    <div class="row"><${Chips} name="board-shape" label="Shape" value=${board.shape || "square"} set=${(shape) => store.change(store.board, { shape })} options=${[["square", "1:1"], ["wide", "16:9"], ["tall", "9:16"], ["classic", "4:3"]]} />
      <label>Seed<input type="number" min="0" step="1" placeholder="0" value=${board.seed ?? ""} onInput=${(e) => store.change(store.board, { seed: e.target.value })} /></label>
      <label>Steps <output>${board.steps || 20}</output><input type="range" min="4" max="60" value=${board.steps || 20} onInput=${(e) => store.change(store.board, { steps: +e.target.value })} /></label></div>
    <button type="button" class="primary" disabled=${!ready} onClick=${render}>Render</button>${!ready && html`<p class="hint">Every card needs a text, a picture or a video.</p>`}
  </section>`;
}
