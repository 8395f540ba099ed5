// Live tail: polls for new events every two seconds while it is on and the page is visible.

import { byId } from "./dom.js";

const SECONDS = 2;
const MOST_SECONDS = 30;

/** `poll()` fetches new events. After failures the interval doubles, up to 30 s. */
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
      wait = Math.min(MOST_SECONDS, 2 * wait); // poll() has reported it
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
  return {
    toggle,
    get isOn() {
      return timer !== null;
    },
  };
}
