// Live tail: polls for new events every two seconds while it is on and the page is visible.

import { byId } from "./dom.js";

const SECONDS = 2;
const MOST_SECONDS = 30;

/** `poll()` fetches new events. After failures the interval doubles, up to 30 s, and the button says that it failed. */
export function liveTail(poll) {
  const button = byId("live");
  const label = byId("live-label");
  let timer = null;
  let wait = SECONDS;

  async function tick() {
    const own = timer;
    let failed = false;
    try {
      if (!document.hidden) await poll();
      wait = SECONDS;
    } catch {
      wait = Math.min(MOST_SECONDS, 2 * wait); // poll() has reported it
      failed = true;
    }
    if (timer !== own) return;
    timer = setTimeout(tick, 1000 * wait);
    show(failed);
  }

  function show(failed) {
    button.classList.toggle("failed", failed);
    label.textContent = failed ? "Live: no answer" : "Live";
  }

  function toggle() {
    const isOn = timer === null;
    clearTimeout(timer);
    wait = SECONDS;
    timer = isOn ? setTimeout(tick, 0) : null;
    button.setAttribute("aria-pressed", String(isOn));
    byId("live-note").hidden = !isOn;
    show(false);
  }

  button.addEventListener("click", toggle);
  return {
    toggle,
    get isOn() {
      return timer !== null;
    },
  };
}
