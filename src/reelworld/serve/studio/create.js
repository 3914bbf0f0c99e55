// The composer: what should be seen, in which shape, for how long.
import { useEffect, useRef, useState } from "./vendor/hooks.mjs";
import { html } from "./html.js";
import * as store from "./store.js";
import { expansion, generate, unknownWords } from "./work.js";

export function Chips({ name, label, options, value, set }) {
  return html`<fieldset class="chips"><legend>${label}</legend>
    ${options.map(([option, text]) => html`<label key=${option}>
      <input type="radio" name=${name} checked=${value === option} onChange=${() => set(option)} /><span>${text}</span>
    </label>`)}
  </fieldset>`;
}

// Put a word in the place of another, where that stands by itself.
function exchanged(text, word, by) {
  const exact = word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return text.replace(new RegExp(`(?<![\\p{L}\\p{N}])${exact}(?![\\p{L}\\p{N}])`, "iu"), () => by);
}

// Split text into pieces, marking the words that the model never learnt.
export function marked(text, unknown) {
  const strange = new Set(unknown.map((u) => u.word));
  return text.split(/([\p{L}\p{N}_]+)/u).map((piece) => strange.has(piece.toLowerCase()) ? html`<mark>${piece}</mark>` : piece);
}

// A text area over its own text, in which unknown words are underlined as one types.
export function Prompt({ value, set, label, rows = 3, placeholder = "", autofocus = false, model = "auto" }) {
  const [unknown, setUnknown] = useState([]);
  const shade = useRef(null);
  useEffect(() => {
    let there = true;
    const timer = setTimeout(async () => {
      const names = new Set(store.characters.value.map((c) => c.name.toLowerCase()));
      const found = await unknownWords(value, model).catch(() => []);
      if (there) setUnknown(found.filter((u) => /[\p{L}\p{N}]/u.test(u.word) && !names.has(u.word)));
    }, 350);
    return () => { there = false; clearTimeout(timer); };
  }, [value, model, store.models.value.length, store.characters.value.length]);
  return html`<div class="prompt">
    <div class="field">
      <div class="shade" aria-hidden="true" ref=${shade}>${marked(value, unknown)}${"\n"}</div>
      <textarea rows=${rows} aria-label=${label} value=${value} placeholder=${placeholder} maxlength="8000" autofocus=${autofocus}
        onInput=${(e) => set(e.target.value)} onScroll=${(e) => { shade.current.scrollTop = e.target.scrollTop; }}></textarea>
    </div>
    <p class="hint" role="status">${unknown.length > 0 && html`The model never learnt ${unknown.slice(0, 4).map((u, n) => html`${n ? ", " : ""}<b>${u.word}</b>${
      u.nearest.length ? html` (try ${u.nearest.slice(0, 2).map((w, m) => html`${m ? " or " : ""}<button type="button" class="link" onClick=${() => set(exchanged(value, u.word, w))}>${w}</button>`)})` : ""}`)}.`}</p>
  </div>`;
}

function take(file) {
  if (!file) return;
  const kind = file.type.startsWith("image/") ? "image" : file.type.startsWith("video/") ? "video" : "";
  if (!kind) return store.toast(`${file.name} is neither an image nor a video.`, "error");
  if (store.given.value?.url) URL.revokeObjectURL(store.given.value.url);
  store.given.value = { name: file.name, file, kind, url: URL.createObjectURL(file) };
  store.action.value = kind === "image" ? "animate" : "extend";
}

function Given() {
  const given = store.given.value;
  const input = useRef(null);
  if (!given) {
    return html`<button type="button" class="drop" onClick=${() => input.current.click()}>
      <span aria-hidden="true">+</span> Image or video to begin from
      <input ref=${input} type="file" accept="image/*,video/*" hidden onChange=${(e) => { take(e.target.files[0]); e.target.value = ""; }} />
    </button>`;
  }
  const actions = given.kind === "image" ? [["animate", "Animate it"], ["remix", "Remix it"]] : [["extend", "Go on with it"], ["remix", "Remix it"], ["animate", "Begin with its first frame"]];
  return html`<div class="given">
    ${given.url && (given.kind === "image" ? html`<img src=${given.url} alt="" />` : html`<video src=${given.url} muted loop autoplay playsinline></video>`)}
    <div><b>${given.name}</b>
      <${Chips} name="action" label="What to do" options=${actions} value=${store.action.value} set=${(v) => { store.action.value = v; }} />
    </div>
    <button type="button" class="plain" aria-label="Take ${given.name} out" onClick=${() => { store.given.value = null; }}>✕</button>
  </div>`;
}

export function Composer() {
  const draft = store.draft.value, set = (values) => store.change(store.draft, values);
  const [over, setOver] = useState(false), sending = store.sending.value;
  const send = (e) => { e.preventDefault(); generate(); };
  const tell = async () => {
    const seed = draft.seed === "" ? Math.floor(Math.random() * 1e6) : draft.seed;
    const text = await expansion(draft.prompt.trim(), seed, store.modelOf(draft)).catch((error) => { store.toast(error.message, "error"); });
    if (text) set({ prompt: text });
  };
  const remixing = store.given.value && store.action.value === "remix";
  return html`<form class=${`composer ${over ? "over" : ""}`} aria-label="Create a video" onSubmit=${send}
      onDragOver=${(e) => { e.preventDefault(); setOver(true); }} onDragLeave=${() => setOver(false)}
      onDrop=${(e) => { e.preventDefault(); setOver(false); take(e.dataTransfer.files[0]); }}>
    <${Prompt} label="What the video shows" value=${draft.prompt} set=${(prompt) => set({ prompt })} autofocus model=${store.modelOf(draft)}
      placeholder="A large red ball rolls to the left across a meadow. The camera pans right." />
    <${Given} />
    <div class="row">
      <${Chips} name="shape" label="Shape" value=${draft.shape} set=${(shape) => set({ shape })}
        options=${[["square", "1:1"], ["wide", "16:9"], ["tall", "9:16"], ["classic", "4:3"]]} />
      ${remixing
        ? html`<${Chips} name="strength" label="How much anew" value=${draft.strength} set=${(strength) => set({ strength })} options=${[["subtle", "subtle"], ["mild", "mild"], ["strong", "strong"]]} />`
        : html`<${Chips} name="seconds" label="Length" value=${draft.seconds} set=${(seconds) => set({ seconds })} options=${[[2, "2 s"], [4, "4 s"], [8, "8 s"], [12, "12 s"]]} />`}
      ${!store.given.value && html`<${Chips} name="count" label="Variations" value=${draft.count} set=${(count) => set({ count })} options=${[[1, "1"], [2, "2"], [4, "4"]]} />`}
      <button type="button" class="plain" disabled=${!draft.prompt.trim()} onClick=${tell} title="Write the prompt out as the model learnt captions: what it leaves open is drawn">Tell it in full</button>
      <button class="primary" disabled=${sending || !draft.prompt.trim()}>${sending ? "Sending…" : "Generate"}<kbd>Ctrl ↵</kbd></button>
    </div>
    <details class="more"><summary>More</summary>
      <div class="row">
        ${store.models.value.length > 1 && html`<${Chips} name="model" label="Model" value=${store.modelOf(draft)} set=${(model) => set({ model })}
          options=${[["auto", "whichever knows the words"], ...store.models.value.map((one) => [one.id, one.id])]} />`}
        <label>Seed<input type="number" min="0" step="1" placeholder="any" value=${draft.seed} onInput=${(e) => set({ seed: e.target.value })} /></label>
        <label>Steps <output>${draft.steps}</output><input type="range" min="4" max="60" value=${draft.steps} onInput=${(e) => set({ steps: +e.target.value })} /></label>
        <label>Guidance <output>${draft.guidance}</output><input type="range" min="1" max="8" step="0.5" value=${draft.guidance} onInput=${(e) => set({ guidance: +e.target.value })} /></label>
        <button type="button" class="plain" onClick=${() => set({ ...store.empty, prompt: draft.prompt })}>Reset</button>
      </div>
    </details>
  </form>`;
}
