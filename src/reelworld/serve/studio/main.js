// The studio: views, keys, and what is always there.
import { render } from "./vendor/preact.mjs";
import { useState } from "./vendor/hooks.mjs";
import "./vendor/signals.mjs";
import { html } from "./html.js";
import * as store from "./store.js";
import { Composer } from "./create.js";
import { Gallery } from "./gallery.js";
import { Compare, Details, Dialog, Toasts } from "./details.js";
import { Board } from "./storyboard.js";
import { generate, remove, start } from "./work.js";

const KEYS = [["Space", "play or pause"], ["J  K  L", "back, pause, forward"], [", .", "one frame back, forward"], ["Ctrl Enter", "generate"], ["Del", "delete the open video"], ["← →", "move a card of the storyboard"], ["?", "this help"], ["Esc", "close"]];

function Header() {
  const view = (name, label) => html`<button type="button" aria-current=${store.view.value === name ? "page" : undefined} onClick=${() => { store.view.value = name; }}>${label}</button>`;
  return html`<header><a class="brand" href="/" aria-label="ReelWorld Studio"><img src="/studio/icon.svg" alt="" width="28" height="28" />ReelWorld</a>
    <nav aria-label="Views">${view("create", "Create")}${view("board", "Storyboard")}</nav>
    <div class="tools"><button type="button" class="plain" aria-label=${`Switch to the ${store.theme.value === "dark" ? "light" : "dark"} theme`} onClick=${() => { store.theme.value = store.theme.value === "dark" ? "light" : "dark"; }}>${store.theme.value === "dark" ? "☀" : "☾"}</button>
    <button type="button" class="plain" aria-label="Keys" onClick=${() => { store.help.value = true; }}>?</button></div></header>`;
}

function AskKey() {
  const [text, setText] = useState("");
  return html`<${Dialog} label="API key" close=${() => { store.needsKey.value = ""; }}><form class="panel" onSubmit=${(e) => { e.preventDefault(); store.key.value = text.trim(); store.needsKey.value = ""; start(); }}>
    <h2>This server needs a key</h2>${store.needsKey.value === "refused" && html`<p class="failed" role="alert">It does not take the key that was given.</p>`}<p class="hint">Whoever runs it makes one with <code>reel key NAME</code>. It stays in this tab.</p>
    <label>Key<input type="password" autocomplete="off" required value=${text} onInput=${(e) => setText(e.target.value)} /></label><button class="primary">Enter</button></form></${Dialog}>`;
}

function Studio() {
  return html`<${Header} />
    ${store.offline.value && html`<p class="offline" role="alert">${store.offline.value}</p>`}
    <main aria-label=${store.view.value === "board" ? "Storyboard" : "Create"}>${store.view.value === "board" ? html`<${Board} />` : html`<h1 class="hidden">Create videos from text</h1><${Composer} /><${Gallery} />`}</main>
    ${store.open.value && html`<${Details} />`}${store.compared.value.length === 2 && html`<${Compare} />`}${store.needsKey.value && html`<${AskKey} />`}
    ${store.help.value && html`<${Dialog} label="Keys" close=${() => { store.help.value = false; }}><h2>Keys</h2><dl class="keys">${KEYS.map(([key, text]) => html`<div key=${key}><dt><kbd>${key}</kbd></dt><dd>${text}</dd></div>`)}</dl></${Dialog}>`}
    <${Toasts} />`;
}

// Keys for players, where nobody types.
function keys(e) {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  if (e.target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select")) return;
  if (e.key === "?") { store.help.value = true; return; }
  if (e.key === "Delete" && store.open.value) { remove(store.open.value); return; }
  const films = [...document.querySelectorAll("dialog[open] video.player")];
  if (!films.length) return;
  const each = { " ": (f) => (f.paused ? f.play() : f.pause()), k: (f) => f.pause(), j: (f) => { f.currentTime -= 0.5; }, l: (f) => { f.playbackRate = f.paused ? 1 : Math.min(4, f.playbackRate * 2); f.play(); },
    ",": (f) => { f.pause(); f.currentTime -= 1 / 8; }, ".": (f) => { f.pause(); f.currentTime += 1 / 8; } }[e.key.toLowerCase()];
  if (each && !(e.key === " " && e.target.closest("button, summary, a, input"))) { e.preventDefault(); films.forEach(each); }
}

// What Ctrl+Enter sends: the form in which one is, or what the view is there for.
function send(e) {
  if (e.key !== "Enter" || !(e.ctrlKey || e.metaKey) || e.repeat || e.defaultPrevented) return;
  const form = e.target.closest("form");
  if (form) { e.preventDefault(); form.requestSubmit(); }
  else if (e.target.closest("dialog")) return;
  else if (store.view.value === "board") document.querySelector(".board > .primary:not(:disabled)")?.click();
  else generate();
}

document.addEventListener("keydown", keys);
document.addEventListener("keydown", send);
render(html`<${Studio} />`, document.getElementById("studio"));
start();
