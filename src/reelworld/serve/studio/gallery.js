// The gallery: what is made and what is being made; hover plays, a click opens.
import { useEffect, useRef, useState } from "./vendor/hooks.mjs";
import { html } from "./html.js";
import * as store from "./store.js";
import { cancel, file, older, remove } from "./work.js";

export const content = (id, variant = "video") => `/v1/videos/${id}/content?variant=${variant}`;

// The object URL of a file of a video; null until it is there, and false where it cannot be had.
export function useFile(path) {
  const [url, setUrl] = useState(null);
  useEffect(() => {
    let there = true;
    setUrl(null);
    if (path) file(path).then((found) => there && setUrl(found)).catch(() => there && setUrl(false));
    return () => { there = false; };
  }, [path]);
  return url;
}

export function ago(seconds) {
  const past = Math.max(0, Date.now() / 1000 - seconds);
  if (past < 60) return "just now";
  if (past < 3600) return `${Math.floor(past / 60)} min ago`;
  if (past < 86400) return `${Math.floor(past / 3600)} h ago`;
  return new Date(seconds * 1000).toLocaleDateString();
}

export function Working({ video }) {
  const preview = store.previews.value[video.id], seconds = store.left(video);
  const told = video.status === "queued" ? "waiting for its turn" : seconds ? `about ${seconds} s left` : "from noise to picture…";
  return html`<div class="working">
    ${preview ? html`<img src=${preview} alt="What can be seen so far" />` : html`<div class="noise" aria-hidden="true"></div>`}
    <div class="bar" role="progressbar" aria-label="Progress" aria-valuemin="0" aria-valuemax="100" aria-valuenow=${video.progress}><i style=${{ width: `${video.progress}%` }}></i></div>
    <div class="line"><span>${video.progress}% · ${told}</span><button type="button" class="link" onClick=${(e) => { e.stopPropagation(); cancel(video.id); }}>Cancel</button></div>
  </div>`;
}

function Film({ video, show }) {
  const [playing, setPlaying] = useState(false);
  const poster = useFile(content(video.id, "thumbnail")), url = useFile(playing ? content(video.id) : null);
  const play = () => setPlaying(true), rest = () => setPlaying(false);
  return html`<button type="button" class="open" aria-label="Open: ${video.prompt}" onClick=${show} onMouseEnter=${play} onMouseLeave=${rest} onFocus=${play} onBlur=${rest}><div class="film">
    ${playing && url ? html`<video src=${url} poster=${poster || undefined} muted loop autoplay playsinline></video>`
      : poster ? html`<img src=${poster} alt="" />` : html`<div class="noise still" aria-hidden="true"></div>`}
    <span class="badge">${video.seconds} s</span>
  </div></button>`;
}

export function Tile({ video }) {
  const chosen = store.compared.value.includes(video.id);
  const show = () => { store.open.value = video.id; };
  const compare = () => { store.compared.value = chosen ? store.compared.value.filter((id) => id !== video.id) : [...store.compared.value, video.id].slice(-2); };
  return html`<li class=${`tile ${video.status}`}>
    ${video.status === "completed" ? html`<${Film} video=${video} show=${show} />`
      : store.busy(video) ? html`<${Working} video=${video} />`
      : html`<div class="failed"><b>${video.error?.code === "cancelled" ? "Cancelled" : "Not made"}</b><p>${video.error?.code === "cancelled" ? "" : video.error?.message}</p>
          <div class="row"><button type="button" class="plain" onClick=${show}>Details</button><button type="button" class="plain" onClick=${() => remove(video.id)}>Remove</button></div></div>`}
    <div class="about"><p title=${video.prompt}>${video.prompt}</p>
      <div class="line"><small>${video.reelworld.operation} · ${ago(video.created_at)}</small>
        ${store.busy(video) && html`<button type="button" class="link" onClick=${show}>Details</button>`}${video.status === "completed" && html`<label class="pick"><input type="checkbox" checked=${chosen} onChange=${compare} />compare</label>`}</div></div>
  </li>`;
}

export function Gallery() {
  const end = useRef(null), list = store.order.value;
  useEffect(() => {
    const watch = new IntersectionObserver(([seen]) => { if (seen.isIntersecting && store.more.value && list.length) older(); });
    if (end.current) watch.observe(end.current);
    return () => watch.disconnect();
  }, [list.length]);
  if (!store.loaded.value && store.locked.value) return html`<section class="nothing"><h2>This server needs a key</h2><button type="button" class="primary" onClick=${() => { store.needsKey.value = "missing"; }}>Enter a key</button></section>`;
  if (!store.loaded.value) return html`<ul class="gallery" aria-busy="true" aria-label="Videos are loading">${[1, 2, 3, 4].map((n) => html`<li class="tile" key=${n}><div class="noise still"></div></li>`)}</ul>`;
  if (!list.length) {
    return html`<section class="nothing"><h2>Nothing here yet</h2><p>Describe a scene above. A good first one:</p>
      ${["A large red ball bounces in a meadow.", "A small blue cube slides to the left in a studio. The camera pans right.", "A tall person in a white suit and a red hat walks slowly to the right. The camera pans right. The scene is a desert at sunset."].map((text) => html`<button type="button" class="example" key=${text} onClick=${() => store.change(store.draft, { prompt: text })}>${text}</button>`)}</section>`;
  }
  const working = list.filter(store.busy).length;
  return html`<section aria-label="Gallery">
    <h2 class="count" aria-live="polite">${working ? `${working} in the making` : `${list.length}${store.more.value ? "+" : ""} ${list.length === 1 ? "video" : "videos"}`}</h2>
    <ul class="gallery">${list.map((video) => html`<${Tile} key=${video.id} video=${video} />`)}</ul>
    <div ref=${end}></div></section>`;
}
