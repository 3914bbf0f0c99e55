// Markup in tagged templates: no build step, and no text is ever read as HTML.
import { h } from "./vendor/preact.mjs";
import htm from "./vendor/htm.mjs";

export const html = htm.bind(h);
