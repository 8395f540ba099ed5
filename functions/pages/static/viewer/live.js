// Live tail: polls for new events every two seconds while it is on and the page is visible.

import { byId } from "./dom.js";
import { say } from "./language.js";

const SECONDS = 2;
const MOST_SECONDS = 30;

/**
 * `poll()` fetches new events; `onToggle()` is called when the user starts or ends the tail. After failures the
 * interval doubles, up to 30 s, and the button says that it failed.
 */
export function liveTail(poll, onToggle) {
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
    label.textContent = say(failed ? "live.failed" : "live.label");
  }

  function toggle() {
    const isOn = timer === null;
    clearTimeout(timer);
    wait = SECONDS;
    timer = isOn ? setTimeout(tick, 0) : null;
    onToggle();
    button.setAttribute("aria-pressed", String(isOn));
    byId("live-note").hidden = !isOn;
    show(false);
  }

  function wake() {
    if (document.hidden || timer === null) return;
    clearTimeout(timer);
    timer = setTimeout(tick, 0);
  }

  button.addEventListener("click", toggle);
  document.addEventListener("visibilitychange", wake);
  return {
    toggle,
    get isOn() {
      return timer !== null;
    },
  };
}
