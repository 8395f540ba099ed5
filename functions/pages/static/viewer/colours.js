// Theme and colours that the page around this one asks for in the address. A colour is used only if texts in it, or on
// it, have the contrast of WCAG 2.2 (1.4.3).

const HEX = /^#[0-9a-f]{6}$/iu;
const CONTRAST = 4.5;
const CARDS = { light: "#ffffff", dark: "#161b22" };
const MUTED = { light: "#5c6675", dark: "#98a2b3" };
const INK = { light: "#ffffff", dark: "#10131a" };

/** Set the colours for a `theme` of "light" or "dark". */
export function applyColours(theme) {
  const asked = new URLSearchParams(location.search);
  const { style } = document.documentElement;
  const accent = asked.get("accent") ?? "";
  const background = asked.get("background") ?? "";
  set(style, "--accent", accent, (colour) => contrast(colour, CARDS[theme]) >= CONTRAST);
  set(style, "--on-accent", accent, (colour) => contrast(colour, CARDS[theme]) >= CONTRAST, readableOn);
  set(style, "--page", background, (colour) => contrast(colour, MUTED[theme]) >= CONTRAST);
}

/** The theme of the address: "light", "dark", or null for the system's. */
export function askedTheme() {
  const theme = new URLSearchParams(location.search).get("theme");
  return theme === "light" || theme === "dark" ? theme : null;
}

function set(style, name, colour, isReadable, valueOf = (value) => value) {
  if (HEX.test(colour) && isReadable(colour)) style.setProperty(name, valueOf(colour));
  else style.removeProperty(name);
}

/** White or nearly black, whichever has more contrast on a colour. */
function readableOn(colour) {
  return contrast(colour, INK.light) >= contrast(colour, INK.dark) ? INK.light : INK.dark;
}

/** Contrast ratio of two colours: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio */
function contrast(one, other) {
  const [high, low] = [luminance(one), luminance(other)].toSorted((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}

/** Relative luminance of #rrggbb: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance */
function luminance(colour) {
  const [red, green, blue] = [1, 3, 5].map((place) => {
    const part = parseInt(colour.slice(place, place + 2), 16) / 255;
    return part <= 0.040_45 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
