// Live tail: asks for the newest events every other second while it is on and the page is seen.

import { byId } from "./dom.js";

const SECONDS = 2;
const MOST_SECONDS = 30;

/** `poll()` fetches what is new; when it fails the next try comes later, up to half a minute. */
export function liveTail(poll) {
  const button = byId("live");
  let timer = null;
  let wait = SECONDS;

  async function tick() {
    const own = timer;
    try {
      if (!document.hidden) await poll();
      wait = SECONDS;
    } catch {
      wait = Math.min(MOST_SECONDS, 2 * wait); // poll has told why
    }
    if (timer === own) timer = setTimeout(tick, 1000 * wait);
  }

  function toggle() {
    const isOn = timer === null;
    clearTimeout(timer);
    timer = isOn ? setTimeout(tick, 0) : null;
    button.setAttribute("aria-pressed", String(isOn));
  }

  button.addEventListener("click", toggle);
  return { toggle, get isOn() { return timer !== null; } };
}
