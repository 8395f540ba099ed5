// The page after a sign-in that failed, in the language and the theme that were chosen in the log viewer. Without this
// script it is in English.

import { translatePage } from "./language.js";
import { preference } from "./preferences.js";

translatePage();
const theme = preference("theme");
if (theme !== null) document.documentElement.style.colorScheme = theme;
