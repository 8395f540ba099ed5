// Verification of an event in a tamper-evident ledger. The formats are those of C2SP tlog-proof, tlog-checkpoint and
// signed-note; the tree is that of RFC 9162. Hashes are over the bytes that came, never over a text that a page wrote.
// The page docs/verify.html, which needs no server, has a copy of this file between its marks.

/** The bytes do not prove it. The message is the reason, a part of a sentence; `isOtherLedger`: it has another key. */
export class NotProven extends Error {
  isOtherLedger = false;
}

/** The browser cannot check signatures, or not on a page that came without https. */
export class CannotCheck extends Error {}

function refuse(reason) {
  throw new NotProven(reason);
}

const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", await joined(parts)));
const joined = (parts) => new Blob(parts).arrayBuffer();
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const utf8 = (characters) => new TextEncoder().encode(characters);
const equal = (one, other) => hex(one) === hex(other);

/** Decode UTF-8. Throws a TypeError if the bytes are not UTF-8. */
export function text(bytes) {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}

/** Decode base64, and refuse every text that encoding the bytes would not give. */
function base64(encoded, what) {
  let binary = null;
  try {
    binary = atob(encoded);
  } catch {
    refuse(`${what} is not base64`);
  }
  if (btoa(binary) !== encoded) refuse(`${what} is not canonical base64`);
  return Uint8Array.from(binary, (character) => character.codePointAt(0));
}

function parseNumber(digits, what) {
  if (!/^(0|[1-9][0-9]{0,18})$/u.test(digits)) refuse(`${what} is malformed`);
  return BigInt(digits);
}

/** Split at an empty line. */
function split(whole, place, what) {
  if (place < 0) refuse(`${what} has no empty line`);
  return [whole.slice(0, place), whole.slice(place + 2)];
}

function parseHashes(lines) {
  const hashes = lines.map((line) => base64(line, "a hash"));
  if (hashes.length > 63 || hashes.some((hash) => hash.length !== 32)) refuse("the proof has malformed hashes");
  return hashes;
}

/** Read the public key of a ledger, NAME+ID+BASE64: {vkey, name, id, publicKey}. Throws NotProven, CannotCheck. */
export async function parseKey(vkey) {
  if (!globalThis.crypto?.subtle) throw new CannotCheck();
  const match = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/u.exec(vkey);
  if (!match) refuse("the key is not of the form NAME+ID+BASE64");
  const [, name, id, encoded] = match;
  const bytes = base64(encoded, "the key");
  const digest = await sha256(utf8(`${name}\n`), bytes);
  if (hex(digest).slice(0, 8) !== id) refuse("the key does not match its id: a character of it was changed");
  if (bytes.length !== 33 || bytes[0] !== 1) refuse("the key is not the Ed25519 key of a ledger");
  try {
    const publicKey = await crypto.subtle.importKey("raw", bytes.slice(1), "Ed25519", false, ["verify"]);
    return { vkey, name, id, publicKey };
  } catch (error) {
    if (error.name === "NotSupportedError") throw new CannotCheck();
    throw error;
  }
}

/** Read a checkpoint that `key` signed: {size, root}. Throws NotProven. */
export async function openCheckpoint(note, key) {
  if (/[^\n\u0020-\u{10FFFF}]/u.test(note)) refuse("the checkpoint has a control character");
  const [body, rest] = split(note, note.lastIndexOf("\n\n"), "the checkpoint");
  const lines = rest.split("\n");
  if (lines.pop() !== "" || lines.length < 1 || lines.length > 100) refuse("the checkpoint has no signatures");
  let isSigned = false;
  for (const line of lines) {
    const match = /^\u2014 ([^\s+]+) (\S+)$/u.exec(line);
    if (!match) refuse("the checkpoint has a malformed signature");
    const signature = base64(match[2], "a signature");
    if (match[1] !== key.name || hex(signature.slice(0, 4)) !== key.id) continue;
    const isGood = await crypto.subtle.verify("Ed25519", key.publicKey, signature.slice(4), utf8(`${body}\n`));
    if (!isGood) refuse("the signature of the ledger over the checkpoint is wrong");
    isSigned = true;
  }
  if (!isSigned) {
    throw Object.assign(new NotProven("the checkpoint is not signed by this key"), { isOtherLedger: true });
  }
  const [origin, size, root, ...more] = body.split("\n");
  if (origin !== key.name || root === undefined || more.length) refuse("the checkpoint is of another ledger");
  return { size: parseNumber(size, "the size of the checkpoint"), root: base64(root, "the root") };
}

/** Read the head of an event: {head, shown, entry}, its members, its JSON, and its entry in the ledger. */
async function parseHead(bytes) {
  const match = /^audit-log\.head\/1\n[0-9a-f]{32}\n(\{.*\})$/su.exec(text(bytes));
  if (!match) refuse("line 2 is not the head of an event");
  const head = JSON.parse(match[1]);
  const names = "customer_id data event_id event_type received_at recorded_by timestamp_utc";
  if (Object.keys(head).join(" ") !== names) refuse("the head of the event is malformed");
  if (!Number.isSafeInteger(head.timestamp_utc)) refuse("the time of the event is malformed");
  const month = new Date(head.timestamp_utc * 1000).toISOString().slice(0, 7);
  return { head, shown: match[1], entry: utf8(`audit-log.event/1 ${month} ${hex(await sha256(bytes))}\n`) };
}

const bitLength = (value) => BigInt(value === 0n ? 0 : value.toString(2).length);
const bitCount = (value) => value.toString(2).replaceAll("0", "").length;

/** Hash upwards. Below height `inner` the bits of `number` say which siblings are on the left, above it all are. */
async function climb(start, siblings, inner, number) {
  let digest = start;
  for (const [place, sibling] of siblings.entries()) {
    const isOnTheLeft = BigInt(place) >= inner || (number >> BigInt(place)) & 1n;
    digest = await sha256(Uint8Array.of(1), ...(isOnTheLeft ? [sibling, digest] : [digest, sibling]));
  }
  return digest;
}

/** The root of the tree of `size` leaves in which leaf `index` has this hash and this path. */
async function rootOf(index, size, leaf, path) {
  if (index >= size) refuse("the index is beyond the size of the checkpoint");
  const inner = bitLength(index ^ (size - 1n));
  if (path.length !== Number(inner) + bitCount(index >> inner)) refuse("the proof has too few or too many hashes");
  return climb(leaf, path, inner, index);
}

/**
 * Verify that an event is in the ledger of `key`: {index, size, root, head, shown, content}. `proof` and `data` are the
 * bytes of its files; without `data`, null, `content` is null, otherwise the JSON of event_data. Throws NotProven, or
 * another Error if a file is malformed.
 */
export async function verifyEvent(key, proof, data) {
  const whole = text(proof);
  const [before, note] = split(whole, whole.indexOf("\n\n"), "the proof");
  const [header, extra, place, ...hashes] = before.split("\n");
  if (header !== "c2sp.org/tlog-proof@v1") refuse("the file is not a proof");
  if (!extra?.startsWith("extra ") || !place?.startsWith("index ")) refuse("the proof is malformed");
  const { head, shown, entry } = await parseHead(base64(extra.slice("extra ".length), "line 2"));
  const index = parseNumber(place.slice("index ".length), "the index");
  const path = parseHashes(hashes);
  const { size, root } = await openCheckpoint(note, key);
  const leaf = await sha256(Uint8Array.of(0), entry);
  if (!equal(await rootOf(index, size, leaf, path), root)) refuse("the event is not in the tree of the checkpoint");
  if (data !== null && hex(await sha256(data)) !== head.data) refuse("the data file is not that of the event");
  const content = data && text(data).split("\n").slice(2).join("\n");
  return { index, size, root, head, shown, content };
}

/**
 * Verify that the checkpoint `old`, {size, root}, is the beginning of the one in the file of a consistency proof, which
 * `key` signed. Resolves to the latter. Throws NotProven, or another Error if the file is malformed.
 */
export async function verifyConsistency(key, old, file) {
  const whole = text(file);
  const [before, note] = split(whole, whole.indexOf("\n\n"), "the consistency proof");
  const [first, ...lines] = before.split("\n");
  if (first !== `old ${old.size}`) refuse("the consistency proof is of another size");
  const path = parseHashes(lines);
  const found = await openCheckpoint(note, key);
  if (found.size < old.size) refuse("the checkpoint is smaller than the one before");
  if (found.size === old.size) {
    if (path.length || !equal(found.root, old.root)) refuse("two checkpoints of one size have different roots");
    return found;
  }
  // The proof begins with the largest full subtree that ends at the old size. If that is the whole tree, it is known.
  const height = bitLength(old.size & -old.size) - 1n;
  const hashes = old.size === 1n << height ? [old.root, ...path] : path;
  const number = (old.size - 1n) >> height;
  const inner = bitLength(number ^ ((found.size - 1n) >> height));
  const expected = 1 + Number(inner) + bitCount(number >> inner);
  if (hashes.length !== expected) refuse("the consistency proof has too few or too many hashes");
  const [start, ...siblings] = hashes;
  // The old tree has the same siblings on the left, and none on the right.
  const ofOld = siblings.filter((_, place) => BigInt(place) >= inner || (number >> BigInt(place)) & 1n);
  if (!equal(await climb(start, ofOld, 0n, 0n), old.root)) refuse("the old checkpoint is not its beginning");
  if (!equal(await climb(start, siblings, inner, number), found.root)) {
    refuse("the consistency proof does not lead to the new checkpoint");
  }
  return found;
}

/** Whether two checkpoints are the same. */
export function isSame(one, other) {
  return one.size === other.size && equal(one.root, other.root);
}
